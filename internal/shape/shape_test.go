package shape_test

import (
	"fmt"
	"slices"
	"testing"

	"slipway"
	"slipway/internal/ec2wire"
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
			page, next, err := shape.Page(all, tt.max, token, false, 5)
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
		if _, _, err := shape.Page(all, tt.max, tt.token, tt.ids, 5); slipway.CodeOf(err) != tt.code || err == nil {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
	}
	past := shape.Of("ZnJvbTo5OTk5OQ") // from:99999, of a list that was longer
	if page, next, err := shape.Page(all, nil, past, false, 5); len(page) != 0 || next != nil || err != nil {
		t.Errorf("past the end: %v %v %v", page, next, err)
	}
}

func TestTagSpecifications(t *testing.T) {
	spec := func(kind string, tags ...string) ec2wire.TagSpecification {
		s := ec2wire.TagSpecification{ResourceType: shape.Text(kind)}
		for _, k := range tags {
			s.Tags = append(s.Tags, ec2wire.Tag{Key: shape.Of(k), Value: shape.Of("v")})
		}
		return s
	}
	got, err := shape.TagsAtLaunch([]ec2wire.TagSpecification{spec("instance", "a", "b"), spec("volume", "a"), {}},
		"instance", "volume")
	if err != nil || fmt.Sprint(got["instance"].Keys(), got["volume"].Keys()) != "[a b] [a]" {
		t.Errorf("%v %v", got, err)
	}
	for name, in := range map[string][]ec2wire.TagSpecification{
		"without its type":  {spec("", "a")},
		"of another type":   {spec("vpc", "a")},
		"without a tag":     {spec("instance")},
		"a type twice":      {spec("instance", "a"), spec("instance", "b")},
		"a key twice":       {spec("instance", "a", "a")},
		"a key of AWS's":    {spec("instance", "aws:a")},
		"a tag without key": {{ResourceType: shape.Of("instance"), Tags: []ec2wire.Tag{{Value: shape.Of("v")}}}},
	} {
		if tags, err := shape.TagsAtLaunch(in, "instance", "volume"); err == nil {
			t.Errorf("%s is taken: %v", name, tags)
		}
	}
}

func TestGrants(t *testing.T) {
	var add, remove shape.Grants
	add.Take(shape.Of("222222222222"), nil)
	add.Take(shape.Of("111111111111"), shape.Of(""))
	add.Take(nil, shape.Of("all"))
	users, public := add.Grant(remove, []string{"333333333333", "111111111111"}, false)
	if fmt.Sprint(users, public) != "[111111111111 222222222222 333333333333] true" {
		t.Errorf("added: %v %v", users, public)
	}
	if err := shape.OldGrants(shape.Of("remove"), []string{"111111111111", ""}, []string{"all"}, &add, &remove); err != nil {
		t.Fatal(err)
	}
	if users, public = (shape.Grants{}).Grant(remove, users,
		public); fmt.Sprint(users, public) != "[222222222222 333333333333] false" {
		t.Errorf("removed: %v %v", users, public)
	}
	for name, err := range map[string]error{
		"without an operation": shape.OldGrants(nil, []string{"1"}, nil, &add, &remove),
		"of another operation": shape.OldGrants(shape.Of("give"), []string{"1"}, nil, &add, &remove),
	} {
		if err == nil {
			t.Errorf("a change %s is taken", name)
		}
	}
	if shape.OldGrants(nil, nil, []string{""}, &add, &remove) != nil {
		t.Error("nothing at all is refused")
	}
}
