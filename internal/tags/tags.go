// Package tags is the room of tags: on resources of every kind, found by the prefix of their id.
package tags

import (
	"context"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service answers the tag actions.
type Service struct{ db state.DB }

// New makes the room.
func New(db state.DB) *Service { return &Service{db} }

// kind is one kind of taggable resource.
type kind struct {
	edit func(tx store.Tx, s state.Scope, id string, change func(slipway.Tags) (slipway.Tags, error)) error
	each func(r store.Reader, s state.Scope, yield func(id string, t slipway.Tags))
	see  func(r store.Reader, s state.Scope, id string) slipway.Tags // nil for what is not there
}

// Of are the tags of one resource as an account sees them, by its type's name and its id; key pairs, launch templates
// and placement groups may be named instead.
func Of(r store.Reader, s state.Scope, resourceType, id string) slipway.Tags {
	for prefix, name := range slipway.ResourceTypes {
		if name == resourceType {
			return kinds[prefix].see(r, s, id)
		}
	}
	return nil
}

func of[T any](table *state.Table[T], id func(*T) string, tags func(*T) *slipway.Tags) kind {
	return kind{
		edit: func(tx store.Tx, s state.Scope, rid string, change func(slipway.Tags) (slipway.Tags, error)) error {
			return table.Edit(tx, s, rid, func(v *T) error {
				next, err := change(*tags(v))
				if err == nil {
					*tags(v) = next
				}
				return err
			})
		},
		each: func(r store.Reader, s state.Scope, yield func(string, slipway.Tags)) {
			for v := range table.All(r, s) {
				yield(id(v), *tags(v))
			}
		},
		see: func(r store.Reader, s state.Scope, id string) slipway.Tags {
			if v := table.See(r, s, id); v != nil {
				return *tags(v)
			}
			return nil
		},
	}
}

// kinds are the resources by the prefix of their ids, as slipway.ResourceTypes has their names.
var kinds = map[string]kind{
	"i": of(state.Instances, func(v *slipway.Instance) string { return string(v.ID) },
		func(v *slipway.Instance) *slipway.Tags { return &v.Tags }),
	"vol": of(state.Volumes, func(v *slipway.Volume) string { return string(v.ID) },
		func(v *slipway.Volume) *slipway.Tags { return &v.Tags }),
	"eni": of(state.Interfaces, func(v *slipway.Interface) string { return string(v.ID) },
		func(v *slipway.Interface) *slipway.Tags { return &v.Tags }),
	"vpc": of(state.VPCs, func(v *slipway.VPC) string { return string(v.ID) }, func(v *slipway.VPC) *slipway.Tags {
		return &v.Tags
	}),
	"subnet": of(state.Subnets, func(v *slipway.Subnet) string { return string(v.ID) },
		func(v *slipway.Subnet) *slipway.Tags { return &v.Tags }),
	"sg": of(state.SecurityGroups, func(v *slipway.SecurityGroup) string { return string(v.ID) },
		func(v *slipway.SecurityGroup) *slipway.Tags { return &v.Tags }),
	"scr": of(state.SubnetReservations, func(v *state.SubnetReservation) string { return v.ID },
		func(v *state.SubnetReservation) *slipway.Tags { return &v.Tags }),
	"rtb": of(state.RouteTables, func(v *slipway.RouteTable) string { return string(v.ID) },
		func(v *slipway.RouteTable) *slipway.Tags { return &v.Tags }),
	"igw": of(state.InternetGateways, func(v *slipway.InternetGateway) string { return string(v.ID) },
		func(v *slipway.InternetGateway) *slipway.Tags { return &v.Tags }),
	"acl": of(state.NetworkACLs, func(v *slipway.NetworkACL) string { return string(v.ID) },
		func(v *slipway.NetworkACL) *slipway.Tags { return &v.Tags }),
	"dopt": of(state.DHCPOptions, func(v *slipway.DHCPOptions) string { return string(v.ID) },
		func(v *slipway.DHCPOptions) *slipway.Tags { return &v.Tags }),
	"eipalloc": of(state.Addresses, func(v *slipway.Address) string { return string(v.ID) },
		func(v *slipway.Address) *slipway.Tags { return &v.Tags }),
	"nat": of(state.NATGateways, func(v *slipway.NATGateway) string { return string(v.ID) },
		func(v *slipway.NATGateway) *slipway.Tags { return &v.Tags }),
	"eigw": of(state.EgressOnlyGateways, func(v *slipway.EgressOnlyGateway) string { return v.ID },
		func(v *slipway.EgressOnlyGateway) *slipway.Tags { return &v.Tags }),
	"pl": of(state.PrefixLists, func(v *slipway.PrefixList) string { return string(v.ID) },
		func(v *slipway.PrefixList) *slipway.Tags { return &v.Tags }),
	"cr": of(state.CapacityReservations, func(v *slipway.CapacityReservation) string { return string(v.ID) },
		func(v *slipway.CapacityReservation) *slipway.Tags { return &v.Tags }),
	"h": of(state.DedicatedHosts, func(v *slipway.DedicatedHost) string { return string(v.ID) },
		func(v *slipway.DedicatedHost) *slipway.Tags { return &v.Tags }),
	"sir": of(state.SpotRequests, func(v *slipway.SpotRequest) string { return string(v.ID) },
		func(v *slipway.SpotRequest) *slipway.Tags { return &v.Tags }),
	"fleet": fleets(),
	"pcx":   peerings(),
	"key": byName(state.KeyPairs,
		func(v *slipway.KeyPair) (string, string, *slipway.Tags) { return string(v.ID), v.Name, &v.Tags },
		slipway.InvalidKeyPairNotFound, "The key pair ID '%s' does not exist"),
	"lt": byName(state.LaunchTemplates,
		func(v *slipway.LaunchTemplate) (string, string, *slipway.Tags) { return string(v.ID), v.Name, &v.Tags },
		slipway.InvalidLaunchTemplateIDNotFound, "The specified launch template, with template ID %s, does not exist."),
	"pg": byName(state.PlacementGroups,
		func(v *slipway.PlacementGroup) (string, string, *slipway.Tags) { return string(v.ID), v.Name, &v.Tags },
		slipway.InvalidPlacementGroupUnknown, "The Placement Group '%s' is unknown."),
	"sgr":                  rules(),
	slipway.ImageImport:    importTasks(slipway.ImageImport),
	slipway.SnapshotImport: importTasks(slipway.SnapshotImport),
	"ami": shared(state.Images, func(v *slipway.Image) held {
		return held{string(v.ID), v.Owner, v.LaunchableBy, v.Public, &v.Tags, &v.TagsOf}
	}),
	"snap": shared(state.Snapshots, func(v *slipway.Snapshot) held {
		return held{string(v.ID), v.Account, v.SharedWith, v.Public && v.State != slipway.SnapshotStateDeleting, &v.Tags, &v.TagsOf}
	}),
}

// held is what tags need to know of a thing that accounts share.
type held struct {
	id, owner string
	with      []string
	public    bool
	tags      *slipway.Tags
	others    *map[string]slipway.Tags
}

// of are the tags that are an account's own.
func (h held) of(account string) slipway.Tags {
	if account == h.owner {
		return *h.tags
	}
	return (*h.others)[account]
}

// shared is of for what accounts share: each has tags of its own on it.
func shared[T any](table *state.Table[T], look func(*T) held) kind {
	return kind{
		edit: func(tx store.Tx, s state.Scope, id string, change func(slipway.Tags) (slipway.Tags, error)) error {
			where := state.Shared(s.Region)
			if table.See(tx, where, id) == nil {
				where = state.Global
			}
			return table.Edit(tx, where, id, func(v *T) error {
				h := look(v)
				if h.owner != s.Account && !h.public && !slices.Contains(h.with, s.Account) {
					return table.Absent(id)
				}
				next, err := change(h.of(s.Account))
				switch {
				case err != nil:
					return err
				case h.owner == s.Account:
					*h.tags = next
				case *h.others == nil:
					*h.others = map[string]slipway.Tags{s.Account: next}
				default:
					(*h.others)[s.Account] = next
				}
				return nil
			})
		},
		each: func(r store.Reader, s state.Scope, yield func(string, slipway.Tags)) {
			for _, where := range []state.Scope{state.Global, state.Shared(s.Region)} {
				for v := range table.All(r, where) {
					h := look(v)
					yield(h.id, h.of(s.Account))
				}
			}
		},
		see: func(r store.Reader, s state.Scope, id string) slipway.Tags {
			for _, where := range []state.Scope{state.Shared(s.Region), state.Global} {
				if v := table.See(r, where, id); v != nil {
					return look(v).of(s.Account)
				}
			}
			return nil
		},
	}
}

// byName is of for what is stored by name and tagged by id; look gives the id, the name and the tags.
func byName[T any](
	table *state.Table[T], look func(*T) (id, name string, tags *slipway.Tags), absent slipway.Code, form string,
) kind {
	k := of(table, func(v *T) string { id, _, _ := look(v); return id }, func(v *T) *slipway.Tags {
		_, _, tags := look(v)
		return tags
	})
	edit := k.edit
	k.edit = func(tx store.Tx, s state.Scope, id string, change func(slipway.Tags) (slipway.Tags, error)) error {
		for v := range table.All(tx, s) {
			if found, name, _ := look(v); found == id {
				return edit(tx, s, name, change)
			}
		}
		return slipway.Errorf(absent, form, id)
	}
	k.see = func(r store.Reader, s state.Scope, id string) slipway.Tags {
		for v := range table.All(r, s) {
			if found, name, tags := look(v); found == id || name == id {
				return *tags
			}
		}
		return nil
	}
	return k
}

// peerings lie in no account's scope; either side may tag them.
func peerings() kind {
	k := of(state.Peerings, func(v *slipway.Peering) string { return string(v.ID) },
		func(v *slipway.Peering) *slipway.Tags { return &v.Tags })
	edit, mine := k.edit, func(p *slipway.Peering, s state.Scope) bool {
		return p != nil && p.Of(s.Account)
	}
	k.edit = func(tx store.Tx, s state.Scope, id string, change func(slipway.Tags) (slipway.Tags, error)) error {
		if !mine(state.Peerings.See(tx, state.Shared(s.Region), id), s) {
			return state.Peerings.Absent(id)
		}
		return edit(tx, state.Shared(s.Region), id, change)
	}
	k.each = func(r store.Reader, s state.Scope, yield func(string, slipway.Tags)) {
		for p := range state.Peerings.All(r, state.Shared(s.Region)) {
			if mine(p, s) {
				yield(string(p.ID), p.Tags)
			}
		}
	}
	k.see = func(r store.Reader, s state.Scope, id string) slipway.Tags {
		if p := state.Peerings.See(r, state.Shared(s.Region), id); mine(p, s) {
			return p.Tags
		}
		return nil
	}
	return k
}

// importTasks are of two kinds in one table, told apart by their ids.
func importTasks(prefix string) kind {
	k := of(state.ImportTasks, func(v *slipway.ImportTask) string { return string(v.ID) },
		func(v *slipway.ImportTask) *slipway.Tags { return &v.Tags })
	each := k.each
	k.each = func(r store.Reader, s state.Scope, yield func(string, slipway.Tags)) {
		each(r, s, func(id string, t slipway.Tags) {
			if slipway.Prefix(id) == prefix {
				yield(id, t)
			}
		})
	}
	return k
}

// fleets keep their own tags beside those of what they launch.
func fleets() kind {
	return kind{
		edit: func(tx store.Tx, s state.Scope, id string, change func(slipway.Tags) (slipway.Tags, error)) error {
			return state.Fleets.Edit(tx, s, id, func(f *slipway.Fleet) error {
				next, err := change(f.Tags["fleet"])
				if f.Tags == nil {
					f.Tags = map[string]slipway.Tags{}
				}
				f.Tags["fleet"] = next
				return err
			})
		},
		each: func(r store.Reader, s state.Scope, yield func(string, slipway.Tags)) {
			for f := range state.Fleets.All(r, s) {
				yield(string(f.ID), f.Tags["fleet"])
			}
		},
		see: func(r store.Reader, s state.Scope, id string) slipway.Tags {
			if f := state.Fleets.See(r, s, id); f != nil {
				return f.Tags["fleet"]
			}
			return nil
		},
	}
}

// rules live inside their groups.
func rules() kind {
	return kind{
		edit: func(tx store.Tx, s state.Scope, id string, change func(slipway.Tags) (slipway.Tags, error)) error {
			for g := range state.SecurityGroups.By(tx, s, "rule/"+id) {
				return state.SecurityGroups.Edit(tx, s, string(g.ID), func(g *slipway.SecurityGroup) error {
					for i := range g.Rules {
						if string(g.Rules[i].ID) == id {
							next, err := change(g.Rules[i].Tags)
							g.Rules[i].Tags = next
							return err
						}
					}
					return nil
				})
			}
			return slipway.Errorf(slipway.InvalidSecurityGroupRuleIDNotFound,
				"The security group rule ID '%s' does not exist", id)
		},
		each: func(r store.Reader, s state.Scope, yield func(string, slipway.Tags)) {
			for g := range state.SecurityGroups.All(r, s) {
				for _, rule := range g.Rules {
					yield(string(rule.ID), rule.Tags)
				}
			}
		},
		see: func(r store.Reader, s state.Scope, id string) slipway.Tags {
			for g := range state.SecurityGroups.By(r, s, "rule/"+id) {
				for _, rule := range g.Rules {
					if string(rule.ID) == id {
						return rule.Tags
					}
				}
			}
			return nil
		},
	}
}

// edit changes the tags of all resources named, or of none.
func (s *Service) edit(ctx context.Context, ids []string, change func(id string, t slipway.Tags) (slipway.Tags, error)) error {
	if len(ids) == 0 {
		return slipway.Missing("resourceIdSet")
	}
	if len(ids) > 1000 {
		return slipway.Errorf(slipway.InvalidParameterValue,
			"At most 1000 resources may be named in one call; there are %d.", len(ids))
	}
	for _, id := range ids {
		if _, ok := kinds[slipway.Prefix(id)]; !ok || !slipway.WellFormed(slipway.Prefix(id), id) {
			return slipway.Errorf(slipway.InvalidID, "The ID '%s' is not valid", id)
		}
	}
	return s.db.Update(ctx, func(tx store.Tx) error {
		for _, id := range ids {
			err := kinds[slipway.Prefix(id)].edit(tx, state.Of(ctx), id, func(t slipway.Tags) (slipway.Tags, error) {
				return change(id, t)
			})
			if err != nil {
				return err
			}
		}
		return s.metadata(tx, state.Of(ctx), ids)
	})
}

// metadata refuses keys that an instance which shows its tags as metadata could not show.
func (s *Service) metadata(tx store.Tx, scope state.Scope, ids []string) error {
	for _, id := range ids {
		if slipway.Prefix(id) != "i" {
			continue
		}
		in, err := state.Instances.Get(tx, scope, id)
		if err != nil || in.Metadata.Tags != "enabled" {
			continue
		}
		for k := range in.Tags {
			if strings.HasPrefix(k, "aws:") {
				continue
			}
			if err := slipway.CheckMetadataTag(k); err != nil {
				return err
			}
		}
	}
	return nil
}

// Create answers CreateTags.
func (s *Service) Create(ctx context.Context, in *ec2wire.CreateTagsRequest) error {
	if len(in.Tags) == 0 {
		return slipway.Errorf(slipway.InvalidParameterValue, "You must specify one or more tags to create")
	}
	more, err := shape.ReadTags(in.Tags)
	if err != nil {
		return err
	}
	return s.edit(ctx, in.Resources, func(_ string, t slipway.Tags) (slipway.Tags, error) { return t.With(more) })
}

// Delete answers DeleteTags: by key; by key and value where a value is given, even an empty one; all of the user's with none.
func (s *Service) Delete(ctx context.Context, in *ec2wire.DeleteTagsRequest) error {
	for _, t := range in.Tags {
		if strings.HasPrefix(strings.ToLower(shape.Get(t.Key)), "aws:") {
			return slipway.CheckTag(*t.Key, "")
		}
	}
	return s.edit(ctx, in.Resources, func(_ string, t slipway.Tags) (slipway.Tags, error) {
		next := slipway.Tags{}
		for k, v := range t {
			gone := len(in.Tags) == 0 ||
				slices.ContainsFunc(in.Tags, func(d ec2wire.Tag) bool {
					return shape.Get(d.Key) == k && (d.Value == nil || *d.Value == v)
				})
			if !gone || strings.HasPrefix(k, "aws:") {
				next[k] = v
			}
		}
		return next, nil
	})
}

// tag is one row of DescribeTags.
type tag struct{ id, kind, key, value string }

// Describe answers DescribeTags.
func (s *Service) Describe(ctx context.Context, in *ec2wire.DescribeTagsRequest) (*ec2wire.DescribeTagsResult, error) {
	match, err := filters.Matcher(describe.Filters(in.Filters), filters.Fields[tag]{
		"key": func(t tag) []string { return []string{t.key} }, "value": func(t tag) []string { return []string{t.value} },
		"resource-id":   func(t tag) []string { return []string{t.id} },
		"resource-type": func(t tag) []string { return []string{t.kind} },
	}, func(t tag) slipway.Tags { return slipway.Tags{t.key: t.value} })
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	var rows []tag
	for prefix, k := range kinds {
		k.each(r, state.Of(ctx), func(id string, tags slipway.Tags) {
			for key, value := range tags {
				if t := (tag{id, slipway.ResourceTypes[prefix], key, value}); match(t) {
					rows = append(rows, t)
				}
			}
		})
	}
	slices.SortFunc(rows, func(a, b tag) int { return strings.Compare(a.id+"\x00"+a.key, b.id+"\x00"+b.key) })
	page, next, err := describe.Page(rows, in.MaxResults, in.NextToken, false, 5)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.DescribeTagsResult{Tags: []ec2wire.TagDescription{}, NextToken: next}
	for i := range page {
		t := &page[i]
		out.Tags = append(out.Tags,
			ec2wire.TagDescription{Key: &t.key, Value: &t.value, ResourceId: &t.id, ResourceType: &t.kind})
	}
	return out, nil
}
