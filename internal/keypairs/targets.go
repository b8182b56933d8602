package keypairs

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
)

// named is a key pair by its name, which policies know it by, though the request may have its id.
func named(v action.View, in *ec2wire.DeleteKeyPairRequest) []action.Resource {
	if shape.Get(in.KeyName) != "" {
		return action.Some("key-pair", in.KeyName)
	}
	for k := range state.KeyPairs.All(v, v.Scope()) {
		if string(k.ID) == shape.Get(in.KeyPairId) {
			return action.Some("key-pair", &k.Name)
		}
	}
	return []action.Resource{{Kind: "key-pair", ID: action.New}}
}
