package iam

import (
	"crypto/rand"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/action"
	"slipway/internal/state"
	"slipway/internal/store"
)

// newID is a unique id with AWS's prefix.
func newID(prefix string) string { return prefix + rand.Text()[:16] }

func userXML(u *slipway.User) xml {
	return all(text("Path", u.Path), text("UserName", u.Name), text("UserId", u.ID), text("Arn", u.ARN()),
		moment("CreateDate", u.Created), tagList(u.Tags))
}

func keyXML(k *slipway.AccessKey, secret bool) xml {
	status := "Active"
	if k.Inactive {
		status = "Inactive"
	}
	parts := []xml{text("UserName", k.User), text("AccessKeyId", k.ID), text("Status", status)}
	if secret {
		parts = append(parts, text("SecretAccessKey", k.Secret))
	}
	return all(append(parts, moment("CreateDate", k.Created))...)
}

// user is who an action is about: whom it names, or else whose key signed it; "" is the account's root.
func (r *request) user(tx store.Tx, named string) string {
	if k := state.AccessKeys.See(tx, state.Global, r.key); named == "" && k != nil {
		return k.User
	}
	return named
}

// keysOf are the lasting keys of a user, or of the account's root.
func keysOf(tx store.Tx, account, user string) []*slipway.AccessKey {
	var out []*slipway.AccessKey
	for k := range state.AccessKeys.By(tx, state.Global, "user/"+account+"/"+user) {
		if k.Token == "" {
			out = append(out, k)
		}
	}
	return out
}

func (s *Service) users(m map[string]action.Handler) {
	s.absent(m)
	m["CreateUser"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		u := &slipway.User{
			Account: r.account, Name: r.name("UserName"), ID: newID("AIDA"), Path: r.newPath(), Created: s.now(),
			Tags: r.tags(),
		}
		return func(tx store.Tx) (xml, error) {
			if state.Users.See(tx, state.IAM(r.account), u.Name) != nil {
				return nil, exists("User", u.Name)
			}
			return userXML(u).in("User"), state.Users.Put(tx, u)
		}
	})
	m["GetUser"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		named := r.get("UserName")
		return func(tx store.Tx) (xml, error) {
			name := r.user(tx, named)
			if name == "" { // the account's root, as much of it as clients ask for
				return all(text("UserId", r.account), text("Arn", "arn:aws:iam::"+r.account+":root")).in("User"), nil
			}
			u, err := state.Users.Must(tx, state.IAM(r.account), name)
			if err != nil {
				return nil, err
			}
			return userXML(u).in("User"), nil
		}
	})
	m["ListUsers"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		l := r.pathListing()
		return func(tx store.Tx) (xml, error) {
			var items []xml
			for u := range state.Users.All(tx, state.IAM(r.account)) {
				if l.has(u.Path) {
					items = append(items, userXML(u))
				}
			}
			return l.of("Users", items), nil
		}
	})
	m["UpdateUser"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, path := r.name("UserName"), r.path("NewPath")
		next := name
		if r.get("NewUserName") != "" {
			next = r.name("NewUserName")
		}
		return func(tx store.Tx) (xml, error) { return nil, renameUser(tx, r.account, name, next, path) }
	})
	m["DeleteUser"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name := r.name("UserName")
		return func(tx store.Tx) (xml, error) {
			u, err := state.Users.Must(tx, state.IAM(r.account), name)
			switch {
			case err != nil:
				return nil, err
			case len(u.Policies.Inline)+len(u.Policies.Attached) > 0:
				return nil, conflict("Cannot delete entity, must delete policies first.")
			}
			if len(keysOf(tx, r.account, name)) > 0 {
				return nil, conflict("Cannot delete entity, must delete access keys first.")
			}
			state.Users.Delete(tx, state.IAM(r.account), name)
			return nil, nil
		}
	})
	m["CreateAccessKey"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		named := r.get("UserName")
		return func(tx store.Tx) (xml, error) {
			k := accounts.NewKey(r.account, s.now())
			k.User = r.user(tx, named)
			if k.User != "" {
				u, err := state.Users.Must(tx, state.IAM(r.account), k.User)
				if err != nil {
					return nil, err
				}
				k.Owner = u.ID
				if len(keysOf(tx, r.account, k.User)) >= 2 {
					return nil, slipway.Errorf(slipway.LimitExceeded, "Cannot exceed quota for AccessKeysPerUser: 2")
				}
			}
			return keyXML(&k, true).in("AccessKey"), state.AccessKeys.Put(tx, &k)
		}
	})
	m["ListAccessKeys"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, l := r.get("UserName"), r.listing()
		return func(tx store.Tx) (xml, error) {
			var items []xml
			for _, k := range keysOf(tx, r.account, r.user(tx, name)) {
				items = append(items, keyXML(k, false))
			}
			return l.of("AccessKeyMetadata", items), nil
		}
	})
	own := func(tx store.Tx, r *request, user, id string) (*slipway.AccessKey, error) {
		k, err := state.AccessKeys.Get(tx, state.Global, id)
		if err != nil || k.Account != r.account || k.User != r.user(tx, user) || k.Token != "" {
			return nil, slipway.Errorf(slipway.NoSuchEntity, "The Access Key with id %s cannot be found.", id)
		}
		return k, nil
	}
	m["UpdateAccessKey"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		user, id, status := r.get("UserName"), r.need("AccessKeyId"), r.need("Status")
		if status != "" && status != "Active" && status != "Inactive" {
			r.err = slipway.Errorf(slipway.ValidationError, "The status must be Active or Inactive.")
		}
		return func(tx store.Tx) (xml, error) {
			k, err := own(tx, r, user, id)
			if err != nil {
				return nil, err
			}
			k.Inactive = status == "Inactive"
			return nil, state.AccessKeys.Put(tx, k)
		}
	})
	m["DeleteAccessKey"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		user, id := r.get("UserName"), r.need("AccessKeyId")
		return func(tx store.Tx) (xml, error) {
			if _, err := own(tx, r, user, id); err != nil {
				return nil, err
			}
			state.AccessKeys.Delete(tx, state.Global, id)
			return nil, nil
		}
	})
	s.policiesOf(m, "User",
		func(tx store.Tx, account, name string, change func(*slipway.Policies) error) (*slipway.Policies, error) {
			u, err := state.Users.Get(tx, state.IAM(account), name)
			if err != nil || change == nil {
				if err != nil {
					return nil, err
				}
				return &u.Policies, nil
			}
			if err := change(&u.Policies); err != nil {
				return nil, err
			}
			return &u.Policies, state.Users.Put(tx, u)
		})
}

// renameUser changes a user's name and path; its keys go with it.
func renameUser(tx store.Tx, account, name, next, path string) error {
	u, err := state.Users.Get(tx, state.IAM(account), name)
	if err != nil {
		return err
	}
	if path != "" {
		u.Path = path
	}
	if next != name {
		if state.Users.See(tx, state.IAM(account), next) != nil {
			return exists("User", next)
		}
		state.Users.Delete(tx, state.IAM(account), name)
		u.Name = next
		for k := range state.AccessKeys.By(tx, state.Global, "user/"+account+"/"+name) {
			if err := state.AccessKeys.Edit(tx, state.Global, k.ID, func(k *slipway.AccessKey) error {
				k.User = next
				return nil
			}); err != nil {
				return err
			}
		}
	}
	return state.Users.Put(tx, u)
}

// absent are the lists of what no user can have here, by the action that asks for them: clients ask before they delete a user.
func (s *Service) absent(m map[string]action.Handler) {
	for action, name := range map[string]string{
		"ListGroupsForUser": "Groups", "ListSSHPublicKeys": "SSHPublicKeys", "ListMFADevices": "MFADevices",
		"ListSigningCertificates":        "Certificates",
		"ListServiceSpecificCredentials": "ServiceSpecificCredentials",
	} {
		m[action] = s.act(func(r *request) func(store.Tx) (xml, error) {
			named, l := r.get("UserName"), r.listing()
			r.get("ServiceName") // of credentials
			return func(tx store.Tx) (xml, error) {
				if user := r.user(tx, named); user != "" {
					if _, err := state.Users.Must(tx, state.IAM(r.account), user); err != nil {
						return nil, err
					}
				}
				return l.of(name, nil), nil
			}
		})
	}
	m["ListVirtualMFADevices"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		l := r.listing()
		r.get("AssignmentStatus")
		return func(store.Tx) (xml, error) { return l.of("VirtualMFADevices", nil), nil }
	})
	m["ListAccountAliases"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		l := r.listing()
		return func(store.Tx) (xml, error) { return l.of("AccountAliases", nil), nil }
	})
	for _, action := range []string{"GetLoginProfile", "DeleteLoginProfile"} {
		m[action] = s.act(func(r *request) func(store.Tx) (xml, error) {
			name := r.name("UserName")
			return func(store.Tx) (xml, error) {
				return nil, slipway.Errorf(slipway.NoSuchEntity, "Login Profile for User %s cannot be found.", name)
			}
		})
	}
}

// policiesOf are the actions that users and roles have alike.
func (s *Service) policiesOf(
	m map[string]action.Handler, kind string,
	edit func(tx store.Tx, account, name string, change func(*slipway.Policies) error) (*slipway.Policies, error),
) {
	who := kind + "Name"
	m["Put"+kind+"Policy"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, policyName, document := r.name(who), r.name("PolicyName"), r.document("PolicyDocument")
		return func(tx store.Tx) (xml, error) {
			_, err := edit(tx, r.account, name, func(p *slipway.Policies) error {
				if p.Inline == nil {
					p.Inline = map[string]string{}
				}
				p.Inline[policyName] = document
				return nil
			})
			return nil, err
		}
	})
	missing := func(name string) error {
		return slipway.Errorf(slipway.NoSuchEntity, "The %s policy with name %s cannot be found.", strings.ToLower(kind), name)
	}
	m["Get"+kind+"Policy"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, policyName := r.name(who), r.name("PolicyName")
		return func(tx store.Tx) (xml, error) {
			p, err := edit(tx, r.account, name, nil)
			if err != nil {
				return nil, err
			}
			document, ok := p.Inline[policyName]
			if !ok {
				return nil, missing(policyName)
			}
			return all(text(who, name), text("PolicyName", policyName), text("PolicyDocument", escaped(document))), nil
		}
	})
	m["Delete"+kind+"Policy"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, policyName := r.name(who), r.name("PolicyName")
		return func(tx store.Tx) (xml, error) {
			_, err := edit(tx, r.account, name, func(p *slipway.Policies) error {
				if _, ok := p.Inline[policyName]; !ok {
					return missing(policyName)
				}
				delete(p.Inline, policyName)
				return nil
			})
			return nil, err
		}
	})
	m["List"+kind+"Policies"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, l := r.name(who), r.listing()
		return func(tx store.Tx) (xml, error) {
			p, err := edit(tx, r.account, name, nil)
			if err != nil {
				return nil, err
			}
			var items []xml
			for _, n := range slipway.Tags(p.Inline).Keys() {
				items = append(items, raw(n))
			}
			return l.of("PolicyNames", items), nil
		}
	})
	m["Attach"+kind+"Policy"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, arn := r.name(who), r.need("PolicyArn")
		return func(tx store.Tx) (xml, error) {
			if documentOf(tx, r.account, arn) == "" {
				return nil, state.ManagedPolicies.Absent(arn)
			}
			_, err := edit(tx, r.account, name, func(p *slipway.Policies) error {
				if !slices.Contains(p.Attached, arn) {
					p.Attached = append(p.Attached, arn)
				}
				return nil
			})
			return nil, err
		}
	})
	m["Detach"+kind+"Policy"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, arn := r.name(who), r.need("PolicyArn")
		return func(tx store.Tx) (xml, error) {
			_, err := edit(tx, r.account, name, func(p *slipway.Policies) error {
				i := slices.Index(p.Attached, arn)
				if i < 0 {
					return slipway.Errorf(slipway.NoSuchEntity, "Policy %s was not found.", arn)
				}
				p.Attached = slices.Delete(p.Attached, i, i+1)
				return nil
			})
			return nil, err
		}
	})
	m["ListAttached"+kind+"Policies"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, l := r.name(who), r.pathListing()
		return func(tx store.Tx) (xml, error) {
			p, err := edit(tx, r.account, name, nil)
			if err != nil {
				return nil, err
			}
			var items []xml
			for _, arn := range p.Attached {
				_, path, _ := strings.Cut(arn, ":policy")
				if slash := strings.LastIndexByte(path, '/') + 1; l.has(path[:slash]) {
					items = append(items, all(text("PolicyName", path[slash:]), text("PolicyArn", arn)))
				}
			}
			return l.of("AttachedPolicies", items), nil
		}
	})
}
