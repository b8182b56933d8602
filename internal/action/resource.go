package action

import (
	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/state"
	"slipway/internal/store"
)

// View is what a resolver may look at: the records as one reader has them, from where the caller stands.
type View struct {
	store.Reader
	Call slipway.Call
}

// Scope is where the caller's own records are.
func (v View) Scope() state.Scope { return state.Scope{Account: v.Call.Account, Region: v.Call.Region} }

// New is the id of what the call makes, or of what cannot be known yet: a policy is asked about all of the kind.
const New = "*"

// Resource is one thing that a call concerns, as a policy is asked about it.
type Resource struct {
	Right string // what is to be allowed, "iam:PassRole"; "" for the action itself
	Kind  string // EC2's resource type, "instance"; "" with an ARN
	ID    string // or New
	ARN   string // of what is not EC2's
	// Region is where it is, if that is not where the call is made: the source of a copy.
	Region string
	// Keys are condition keys that the call gives, by their documented names: ec2:VolumeType of a volume that it
	// makes. What is known of a record that is there needs not be said.
	Keys map[string]string
	// Given are the tags that the call puts on it or takes off: aws:RequestTag and aws:TagKeys.
	Given slipway.Tags
	// Taken are the keys of tags that the call takes off, where it says no values: aws:TagKeys.
	Taken []string
	// Has are the tags of what is not EC2's: aws:ResourceTag.
	Has slipway.Tags
}

// Resolver finds what a request concerns. It fails never: what is not there is New, and the action says what is wrong.
type Resolver[In any] func(View, *In) []Resource

// Nothing is for actions that EC2 judges without a resource.
func Nothing[In any](View, *In) []Resource { return nil }

// One is a resource that a member names by its id; none when the member is not given.
func One[In any](kind string, id func(*In) *string) Resolver[In] {
	return func(_ View, in *In) []Resource { return Some(kind, id(in)) }
}

// Each is the resources that a list names by their ids.
func Each[In any](kind string, ids func(*In) []string) Resolver[In] {
	return func(_ View, in *In) []Resource { return Many(kind, ids(in)) }
}

// Some is the resource of an id that may not be given.
func Some[T ~string](kind string, id *T) []Resource {
	if id == nil || *id == "" {
		return nil
	}
	return []Resource{{Kind: kind, ID: string(*id)}}
}

// Many is the resources of several ids.
func Many[T ~string](kind string, ids []T) []Resource {
	var out []Resource
	for _, id := range ids {
		if id != "" {
			out = append(out, Resource{Kind: kind, ID: string(id)})
		}
	}
	return out
}

// OrAny is a resource of the kind that is found, and any of the kind when it is not: the action will say so.
func OrAny[T ~string](kind string, id T) Resource {
	if id == "" {
		return Resource{Kind: kind, ID: New}
	}
	return Resource{Kind: kind, ID: string(id)}
}

// Makes is what an action makes: of each kind one, with the tags that it gets, for which there is a right of its own.
func Makes[In any](tags func(*In) []ec2wire.TagSpecification, kinds ...string) Resolver[In] {
	return func(_ View, in *In) []Resource {
		given, out := Tags(tags(in)), Tagging(tags(in))
		for _, kind := range kinds {
			out = append(out, Resource{Kind: kind, ID: New, Given: given[kind]})
		}
		return out
	}
}

// MakesBare is what an action makes that cannot tag it.
func MakesBare[In any](kinds ...string) Resolver[In] {
	return Makes(func(*In) []ec2wire.TagSpecification { return nil }, kinds...)
}

// Tags are a request's tags by resource type.
func Tags(specs []ec2wire.TagSpecification) map[string]slipway.Tags {
	out := map[string]slipway.Tags{}
	for _, s := range specs {
		if s.ResourceType == nil {
			continue
		}
		kind := string(*s.ResourceType)
		if out[kind] == nil {
			out[kind] = slipway.Tags{}
		}
		for _, t := range s.Tags {
			if t.Key == nil {
				continue
			}
			out[kind][*t.Key] = ""
			if t.Value != nil {
				out[kind][*t.Key] = *t.Value
			}
		}
	}
	return out
}

// Tagging is the right to put a request's tags on what it makes.
func Tagging(specs []ec2wire.TagSpecification) []Resource {
	var out []Resource
	for kind, tags := range Tags(specs) {
		out = append(out, Resource{Right: "ec2:CreateTags", Kind: kind, ID: New, Given: tags})
	}
	return out
}

// Labels is the right to put the request's tags on what it makes, for actions whose resource is another.
func Labels[In any](tags func(*In) []ec2wire.TagSpecification) Resolver[In] {
	return func(_ View, in *In) []Resource { return Tagging(tags(in)) }
}
