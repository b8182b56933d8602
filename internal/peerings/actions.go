package peerings

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateVpcPeeringConnection":        action.Do(s.Create).Bucket(action.Mutating).Repeats(action.NoToken),
		"AcceptVpcPeeringConnection":        action.Do(s.Accept).Bucket(action.Mutating).Repeats(action.NoToken),
		"RejectVpcPeeringConnection":        action.Do(s.Reject).Bucket(action.Mutating).Repeats(action.NoToken),
		"DeleteVpcPeeringConnection":        action.Do(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeVpcPeeringConnections":     action.Read(s.Describe).Filters(documentedFilters...),
		"ModifyVpcPeeringConnectionOptions": action.Do(s.Options).Bucket(action.Mutating).Repeats(action.NoToken),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"accepter-vpc-info.cidr-block", "accepter-vpc-info.owner-id", "accepter-vpc-info.vpc-id", "expiration-time",
	"requester-vpc-info.cidr-block", "requester-vpc-info.owner-id", "requester-vpc-info.vpc-id", "status-code",
	"status-message", "tag-key", "tag-value", "tag:<key>", "vpc-peering-connection-id",
}
