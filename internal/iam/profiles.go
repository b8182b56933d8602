package iam

import (
	"slipway"
	"slipway/internal/action"
	"slipway/internal/state"
	"slipway/internal/store"
)

func profileXML(r store.Reader, p *slipway.InstanceProfile) xml {
	roles := []xml{}
	if role := state.Roles.See(r, state.IAM(p.Account), p.Role); role != nil {
		roles = append(roles, roleXML(role))
	}
	return all(text("Path", p.Path), text("InstanceProfileName", p.Name), text("InstanceProfileId", p.ID),
		text("Arn", p.ARN()), moment("CreateDate", p.Created), list("Roles", roles), tagList(p.Tags))
}

func (s *Service) profiles(m map[string]action.Handler) {
	m["CreateInstanceProfile"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		p := &slipway.InstanceProfile{
			Account: r.account, Name: r.name("InstanceProfileName"), ID: newID("AIPA"), Path: r.newPath(),
			Created: s.now(), Tags: r.tags(),
		}
		return func(tx store.Tx) (xml, error) {
			if state.InstanceProfiles.See(tx, state.IAM(r.account), p.Name) != nil {
				return nil, slipway.Errorf(slipway.EntityAlreadyExists, "Instance Profile %s already exists.", p.Name)
			}
			return profileXML(tx, p).in("InstanceProfile"), state.InstanceProfiles.Put(tx, p)
		}
	})
	m["GetInstanceProfile"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name := r.name("InstanceProfileName")
		return func(tx store.Tx) (xml, error) {
			p, err := state.InstanceProfiles.Must(tx, state.IAM(r.account), name)
			if err != nil {
				return nil, err
			}
			return profileXML(tx, p).in("InstanceProfile"), nil
		}
	})
	listed := func(role bool) action.Handler {
		return s.act(func(r *request) func(store.Tx) (xml, error) {
			name, l := "", r.listing()
			if role {
				name = r.name("RoleName")
			} else {
				l = r.pathListing()
			}
			return func(tx store.Tx) (xml, error) {
				if role {
					if _, err := state.Roles.Must(tx, state.IAM(r.account), name); err != nil {
						return nil, err
					}
				}
				var items []xml
				for p := range state.InstanceProfiles.All(tx, state.IAM(r.account)) {
					if (!role || p.Role == name) && l.has(p.Path) {
						items = append(items, profileXML(tx, p))
					}
				}
				return l.of("InstanceProfiles", items), nil
			}
		})
	}
	m["ListInstanceProfiles"], m["ListInstanceProfilesForRole"] = listed(false), listed(true)
	m["AddRoleToInstanceProfile"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, role := r.name("InstanceProfileName"), r.name("RoleName")
		return func(tx store.Tx) (xml, error) {
			if _, err := state.Roles.Must(tx, state.IAM(r.account), role); err != nil {
				return nil, err
			}
			return nil, state.InstanceProfiles.Edit(tx, state.IAM(r.account), name, func(p *slipway.InstanceProfile) error {
				if p.Role != "" {
					return slipway.Errorf(slipway.LimitExceeded,
						"Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
				}
				p.Role = role
				return nil
			})
		}
	})
	m["RemoveRoleFromInstanceProfile"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, role := r.name("InstanceProfileName"), r.name("RoleName")
		return func(tx store.Tx) (xml, error) {
			return nil, state.InstanceProfiles.Edit(tx, state.IAM(r.account), name, func(p *slipway.InstanceProfile) error {
				if p.Role != role {
					return state.Roles.Absent(role)
				}
				p.Role = ""
				return nil
			})
		}
	})
	m["DeleteInstanceProfile"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name := r.name("InstanceProfileName")
		return func(tx store.Tx) (xml, error) {
			p, err := state.InstanceProfiles.Must(tx, state.IAM(r.account), name)
			switch {
			case err != nil:
				return nil, err
			case p.Role != "":
				return nil, conflict("Cannot delete entity, must remove roles from instance profile first.")
			}
			state.InstanceProfiles.Delete(tx, state.IAM(r.account), name)
			return nil, nil
		}
	})
}
