package peerings

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateVpcPeeringConnection": action.Do(s.Create).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Makes(func(in *ec2wire.CreateVpcPeeringConnectionRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "vpc-peering-connection"),
			peered,
		),
		"AcceptVpcPeeringConnection": action.Do(s.Accept).Bucket(action.Mutating).Repeats(action.NoToken).On(
			accepted),
		"RejectVpcPeeringConnection": action.Do(s.Reject).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("vpc-peering-connection", func(in *ec2wire.RejectVpcPeeringConnectionRequest) *string {
				return in.VpcPeeringConnectionId
			})),
		"DeleteVpcPeeringConnection": action.Do(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("vpc-peering-connection", func(in *ec2wire.DeleteVpcPeeringConnectionRequest) *string {
				return in.VpcPeeringConnectionId
			})),
		"DescribeVpcPeeringConnections": action.Read(s.Describe).Filters().On(action.Nothing),
		"ModifyVpcPeeringConnectionOptions": action.Do(s.Options).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("vpc-peering-connection", func(in *ec2wire.ModifyVpcPeeringConnectionOptionsRequest) *string {
				return in.VpcPeeringConnectionId
			})),
	}
}
