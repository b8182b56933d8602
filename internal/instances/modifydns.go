package instances

import (
	"context"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/launchspec"
	"slipway/internal/shape"
	"slipway/internal/store"
)

// ModifyDNS answers ModifyPrivateDnsNameOptions; the kind of name only changes while stopped.
func (s *Service) ModifyDNS(
	ctx context.Context, in *ec2wire.ModifyPrivateDnsNameOptionsRequest,
) (*ec2wire.ModifyPrivateDnsNameOptionsResult, error) {
	if err := launchspec.OneOf(in.PrivateDnsHostnameType, "privateDnsHostnameType", "ip-name", "resource-name"); err != nil {
		return nil, err
	}
	err := s.named(ctx, in.InstanceId, func(tx store.Tx, i *slipway.Instance) error {
		if i.VPC == "" {
			return slipway.Errorf(slipway.UnsupportedOperation,
				"The instance '%s' is in EC2-Classic, where names are fixed.", i.ID)
		}
		if kind := shape.Get(in.PrivateDnsHostnameType); kind != "" && kind != i.DNS.HostnameType {
			if i.State != slipway.Stopped {
				return slipway.Errorf(slipway.IncorrectInstanceState, "The instance '%s' is not in the 'stopped' state.", i.ID)
			}
			i.DNS.HostnameType = kind
		}
		if in.EnableResourceNameDnsARecord != nil {
			i.DNS.ARecord = *in.EnableResourceNameDnsARecord
		}
		if in.EnableResourceNameDnsAAAARecord != nil {
			i.DNS.AAAARecord = *in.EnableResourceNameDnsAAAARecord
		}
		return nil
	})
	return &ec2wire.ModifyPrivateDnsNameOptionsResult{Return: shape.Of(true)}, err
}
