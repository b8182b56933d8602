package tags_test

import (
	"testing"

	"slipway/internal/apitest"
)

// TestTagsAreNamed: to create none is no request.
func TestTagsAreNamed(t *testing.T) {
	w := apitest.New(t)
	w.Refuses(t, []apitest.Refusal{apitest.Case("no tags", "InvalidParameterValue",
		"You must specify one or more tags to create", "CreateTags", []string{"ResourceId.1", w.Image()})})
}
