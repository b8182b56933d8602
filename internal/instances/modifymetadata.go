package instances

import (
	"context"
	"strings"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/launchspec"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// ModifyMetadata answers ModifyInstanceMetadataOptions: members left out keep their value.
func (s *Service) ModifyMetadata(
	ctx context.Context, in *ec2wire.ModifyInstanceMetadataOptionsRequest,
) (*ec2wire.ModifyInstanceMetadataOptionsResult, error) {
	if shape.Get(in.InstanceId) == "" {
		return nil, slipway.Missing("InstanceId")
	}
	id, err := slipway.ParseInstanceID(*in.InstanceId)
	if err != nil {
		return nil, err
	}
	to, err := launchspec.MetadataValues(in.HttpTokens, in.HttpEndpoint, in.HttpProtocolIpv6, in.InstanceMetadataTags,
		in.HttpPutResponseHopLimit)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.ModifyInstanceMetadataOptionsResult{InstanceId: shape.Text(id)}
	err = s.edit(ctx, id, func(tx store.Tx, i *slipway.Instance) error {
		region := state.Regions.See(tx, state.Of(ctx), "-")
		if to.HTTPTokens == "optional" && region != nil && region.Settings.TokensEnforced {
			return launchspec.Combination("The account requires instance metadata tokens: HttpTokens must be 'required'.")
		}
		if to.Tags == "enabled" {
			for k := range i.Tags {
				if strings.HasPrefix(k, "aws:") {
					continue
				}
				if err := slipway.CheckMetadataTag(k); err != nil {
					return err
				}
			}
		}
		i.Metadata = i.Metadata.With(to)
		i.Metadata.Applied = i.State != slipway.Running // a running instance has them once its host says so
		out.InstanceMetadataOptions = Options(i.Metadata, false)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
