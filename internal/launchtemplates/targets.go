package launchtemplates

import (
	"slipway/internal/action"
	"slipway/internal/shape"
)

// target is the template that a request names by id or name; any where there is none.
func target[In any](names func(*In) (id, name *string)) action.Resolver[In] {
	return func(v action.View, in *In) []action.Resource {
		id, name := names(in)
		if shape.Get(id) != "" && shape.Get(name) == "" {
			return action.Some("launch-template", id)
		}
		t, err := Find(v, v.Scope(), nil, name)
		if err != nil {
			return []action.Resource{{Kind: "launch-template", ID: action.New}}
		}
		return []action.Resource{{Kind: "launch-template", ID: string(t.ID)}}
	}
}
