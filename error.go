// Package slipway is the domain: the nouns of Amazon EC2 as this project keeps them, their typed ids, states and lawful
// changes, and the error codes a caller may read. It is pure: it must not read the clock, the network, a file or the
// environment, and it imports nothing of ours.
package slipway

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Code is an error code of EC2's catalogue, as clients match on it.
type Code string

// Error is an error whose words were chosen for the caller. Everything else becomes InternalError on the wire.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Errorf makes an error that the caller may read.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf says which code an error carries to the caller; an error nobody chose words for is an InternalError.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return InternalError
}

// Missing answers MissingParameter for a parameter by its request name.
func Missing(parameter string) *Error {
	return Errorf(MissingParameter, "The request must contain the parameter %s", parameter)
}

// NotFound answers that ids are not there, in the form of one id ("The volume '%s' does not exist."); of several, it names all:
// "The volumes 'vol-1, vol-2' do not exist."
func NotFound(code Code, form string, ids ...string) *Error {
	if len(ids) > 1 {
		form = strings.NewReplacer(" '%s' does not", "s '%s' do not", " '[%s]' does not", "s '[%s]' do not",
			"Address '%s' not", "Addresses '%s' not", "Group '%s' is", "Groups '%s' are").Replace(form)
	}
	return Errorf(code, form, strings.Join(ids, ", "))
}

// Invalid answers InvalidParameterValue in EC2's general form; parameter is the lower-camel name.
func Invalid(value, parameter, why string) *Error {
	return Errorf(InvalidParameterValue, "Value (%s) for parameter %s is invalid. %s", value, parameter, why)
}

// Refused answers UnsupportedOperation for a parameter that EC2 has and slipway does not.
func Refused(parameter, why string) *Error {
	return Errorf(UnsupportedOperation, "The parameter %s is not supported: %s", parameter, why)
}

// Status is the HTTP status EC2 sends with the code (rule http-status): 400 unless listed here.
func (c Code) Status() int {
	switch c {
	case AuthFailure, OptInRequired:
		return http.StatusUnauthorized
	case UnauthorizedOperation, SignatureDoesNotMatch, InvalidClientTokenID, MissingAuthenticationToken, AccessDenied:
		return http.StatusForbidden
	case DryRunOperation:
		return http.StatusPreconditionFailed
	case RequestEntityTooLarge:
		return http.StatusRequestEntityTooLarge
	case NoSuchEntity:
		return http.StatusNotFound
	case EntityAlreadyExists, DeleteConflict:
		return http.StatusConflict
	case InternalError, InternalFailure, ServerInternal, InsufficientInstanceCapacity, InsufficientAddressCapacity,
		InsufficientCapacity, InsufficientHostCapacity, InsufficientReservedInstanceCapacity, InsufficientVolumeCapacity:
		return http.StatusInternalServerError
	case RequestLimitExceeded, Unavailable, ServiceUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}
