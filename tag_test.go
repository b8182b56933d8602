package slipway

import (
	"fmt"
	"strings"
	"testing"
)

// TestTagsHaveBounds: of rule tag-limits, what fits to the last character and what is one too many.
func TestTagsHaveBounds(t *testing.T) {
	for _, tt := range []struct {
		name, key, value string
		code             Code // "": taken
	}{
		{"128 characters of any script", strings.Repeat("ü", 128), "", ""},
		{"129 characters", strings.Repeat("ü", 129), "", InvalidParameterValue},
		{"a value of 256", "k", strings.Repeat("ü", 256), ""},
		{"a value of 257", "k", strings.Repeat("ü", 257), InvalidParameterValue},
		{"no key", "", "v", InvalidParameterValue},
		{"the system's, in any case", "AWS:k", "v", InvalidParameterValue},
	} {
		err := CheckTag(tt.key, tt.value)
		if tt.code == "" && err != nil || tt.code != "" && CodeOf(err) != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for key, fits := range map[string]bool{"Name": true, "a+-=.,_:@9": true, "a b": false, "a/b": false, "..": false, "_index": false} {
		if err := CheckMetadataTag(key); (err == nil) != fits {
			t.Errorf("%q in the metadata: %v", key, err)
		}
	}
	full := Tags{"aws:system": "does not count"}
	for n := range MaxTags {
		full[fmt.Sprint(n)] = ""
	}
	if _, err := full.With(Tags{"0": "again"}); err != nil {
		t.Errorf("a key that is there already: %v", err)
	}
	if _, err := full.With(Tags{"one more": ""}); CodeOf(err) != TagLimitExceeded {
		t.Errorf("the 51st: %v", err)
	}
}
