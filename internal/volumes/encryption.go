package volumes

import (
	"context"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// defaultKey names the key of what is encrypted without another being named. Each volume really has a secret of its own.
const defaultKey = "alias/aws/ebs"

func (s *Service) encrypt(ctx context.Context, byDefault bool) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		return state.Regions.Edit(tx, state.Of(ctx), "-", func(r *slipway.Region) error {
			r.Settings.EncryptByDefault = byDefault
			return nil
		})
	})
}

// EnableEncryption answers EnableEbsEncryptionByDefault: new volumes and copies of snapshots are encrypted.
func (s *Service) EnableEncryption(
	ctx context.Context, _ *ec2wire.EnableEbsEncryptionByDefaultRequest,
) (*ec2wire.EnableEbsEncryptionByDefaultResult, error) {
	return &ec2wire.EnableEbsEncryptionByDefaultResult{EbsEncryptionByDefault: shape.Of(true)}, s.encrypt(ctx, true)
}

// DisableEncryption answers DisableEbsEncryptionByDefault.
func (s *Service) DisableEncryption(
	ctx context.Context, _ *ec2wire.DisableEbsEncryptionByDefaultRequest,
) (*ec2wire.DisableEbsEncryptionByDefaultResult, error) {
	return &ec2wire.DisableEbsEncryptionByDefaultResult{EbsEncryptionByDefault: shape.Of(false)}, s.encrypt(ctx, false)
}

// Encryption answers GetEbsEncryptionByDefault.
func (s *Service) Encryption(
	ctx context.Context, _ *ec2wire.GetEbsEncryptionByDefaultRequest,
) (*ec2wire.GetEbsEncryptionByDefaultResult, error) {
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	reg := state.Regions.See(r, state.Of(ctx), "-")
	return &ec2wire.GetEbsEncryptionByDefaultResult{
		EbsEncryptionByDefault: shape.Of(reg != nil && reg.Settings.EncryptByDefault),
	}, nil
}

// DefaultKey answers GetEbsDefaultKmsKeyId.
func (s *Service) DefaultKey(
	context.Context, *ec2wire.GetEbsDefaultKmsKeyIdRequest,
) (*ec2wire.GetEbsDefaultKmsKeyIdResult, error) {
	return &ec2wire.GetEbsDefaultKmsKeyIdResult{KmsKeyId: shape.Of(defaultKey)}, nil
}
