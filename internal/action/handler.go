package action

import (
	"context"
	"encoding/json"

	"slipway"
	"slipway/internal/ec2query"
)

// Handler is an action of a service beside EC2 that reads forms (IAM, STS). What such an action concerns, its service
// judges by the form.
type Handler func(ctx context.Context, form *ec2query.Reader) (ec2query.Encoder, error)

// Handle makes a handler of a method.
func Handle[In, Out any, I decoder[In], O encoder[Out]](fn func(context.Context, *In) (*Out, error)) Handler {
	return Do[In, Out, I, O](fn).handle
}

// HandleVoid is Handle for a method that has nothing to say but that it did it.
func HandleVoid[In any, I decoder[In]](fn func(context.Context, *In) error) Handler {
	return Void[In, I](fn).handle
}

func (a *Of[In]) handle(ctx context.Context, form *ec2query.Reader) (ec2query.Encoder, error) {
	in := a.decode(form)
	if err := form.Err(); err != nil {
		return nil, err
	}
	return a.do(ctx, in)
}

// JSONHandler is an action of a service that reads JSON (SSM). The answer is written as JSON.
type JSONHandler func(ctx context.Context, body []byte) (any, error)

// HandleJSON makes a handler of a method. Members that the request does not have are passed over.
func HandleJSON[In, Out any](fn func(context.Context, *In) (*Out, error)) JSONHandler {
	return func(ctx context.Context, body []byte) (any, error) {
		in := new(In)
		if json.Unmarshal(body, in) != nil {
			return nil, slipway.Errorf(slipway.ValidationError, "The request is not JSON")
		}
		return fn(ctx, in)
	}
}
