package slipway

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Tags are a resource's labels.
type Tags map[string]string

// MaxTags is how many a resource may have, those beginning "aws:" not counted.
const MaxTags = 50

// Keys are the tags' keys in order.
func (t Tags) Keys() []string { return slices.Sorted(maps.Keys(t)) }

// CheckTag refuses what EC2 does not take as a tag (rule tag-limits).
func CheckTag(key, value string) error {
	switch {
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return Errorf(InvalidParameterValue, "Tag keys starting with 'aws:' are reserved for internal use")
	case key == "":
		return Errorf(InvalidParameterValue, "Tag key cannot be empty")
	case utf8.RuneCountInString(key) > 128:
		return Errorf(InvalidParameterValue, "Tag key exceeds the maximum length of 128 characters")
	case utf8.RuneCountInString(value) > 256:
		return Errorf(InvalidParameterValue, "Tag value exceeds the maximum length of 256 characters")
	}
	return nil
}

// CheckMetadataTag refuses keys that could not be paths of the metadata service.
func CheckMetadataTag(key string) error {
	ok := key != "." && key != ".." && key != "_index"
	for _, r := range key {
		ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+-=.,_:@", r))
	}
	if !ok {
		return Errorf(InvalidParameterValue,
			"'%s' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{1,255}), and must not "+
				"be a reserved name ('.', '..', '_index')",
			key)
	}
	return nil
}

// With adds tags, or refuses too many.
func (t Tags) With(more Tags) (Tags, error) {
	out := Tags{}
	maps.Copy(out, t)
	maps.Copy(out, more)
	n := 0
	for k := range out {
		if !strings.HasPrefix(k, "aws:") {
			n++
		}
	}
	if n > MaxTags {
		return nil, Errorf(TagLimitExceeded, "The maximum number of Tags for a resource has been reached.")
	}
	return out, nil
}
