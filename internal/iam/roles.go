package iam

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/state"
	"slipway/internal/store"
)

func roleXML(r *slipway.Role) xml {
	return all(text("Path", r.Path), text("RoleName", r.Name), text("RoleId", r.ID), text("Arn", r.ARN()),
		moment("CreateDate", r.Created),
		text("AssumeRolePolicyDocument", escaped(r.Trust)), text("Description", r.Description),
		text("MaxSessionDuration", strconv.Itoa(int(r.MaxSession))), tagList(r.Tags))
}

// maxSession is how long a role's sessions may live, in seconds; 0 where it is not given.
func (r *request) maxSession() int32 {
	n := r.form.Int32("MaxSessionDuration")
	if n == nil {
		return 0
	}
	if (*n < 3600 || *n > 43200) && r.err == nil {
		r.err = slipway.Errorf(slipway.ValidationError, "MaxSessionDuration must be 3600 to 43200 seconds.")
	}
	return *n
}

func (s *Service) roles(m map[string]action.Handler) {
	m["CreateRole"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		role := &slipway.Role{
			Account: r.account, Name: r.name("RoleName"), ID: newID("AROA"), Path: r.newPath(),
			Description: r.get("Description"), Trust: r.trust("AssumeRolePolicyDocument"),
			MaxSession: cmp.Or(r.maxSession(), 3600), Created: s.now(), Tags: r.tags(),
		}
		if b := r.get("PermissionsBoundary"); b != "" && r.err == nil {
			r.err = slipway.Errorf(slipway.UnsupportedOperation, "The parameter PermissionsBoundary is not supported.")
		}
		return func(tx store.Tx) (xml, error) {
			if state.Roles.See(tx, state.IAM(r.account), role.Name) != nil {
				return nil, exists("Role", role.Name)
			}
			var err error
			if role.Trusted, err = trusted(tx, role.Trust); err != nil {
				return nil, err
			}
			return roleXML(role).in("Role"), state.Roles.Put(tx, role)
		}
	})
	m["GetRole"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name := r.name("RoleName")
		return func(tx store.Tx) (xml, error) {
			role, err := state.Roles.Must(tx, state.IAM(r.account), name)
			if err != nil {
				return nil, err
			}
			return roleXML(role).in("Role"), nil
		}
	})
	m["ListRoles"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		l := r.pathListing()
		return func(tx store.Tx) (xml, error) {
			var items []xml
			for role := range state.Roles.All(tx, state.IAM(r.account)) {
				if l.has(role.Path) {
					items = append(items, roleXML(role))
				}
			}
			return l.of("Roles", items), nil
		}
	})
	update := func(change func(*request) func(*slipway.Role), answer func(*slipway.Role) xml) action.Handler {
		return s.act(func(r *request) func(store.Tx) (xml, error) {
			name, set := r.name("RoleName"), change(r)
			return func(tx store.Tx) (xml, error) {
				role, err := state.Roles.Get(tx, state.IAM(r.account), name)
				if err != nil {
					return nil, err
				}
				set(role)
				return answer(role), state.Roles.Put(tx, role)
			}
		})
	}
	m["UpdateRole"] = update(func(r *request) func(*slipway.Role) {
		description, session := r.form.String("Description"), r.maxSession()
		return func(role *slipway.Role) {
			role.MaxSession = cmp.Or(session, role.MaxSession)
			if description != nil {
				role.Description = *description
			}
		}
	}, func(*slipway.Role) xml { return all() }) // an empty result, which clients look for
	m["UpdateRoleDescription"] = update(func(r *request) func(*slipway.Role) {
		description := r.get("Description")
		return func(role *slipway.Role) { role.Description = description }
	}, func(role *slipway.Role) xml { return roleXML(role).in("Role") })
	m["UpdateAssumeRolePolicy"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, document := r.name("RoleName"), r.trust("PolicyDocument")
		return func(tx store.Tx) (xml, error) {
			return nil, state.Roles.Edit(tx, state.IAM(r.account), name, func(role *slipway.Role) (err error) {
				role.Trust = document
				role.Trusted, err = trusted(tx, document)
				return err
			})
		}
	})
	m["DeleteRole"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name := r.name("RoleName")
		return func(tx store.Tx) (xml, error) {
			role, err := state.Roles.Must(tx, state.IAM(r.account), name)
			switch {
			case err != nil:
				return nil, err
			case len(role.Policies.Inline)+len(role.Policies.Attached) > 0:
				return nil, conflict("Cannot delete entity, must detach all policies first.")
			}
			for p := range state.InstanceProfiles.All(tx, state.IAM(r.account)) {
				if p.Role == name {
					return nil, conflict("Cannot delete entity, must remove roles from instance profile first.")
				}
			}
			state.Roles.Delete(tx, state.IAM(r.account), name)
			return nil, nil
		}
	})
	s.policiesOf(m, "Role",
		func(tx store.Tx, account, name string, change func(*slipway.Policies) error) (*slipway.Policies, error) {
			role, err := state.Roles.Get(tx, state.IAM(account), name)
			if err != nil {
				return nil, err
			}
			if change == nil {
				return &role.Policies, nil
			}
			if err := change(&role.Policies); err != nil {
				return nil, err
			}
			return &role.Policies, state.Roles.Put(tx, role)
		})
}

// escaped is a document as IAM answers it: after RFC 3986, where a space is %20. Clients decode it so and would keep a
// plus as it is.
func escaped(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}
