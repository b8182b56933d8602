package describe_test

import (
	"slices"
	"testing"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/shape"
)

func TestPagesJoinToTheWhole(t *testing.T) {
	all := make([]int, 2503)
	for i := range all {
		all[i] = i
	}
	for _, tt := range []struct {
		max   *int32
		pages int
	}{{nil, 1}, {shape.Of[int32](5), 501}, {shape.Of[int32](1000), 3}, {shape.Of[int32](5000), 3}} {
		var got []int
		var token *string
		pages := 0
		for {
			page, next, err := describe.Page(all, tt.max, token, false, 5)
			if err != nil {
				t.Fatal(err)
			}
			got, token, pages = append(got, page...), next, pages+1
			if next == nil {
				break
			}
		}
		if !slices.Equal(got, all) || pages != tt.pages {
			t.Errorf("MaxResults %v: %d items in %d pages, want %d", shape.Get(tt.max), len(got), pages, tt.pages)
		}
	}
	for name, tt := range map[string]struct {
		max   *int32
		token *string
		ids   bool
		code  slipway.Code
	}{
		"too few":                 {shape.Of[int32](4), nil, false, slipway.InvalidParameterValue},
		"with ids":                {shape.Of[int32](5), nil, true, slipway.InvalidParameterCombination},
		"a token that is none":    {nil, shape.Of("page two"), false, slipway.InvalidNextToken},
		"a token from before all": {nil, shape.Of("ZnJvbTotMQ"), false, slipway.InvalidNextToken}, // from:-1
	} {
		if _, _, err := describe.Page(all, tt.max, tt.token, tt.ids, 5); slipway.CodeOf(err) != tt.code || err == nil {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
	}
	past := shape.Of("ZnJvbTo5OTk5OQ") // from:99999, of a list that was longer
	if page, next, err := describe.Page(all, nil, past, false, 5); len(page) != 0 || next != nil || err != nil {
		t.Errorf("past the end: %v %v %v", page, next, err)
	}
}
