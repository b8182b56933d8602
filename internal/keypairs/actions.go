package keypairs

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateKeyPair":    action.Do(s.Create).Bucket(action.Mutating).Repeats(action.NoToken),
		"ImportKeyPair":    action.Do(s.Import).Bucket(action.Mutating).Repeats(action.NoToken),
		"DescribeKeyPairs": action.Read(s.Describe).Filters(documentedFilters...),
		"DeleteKeyPair":    action.Do(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"fingerprint", "key-name", "key-pair-id", "tag-key", "tag-value", "tag:<key>",
}
