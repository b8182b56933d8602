package action

import (
	"context"
	"strings"
	"testing"

	"slipway/internal/ec2wire"
)

func attach(context.Context, *ec2wire.AttachVolumeRequest) (*ec2wire.VolumeAttachment, error) {
	return nil, nil
}

func create(context.Context, *ec2wire.CreateVolumeRequest) (*ec2wire.Volume, error) { return nil, nil }

func list(context.Context, *ec2wire.DescribeVolumesRequest) (*ec2wire.DescribeVolumesResult, error) {
	return nil, nil
}

// TestJoinRefuses what is not wholly declared, by the action's name.
func TestJoinRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		table Table
		want  string
	}{
		{"nothing that is judged", Table{"A": Do(attach).Bucket(Mutating).Repeats(NoToken)},
			"action A: it does not say what it is on"},
		{"no bucket", Table{"A": Do(attach).On(Nothing).Repeats(NoToken)}, "action A: it has no bucket"},
		{"nothing of repeats", Table{"A": Do(attach).On(Nothing).Bucket(Mutating)},
			"action A: it does not say what repeating it does"},
		{"a token that is not there", Table{"A": Do(attach).On(Nothing).Bucket(Mutating).Repeats(ByToken)},
			"action A: that it has a client token is false"},
		{"a token left out", Table{"A": Do(create).On(Nothing).Bucket(Mutating).Repeats(NoToken)},
			"action A: that it has a client token is true"},
		{"filters left out", Table{"A": Read(list).On(Nothing)}, "action A: that it takes filters is true"},
		{"filters that are not there",
			Table{"A": Do(attach).On(Nothing).Bucket(Mutating).Repeats(NoToken).Filters("x")},
			"action A: that it takes filters is false"},
	} {
		if _, err := Join(tt.table); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	whole := Table{"A": Do(attach).On(Nothing).Bucket(Mutating).Repeats(NoToken)}
	if all, err := Join(whole, Table{"B": Read(list).On(Nothing).Filters("size")}); err != nil || len(all) != 2 {
		t.Errorf("two whole tables: %v %v", all, err)
	}
	if _, err := Join(whole, whole); err == nil || !strings.Contains(err.Error(), "action A: two rooms") {
		t.Errorf("one action twice: %v", err)
	}
}

// TestServiceRefuses an action that does not say what it is on, by its name; buckets and tokens are not asked for.
func TestServiceRefuses(t *testing.T) {
	if _, err := Service("iam", Table{"A": Do(attach).On(Nothing), "B": Do(attach)}); err == nil ||
		err.Error() != "action B of iam: it does not say what it is on" {
		t.Errorf("an action that is on nothing in particular, and one that does not say: %v", err)
	}
}
