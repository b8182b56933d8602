package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"slipway"
)

// Service makes the table of a service beside EC2 that reads forms (IAM, STS): its calls draw from one bucket together,
// and none has a client token or filters. The error names every action that does not say what it is on.
func Service(name string, t Table) (Table, error) {
	var faults []error
	for _, a := range slices.Sorted(maps.Keys(t)) {
		if !t[a].judged() {
			faults = append(faults, fmt.Errorf("action %s of %s: it does not say what it is on", a, name))
		}
	}
	return t, errors.Join(faults...)
}

// JSONTable is the actions of a service that reads and writes JSON (SSM) by their names.
type JSONTable map[string]JSONAction

// JSONAction is a declaration, whatever it decodes.
type JSONAction interface {
	// Read decodes a body. The errors are the caller's.
	Read(body []byte) (JSONRequest, error)
}

// JSONRequest is one call of an action, decoded.
type JSONRequest struct {
	// Resources are what the call concerns, as the reader has it.
	Resources func(View) []Resource
	// Do carries the call out. The answer is written as JSON.
	Do func(context.Context) (any, error)
}

type jsonOf[In any] struct {
	do       func(context.Context, *In) (any, error)
	resolver Resolver[In]
}

// JSON declares an action of a service that reads JSON, and which resources a policy judges. Members that the service
// does not have are passed over, as in AWS.
func JSON[In, Out any](fn func(context.Context, *In) (*Out, error), on Resolver[In]) JSONAction {
	return jsonOf[In]{func(ctx context.Context, in *In) (any, error) { return fn(ctx, in) }, on}
}

func (a jsonOf[In]) Read(body []byte) (JSONRequest, error) {
	in := new(In)
	if json.Unmarshal(body, in) != nil {
		return JSONRequest{}, slipway.Errorf(slipway.SerializationException, "The request is not the JSON that the action reads")
	}
	return JSONRequest{
		Resources: func(v View) []Resource { return a.resolver(v, in) },
		Do:        func(ctx context.Context) (any, error) { return a.do(ctx, in) },
	}, nil
}
