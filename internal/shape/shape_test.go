package shape_test

import (
	"fmt"
	"testing"

	"slipway/internal/ec2wire"
	"slipway/internal/shape"
)

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
