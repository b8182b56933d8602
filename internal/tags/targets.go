package tags

import (
	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
)

// tagged are the resources with the tags that they get.
func tagged(_ action.View, in *ec2wire.CreateTagsRequest) []action.Resource {
	return named(in.Resources, in.Tags)
}

// untagged are the resources with the tags that they lose.
func untagged(_ action.View, in *ec2wire.DeleteTagsRequest) []action.Resource {
	return named(in.Resources, in.Tags)
}

func named(ids []string, list []ec2wire.Tag) []action.Resource {
	given := slipway.Tags{}
	for _, t := range list {
		given[shape.Get(t.Key)] = shape.Get(t.Value)
	}
	var out []action.Resource
	for _, id := range ids {
		if kind := slipway.ResourceTypes[slipway.Prefix(id)]; kind != "" {
			out = append(out, action.Resource{Kind: kind, ID: id, Given: given})
		}
	}
	return out
}
