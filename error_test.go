package slipway

import "testing"

// TestStatusOfCodes: of rule http-status, each group; what is not listed is the caller's, 400, every NotFound among it.
func TestStatusOfCodes(t *testing.T) {
	for status, codes := range map[int][]Code{
		400: {InvalidAMIIDNotFound, InvalidParameterValue, InvalidParameterCombination, Unsupported, UnsupportedOperation,
			VcpuLimitExceeded, RequestExpired, IdempotentParameterMismatch, "Invalid.NotFound"},
		401: {AuthFailure, OptInRequired},
		403: {UnauthorizedOperation, SignatureDoesNotMatch, InvalidClientTokenID, MissingAuthenticationToken},
		412: {DryRunOperation},
		500: {InsufficientInstanceCapacity, InsufficientAddressCapacity, InsufficientHostCapacity, InternalError},
		503: {RequestLimitExceeded, Unavailable, ServiceUnavailable},
	} {
		for _, code := range codes {
			if got := code.Status(); got != status {
				t.Errorf("%s has the status %d, want %d", code, got, status)
			}
		}
	}
}
