package slipway

import (
	"context"
	"net/netip"
)

// Caller is who a verified signature belongs to.
type Caller struct {
	Account   string // 12 digits
	ARN       string // arn:aws:iam::123456789012:user/name
	UserID    string // AIDA…, or the account for its root
	AccessKey string
}

// Origin is where a request comes from, as policies may ask.
type Origin struct {
	IP        netip.Addr // of the connection's other end
	UserAgent string
	Referer   string
	TLS       bool
}

// Call is what is known of a request besides its parameters: the only thing a context carries.
type Call struct {
	Caller
	Origin    Origin
	Region    string
	RequestID string
	Action    string
	DryRun    bool
}

type callKey struct{}

// WithCall puts the call into ctx.
func WithCall(ctx context.Context, c Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// CallFrom is the call that ctx belongs to; the zero Call outside of a request.
func CallFrom(ctx context.Context) Call {
	c, _ := ctx.Value(callKey{}).(Call)
	return c
}
