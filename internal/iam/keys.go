package iam

import (
	"context"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/iamwire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

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

func keyStatus(k *slipway.AccessKey) *string {
	if k.Inactive {
		return shape.Text("Inactive")
	}
	return shape.Text("Active")
}

// CreateAccessKey makes a key of whom it names, or of who asks. Its answer alone says the secret.
func (s *Service) CreateAccessKey(
	ctx context.Context, in *iamwire.CreateAccessKeyRequest,
) (*iamwire.CreateAccessKeyResponse, error) {
	return answer(ctx, s, checks{}, func(tx store.Tx) (*iamwire.CreateAccessKeyResponse, error) {
		account := accountOf(ctx)
		k := accounts.NewKey(account, s.now())
		if k.User = userOf(ctx, tx, in.UserName); k.User != "" {
			u, err := state.Users.Require(tx, state.IAM(account), k.User)
			if err != nil {
				return nil, err
			}
			k.Owner = u.ID
			if len(keysOf(tx, account, k.User)) >= 2 {
				return nil, slipway.Errorf(slipway.LimitExceeded, "Cannot exceed quota for AccessKeysPerUser: 2")
			}
		}
		return &iamwire.CreateAccessKeyResponse{AccessKey: &iamwire.AccessKey{
			UserName: shape.Text(k.User), AccessKeyId: shape.Text(k.ID), Status: keyStatus(&k), SecretAccessKey: shape.Text(k.Secret),
			CreateDate: shape.Time(k.Created),
		}}, state.AccessKeys.Put(tx, &k)
	})
}

// ListAccessKeys answers the keys of whom it names, or of who asks.
func (s *Service) ListAccessKeys(
	ctx context.Context, in *iamwire.ListAccessKeysRequest,
) (*iamwire.ListAccessKeysResponse, error) {
	var c checks
	l := c.listing(in.Marker, in.MaxItems)
	return answer(ctx, s, c, func(tx store.Tx) (*iamwire.ListAccessKeysResponse, error) {
		var items []iamwire.AccessKeyMetadata
		for _, k := range keysOf(tx, accountOf(ctx), userOf(ctx, tx, in.UserName)) {
			items = append(items, iamwire.AccessKeyMetadata{
				UserName: shape.Text(k.User), AccessKeyId: shape.Text(k.ID), Status: keyStatus(k), CreateDate: shape.Time(k.Created),
			})
		}
		out := &iamwire.ListAccessKeysResponse{}
		out.AccessKeyMetadata, out.IsTruncated, out.Marker = page(l, items)
		return out, nil
	})
}

// ownKey is a lasting key of the caller's account and of the user whom the request names.
func ownKey(ctx context.Context, tx store.Tx, user *string, id string) (*slipway.AccessKey, error) {
	k, err := state.AccessKeys.Get(tx, state.Global, id)
	if err != nil || k.Account != accountOf(ctx) || k.User != userOf(ctx, tx, user) || k.Token != "" {
		return nil, slipway.Errorf(slipway.NoSuchEntity, "The Access Key with id %s cannot be found.", id)
	}
	return k, nil
}

// UpdateAccessKey makes a key active or inactive.
func (s *Service) UpdateAccessKey(ctx context.Context, in *iamwire.UpdateAccessKeyRequest) error {
	var c checks
	id, status := c.need("AccessKeyId", in.AccessKeyId), c.need("Status", in.Status)
	if status != "" && status != "Active" && status != "Inactive" {
		c.err = slipway.Errorf(slipway.ValidationError, "The status must be Active or Inactive.")
	}
	return s.change(ctx, c, func(tx store.Tx) error {
		k, err := ownKey(ctx, tx, in.UserName, id)
		if err != nil {
			return err
		}
		k.Inactive = status == "Inactive"
		return state.AccessKeys.Put(tx, k)
	})
}

// DeleteAccessKey deletes a key.
func (s *Service) DeleteAccessKey(ctx context.Context, in *iamwire.DeleteAccessKeyRequest) error {
	var c checks
	id := c.need("AccessKeyId", in.AccessKeyId)
	return s.change(ctx, c, func(tx store.Tx) error {
		if _, err := ownKey(ctx, tx, in.UserName, id); err != nil {
			return err
		}
		state.AccessKeys.Delete(tx, state.Global, id)
		return nil
	})
}
