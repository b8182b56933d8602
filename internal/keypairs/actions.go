package keypairs

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateKeyPair": action.Do(s.Create).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Makes(func(in *ec2wire.CreateKeyPairRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "key-pair")),
		"ImportKeyPair": action.Do(s.Import).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Makes(func(in *ec2wire.ImportKeyPairRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "key-pair")),
		"DescribeKeyPairs": action.Read(s.Describe).Filters().On(action.Nothing),
		"DeleteKeyPair":    action.Do(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken).On(named),
	}
}
