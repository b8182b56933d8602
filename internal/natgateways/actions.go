package natgateways

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateNatGateway":    action.Do(s.Create).Bucket(action.Mutating).Repeats(action.ByToken),
		"DeleteNatGateway":    action.Do(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeNatGateways": action.Read(s.Describe).Filters(documentedFilters...),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"nat-gateway-id", "state", "subnet-id", "tag-key", "tag-value", "tag:<key>", "vpc-id",
}
