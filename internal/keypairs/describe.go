package keypairs

import (
	"context"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

var fields = filters.Fields[*slipway.KeyPair]{
	"fingerprint": func(k *slipway.KeyPair) []string { return []string{k.Fingerprint} },
	"key-name":    func(k *slipway.KeyPair) []string { return []string{k.Name} },
	"key-pair-id": func(k *slipway.KeyPair) []string { return []string{string(k.ID)} },
}

// Describe lists key pairs by name. A name or id that is not there refuses the whole call.
func (s *Service) Describe(ctx context.Context, in *ec2wire.DescribeKeyPairsRequest) (*ec2wire.DescribeKeyPairsResult, error) {
	match, err := filters.Matcher(describe.Filters(in.Filters), fields, func(k *slipway.KeyPair) slipway.Tags { return k.Tags })
	if err != nil {
		return nil, err
	}
	v, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	names, ids := map[string]bool{}, map[string]bool{}
	for _, n := range in.KeyNames {
		names[n] = false
	}
	for _, id := range in.KeyPairIds {
		ids[id] = false
	}
	out := &ec2wire.DescribeKeyPairsResult{KeyPairs: []ec2wire.KeyPairInfo{}}
	for k := range state.KeyPairs.All(v, state.Of(ctx)) {
		_, byName := names[k.Name]
		_, byID := ids[string(k.ID)]
		if len(names)+len(ids) > 0 && !byName && !byID {
			continue
		}
		if byName {
			names[k.Name] = true
		}
		if byID {
			ids[string(k.ID)] = true
		}
		if !match(k) {
			continue
		}
		info := ec2wire.KeyPairInfo{
			KeyPairId: shape.Text(k.ID), KeyName: &k.Name, KeyType: &k.Type, KeyFingerprint: &k.Fingerprint,
			CreateTime: &k.Created, Tags: shape.Tags(k.Tags),
		}
		if shape.Get(in.IncludePublicKey) {
			info.PublicKey = &k.PublicKey
		}
		out.KeyPairs = append(out.KeyPairs, info)
	}
	if missing := shape.Unseen(in.KeyNames, names); len(missing) > 0 {
		return nil, state.KeyPairs.Absent(missing...)
	}
	if missing := shape.Unseen(in.KeyPairIds, ids); len(missing) > 0 {
		return nil, slipway.NotFound(slipway.InvalidKeyPairNotFound, "The key pair ID '%s' does not exist", missing...)
	}
	return out, nil
}

// Delete forgets a pair; one that is not there is as good as deleted. Instances keep the copy they were launched with.
func (s *Service) Delete(ctx context.Context, in *ec2wire.DeleteKeyPairRequest) (*ec2wire.DeleteKeyPairResult, error) {
	name, id := shape.Get(in.KeyName), shape.Get(in.KeyPairId)
	if name == "" && id == "" {
		return nil, slipway.Missing("KeyName")
	}
	scope := state.Of(ctx)
	out := &ec2wire.DeleteKeyPairResult{Return: shape.Of(true)}
	err := s.db.Update(ctx, func(tx store.Tx) error {
		for k := range state.KeyPairs.All(tx, scope) {
			if k.Name == name || name == "" && string(k.ID) == id {
				out.KeyPairId = shape.Text(k.ID)
				state.KeyPairs.Delete(tx, scope, k.Name)
			}
		}
		return nil
	})
	return out, err
}
