package iam

import (
	"context"
	"crypto/rand"

	"slipway"
	"slipway/internal/iamwire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// newID is a unique id with AWS's prefix.
func newID(prefix string) string { return prefix + rand.Text()[:16] }

func userWire(u *slipway.User) *iamwire.User {
	return &iamwire.User{
		Path: shape.Text(u.Path), UserName: shape.Text(u.Name), UserId: shape.Text(u.ID), Arn: shape.Text(u.ARN()),
		CreateDate: shape.Time(u.Created), Tags: tagList(u.Tags),
	}
}

// userOf is who an action is about: whom it names, or else whose key signed it; "" is the account's root.
func userOf(ctx context.Context, tx store.Tx, named *string) string {
	own := state.AccessKeys.See(tx, state.Global, slipway.CallFrom(ctx).AccessKey)
	if shape.Get(named) == "" && own != nil {
		return own.User
	}
	return shape.Get(named)
}

// CreateUser makes one without rights.
func (s *Service) CreateUser(ctx context.Context, in *iamwire.CreateUserRequest) (*iamwire.CreateUserResponse, error) {
	var c checks
	u := &slipway.User{
		Account: accountOf(ctx), Name: c.name("UserName", in.UserName), ID: newID("AIDA"), Path: c.newPath(in.Path),
		Created: s.now(), Tags: c.tags(in.Tags),
	}
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.CreateUserResponse, error) {
		if state.Users.See(tx, state.IAM(u.Account), u.Name) != nil {
			return nil, exists("User", u.Name)
		}
		return &iamwire.CreateUserResponse{User: userWire(u)}, state.Users.Put(tx, u)
	})
}

// GetUser answers whom it names, or who asks; of the account's root as much as clients ask for.
func (s *Service) GetUser(ctx context.Context, in *iamwire.GetUserRequest) (*iamwire.GetUserResponse, error) {
	return answer(ctx, s, checks{}, func(tx store.Tx) (*iamwire.GetUserResponse, error) {
		account, name := accountOf(ctx), userOf(ctx, tx, in.UserName)
		if name == "" {
			return &iamwire.GetUserResponse{User: &iamwire.User{
				UserId: shape.Text(account), Arn: shape.Text("arn:aws:iam::" + account + ":root"),
			}}, nil
		}
		u, err := state.Users.Require(tx, state.IAM(account), name)
		if err != nil {
			return nil, err
		}
		return &iamwire.GetUserResponse{User: userWire(u)}, nil
	})
}

// ListUsers answers those under a path.
func (s *Service) ListUsers(ctx context.Context, in *iamwire.ListUsersRequest) (*iamwire.ListUsersResponse, error) {
	var c checks
	l := c.listing(in.Marker, in.MaxItems).under(in.PathPrefix)
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.ListUsersResponse, error) {
		var items []iamwire.User
		for u := range state.Users.All(tx, state.IAM(accountOf(ctx))) {
			if l.has(u.Path) {
				items = append(items, *userWire(u))
			}
		}
		out := &iamwire.ListUsersResponse{}
		out.Users, out.IsTruncated, out.Marker = page(l, items)
		return out, nil
	})
}

// UpdateUser changes a user's name and path.
func (s *Service) UpdateUser(ctx context.Context, in *iamwire.UpdateUserRequest) error {
	var c checks
	name, path := c.name("UserName", in.UserName), c.path(in.NewPath)
	next := name
	if shape.Get(in.NewUserName) != "" {
		next = c.name("NewUserName", in.NewUserName)
	}
	return s.change(ctx, c, func(tx store.Tx) error { return renameUser(tx, accountOf(ctx), name, next, path) })
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

// DeleteUser deletes one that has neither policies nor keys.
func (s *Service) DeleteUser(ctx context.Context, in *iamwire.DeleteUserRequest) error {
	var c checks
	name := c.name("UserName", in.UserName)
	return s.change(ctx, c, func(tx store.Tx) error {
		account := accountOf(ctx)
		u, err := state.Users.Require(tx, state.IAM(account), name)
		switch {
		case err != nil:
			return err
		case len(u.Policies.Inline)+len(u.Policies.Attached) > 0:
			return conflict("Cannot delete entity, must delete policies first.")
		case len(keysOf(tx, account, name)) > 0:
			return conflict("Cannot delete entity, must delete access keys first.")
		}
		state.Users.Delete(tx, state.IAM(account), name)
		return nil
	})
}
