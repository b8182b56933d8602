package iam

import (
	"slices"
	"strings"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2query"
	"slipway/internal/state"
	"slipway/internal/store"
)

func (r *request) tags() slipway.Tags {
	out, seen := slipway.Tags{}, map[string]bool{}
	for _, t := range r.form.List("Tags") {
		k, v := t.String("Key"), t.String("Value")
		if k == nil {
			continue
		}
		// A policy is asked about one value for each key.
		if folded := strings.ToLower(*k); seen[folded] && r.err == nil {
			r.err = slipway.Errorf(slipway.InvalidInput,
				"Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		} else {
			seen[folded] = true
		}
		out[*k] = ""
		if v != nil {
			out[*k] = *v
		}
		if err := slipway.CheckTag(*k, out[*k]); err != nil && r.err == nil {
			r.err = slipway.Errorf(slipway.ValidationError, "%s", err)
		}
	}
	return out
}

func tagItems(t slipway.Tags) []xml {
	var items []xml
	for _, k := range t.Keys() {
		items = append(items, all(text("Key", k), func(w *ec2query.Writer) { w.Text("Value", t[k]) }))
	}
	return items
}

func tagList(t slipway.Tags) xml {
	if len(t) == 0 {
		return func(*ec2query.Writer) {}
	}
	return list("Tags", tagItems(t))
}

// tagging are the actions that put tags on a kind of thing, take them off and list them; key is the parameter that
// names the thing.
func tagging[T any](
	s *Service, m map[string]action.Handler, kind, key string, table *state.Table[T], tags func(*T) *slipway.Tags,
) {
	edit := func(account, name string, change func(slipway.Tags) (slipway.Tags, error)) func(store.Tx) (xml, error) {
		return func(tx store.Tx) (xml, error) {
			return nil, table.Edit(tx, state.IAM(account), name, func(v *T) error {
				next, err := change(*tags(v))
				*tags(v) = next
				return err
			})
		}
	}
	m["Tag"+kind] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, more := r.need(key), r.tags()
		return edit(r.account, name, func(t slipway.Tags) (slipway.Tags, error) {
			next, err := t.With(more)
			if err != nil {
				err = slipway.Errorf(slipway.LimitExceeded, "Cannot exceed quota for TagsPer%s: %d", kind, slipway.MaxTags)
			}
			return next, err
		})
	})
	m["Untag"+kind] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, gone := r.need(key), r.form.Strings("TagKeys")
		return edit(r.account, name, func(t slipway.Tags) (slipway.Tags, error) {
			next := slipway.Tags{}
			for k, v := range t {
				if !slices.Contains(gone, k) {
					next[k] = v
				}
			}
			return next, nil
		})
	})
	m["List"+kind+"Tags"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, l := r.need(key), r.listing()
		return func(tx store.Tx) (xml, error) {
			v, err := table.Must(tx, state.IAM(r.account), name)
			if err != nil {
				return nil, err
			}
			return l.of("Tags", tagItems(*tags(v))), nil
		}
	})
}

func (s *Service) tags(m map[string]action.Handler) {
	tagging(s, m, "User", "UserName", state.Users, func(u *slipway.User) *slipway.Tags { return &u.Tags })
	tagging(s, m, "Role", "RoleName", state.Roles, func(r *slipway.Role) *slipway.Tags { return &r.Tags })
	tagging(s, m, "Policy", "PolicyArn", state.ManagedPolicies, func(p *slipway.ManagedPolicy) *slipway.Tags { return &p.Tags })
	tagging(s, m, "InstanceProfile", "InstanceProfileName", state.InstanceProfiles,
		func(p *slipway.InstanceProfile) *slipway.Tags { return &p.Tags })
}
