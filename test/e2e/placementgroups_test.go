package e2e

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// TestPlacementGroupThroughItsLife creates groups of each strategy, launches into them and deletes them.
func TestPlacementGroupThroughItsLife(t *testing.T) {
	r := simulated(t)
	c := r.client()
	ctx := t.Context()
	image, s := r.image(), aws.String
	create := func(in ec2.CreatePlacementGroupInput) *types.PlacementGroup {
		t.Helper()
		out, err := c.CreatePlacementGroup(ctx, &in)
		if err != nil {
			t.Fatal(err)
		}
		return out.PlacementGroup
	}
	launch := func(n int32, kind types.InstanceType, p types.Placement) ([]types.Instance, error) {
		out, err := c.RunInstances(ctx,
			&ec2.RunInstancesInput{ImageId: &image, InstanceType: kind, MinCount: aws.Int32(1), MaxCount: &n, Placement: &p})
		if err != nil {
			return nil, err
		}
		return out.Instances, nil
	}
	racks := create(ec2.CreatePlacementGroupInput{
		GroupName: s("racks"), Strategy: "partition", PartitionCount: aws.Int32(3),
		TagSpecifications: []types.TagSpecification{
			{ResourceType: "placement-group", Tags: []types.Tag{{Key: s("Name"), Value: s("hdfs")}}},
		},
	})
	if racks.State != "available" || *racks.PartitionCount != 3 || !strings.HasPrefix(*racks.GroupId, "pg-") ||
		*racks.GroupArn != "arn:aws:ec2:us-east-1:"+r.keys.AccountID+":placement-group/racks" || len(racks.Tags) != 1 {
		t.Errorf("created %+v", racks)
	}
	spread := create(ec2.CreatePlacementGroupInput{GroupName: s("spread"), Strategy: "spread"})
	if spread.SpreadLevel != "rack" || spread.PartitionCount != nil {
		t.Errorf("created %+v", spread)
	}
	create(ec2.CreatePlacementGroupInput{GroupName: s("alone"), Strategy: "spread", SpreadLevel: "host"})
	create(ec2.CreatePlacementGroupInput{GroupName: s("near"), Strategy: "cluster"})

	t.Run("groups are found by name, id and filter", func(t *testing.T) {
		filter := func(name, value string) ec2.DescribePlacementGroupsInput {
			return ec2.DescribePlacementGroupsInput{Filters: []types.Filter{{Name: &name, Values: []string{value}}}}
		}
		for _, tt := range []struct {
			in   ec2.DescribePlacementGroupsInput
			want []string
		}{
			{ec2.DescribePlacementGroupsInput{}, []string{"alone", "near", "racks", "spread"}},
			{ec2.DescribePlacementGroupsInput{GroupNames: []string{"near", "racks"}}, []string{"near", "racks"}},
			{ec2.DescribePlacementGroupsInput{GroupIds: []string{*racks.GroupId}}, []string{"racks"}},
			{filter("group-name", "r*"), []string{"racks"}}, {filter("group-arn", *racks.GroupArn), []string{"racks"}},
			{filter("group-id", *spread.GroupId), []string{"spread"}},
			{filter("strategy", "spread"), []string{"alone", "spread"}},
			{filter("spread-level", "host"), []string{"alone"}}, {filter("tag:Name", "hdfs"), []string{"racks"}},
			{filter("state", "deleted"), nil},
		} {
			out, err := c.DescribePlacementGroups(ctx, &tt.in)
			if err != nil {
				t.Errorf("%+v: %v", tt.in, err)
				continue
			}
			var got []string
			for _, g := range out.PlacementGroups {
				got = append(got, *g.GroupName)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v %v %v: %v, want %v", tt.in.GroupNames, tt.in.GroupIds, tt.in.Filters, got, tt.want)
			}
		}
	})
	t.Run("partitions are filled evenly, or as asked", func(t *testing.T) {
		made, err := launch(4, "t3.nano", types.Placement{GroupName: s("racks")})
		if err != nil {
			t.Fatal(err)
		}
		asked, err := launch(1, "t3.nano", types.Placement{GroupId: racks.GroupId, PartitionNumber: aws.Int32(1)})
		if err != nil {
			t.Fatal(err)
		}
		next, err := launch(1, "t3.nano",
			types.Placement{GroupName: s("racks"), AvailabilityZone: asked[0].Placement.AvailabilityZone})
		if err != nil {
			t.Fatal(err)
		}
		var got []int32
		for _, in := range slices.Concat(made, asked, next) {
			if *in.Placement.GroupName != "racks" || *in.Placement.GroupId != *racks.GroupId {
				t.Errorf("placed in %+v", in.Placement)
			}
			got = append(got, aws.ToInt32(in.Placement.PartitionNumber))
		}
		if want := []int32{1, 2, 3, 1, 1, 2}; !slices.Equal(got, want) {
			t.Errorf("partitions %v, want %v", got, want)
		}
		out, err := c.DescribeInstances(ctx,
			&ec2.DescribeInstancesInput{
				Filters: []types.Filter{
					{Name: s("placement-group-name"), Values: []string{"racks"}},
					{Name: s("placement-partition-number"), Values: []string{"2"}},
				},
			})
		n := 0
		for _, res := range out.Reservations {
			n += len(res.Instances)
		}
		if err != nil || n != 2 {
			t.Errorf("the filters find %d instances of partition 2, %v", n, err)
		}
	})
	t.Run("a zone takes seven of a spread group, though many launch at once", func(t *testing.T) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		count, refused := 0, map[string]int{}
		for range 6 {
			wg.Go(func() {
				made, err := launch(2, "t3.nano", types.Placement{GroupName: s("spread"), AvailabilityZone: s("us-east-1b")})
				mu.Lock()
				defer mu.Unlock()
				count += len(made)
				if err != nil {
					refused[codeOf(err)]++
				}
			})
		}
		wg.Wait()
		if count != 7 || refused["InsufficientInstanceCapacity"] != 2 || len(refused) != 1 {
			t.Errorf("%d instances, refused %v", count, refused)
		}
		if made, err := launch(9, "t3.nano",
			types.Placement{GroupName: s("spread"), AvailabilityZone: s("us-east-1c")}); err != nil || len(made) != 7 {
			t.Errorf("another zone takes %d, %v", len(made), err)
		}
	})
	t.Run("spread over hosts, one host takes one", func(t *testing.T) {
		if made, err := launch(2, "t3.nano",
			types.Placement{GroupName: s("alone"), AvailabilityZone: s("us-east-1a")}); err != nil || len(made) != 1 {
			t.Errorf("one host takes %d, %v", len(made), err)
		}
	})
	t.Run("a cluster stays in its zone", func(t *testing.T) {
		first, err := launch(1, "m5.large", types.Placement{GroupName: s("near"), AvailabilityZone: s("us-east-1c")})
		if err != nil {
			t.Fatal(err)
		}
		second, err := launch(1, "m5.large", types.Placement{GroupName: s("near")})
		if err != nil || *second[0].Placement.AvailabilityZone != *first[0].Placement.AvailabilityZone {
			t.Errorf("the second: %+v, %v", second, err)
		}
		if _, err := launch(1, "m5.large",
			types.Placement{
				GroupName: s("near"), AvailabilityZone: s("us-east-1a"),
			}); codeOf(err) != "InvalidParameterCombination" {
			t.Errorf("another zone: %v", err)
		}
	})
	t.Run("a group goes when its instances are gone", func(t *testing.T) {
		name := s("near")
		if _, err := c.DeletePlacementGroup(ctx,
			&ec2.DeletePlacementGroupInput{GroupName: name}); codeOf(err) != "InvalidPlacementGroup.InUse" {
			t.Errorf("with instances: %v", err)
		}
		out, err := c.DescribeInstances(ctx,
			&ec2.DescribeInstancesInput{Filters: []types.Filter{{Name: s("placement-group-name"), Values: []string{"near"}}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, res := range out.Reservations {
			for _, in := range res.Instances {
				r.waitState(c, *in.InstanceId, types.InstanceStateNameRunning)
				if _, err := c.TerminateInstances(ctx,
					&ec2.TerminateInstancesInput{InstanceIds: []string{*in.InstanceId}}); err != nil {
					t.Fatal(err)
				}
				r.waitState(c, *in.InstanceId, types.InstanceStateNameTerminated)
			}
		}
		if _, err := c.DeletePlacementGroup(ctx, &ec2.DeletePlacementGroupInput{GroupName: name}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.DescribePlacementGroups(ctx,
			&ec2.DescribePlacementGroupsInput{GroupNames: []string{"near"}}); codeOf(err) != "InvalidPlacementGroup.Unknown" {
			t.Errorf("described: %v", err)
		}
	})
	t.Run("tags are edited as anything's", func(t *testing.T) {
		if _, err := c.CreateTags(ctx,
			&ec2.CreateTagsInput{
				Resources: []string{*racks.GroupId}, Tags: []types.Tag{{Key: s("more"), Value: s("1")}},
			}); err != nil {
			t.Fatal(err)
		}
		out, err := c.DescribeTags(ctx,
			&ec2.DescribeTagsInput{Filters: []types.Filter{{Name: s("resource-type"), Values: []string{"placement-group"}}}})
		if err != nil || len(out.Tags) != 2 {
			t.Errorf("got %+v, %v", out, err)
		}
	})
}

// TestPlacementGroupRefusals provokes each refusal of the placement group actions.
func TestPlacementGroupRefusals(t *testing.T) {
	r := simulated(t)
	c := r.client()
	s := aws.String
	ctx := t.Context()
	create := func(in ec2.CreatePlacementGroupInput) func(context.Context) error {
		return func(ctx context.Context) error { _, err := c.CreatePlacementGroup(ctx, &in); return err }
	}
	describe := func(in ec2.DescribePlacementGroupsInput) func(context.Context) error {
		return func(ctx context.Context) error { _, err := c.DescribePlacementGroups(ctx, &in); return err }
	}
	remove := func(in ec2.DeletePlacementGroupInput) func(context.Context) error {
		return func(ctx context.Context) error { _, err := c.DeletePlacementGroup(ctx, &in); return err }
	}
	image := r.image()
	launch := func(p types.Placement, kind types.InstanceType) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := c.RunInstances(ctx,
				&ec2.RunInstancesInput{
					ImageId: &image, InstanceType: kind, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), Placement: &p,
				})
			return err
		}
	}
	if err := create(ec2.CreatePlacementGroupInput{GroupName: s("racks"), Strategy: "partition"})(ctx); err != nil {
		t.Fatal(err)
	}
	if err := create(ec2.CreatePlacementGroupInput{GroupName: s("near"), Strategy: "cluster"})(ctx); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, code string
		call       func(context.Context) error
	}{
		{"no name", "MissingParameter", create(ec2.CreatePlacementGroupInput{Strategy: "cluster"})},
		{"no strategy", "MissingParameter", create(ec2.CreatePlacementGroupInput{GroupName: s("x")})},
		{"an unknown strategy", "InvalidParameterValue",
			create(ec2.CreatePlacementGroupInput{GroupName: s("x"), Strategy: "heap"})},
		{"a long name", "InvalidParameterValue",
			create(ec2.CreatePlacementGroupInput{GroupName: s(strings.Repeat("x", 256)), Strategy: "cluster"})},
		{"a name in use", "InvalidPlacementGroup.Duplicate",
			create(ec2.CreatePlacementGroupInput{GroupName: s("racks"), Strategy: "cluster"})},
		{"eight partitions", "InvalidParameterValue",
			create(ec2.CreatePlacementGroupInput{GroupName: s("x"), Strategy: "partition", PartitionCount: aws.Int32(8)})},
		{"no partition", "InvalidParameterValue",
			create(ec2.CreatePlacementGroupInput{GroupName: s("x"), Strategy: "partition", PartitionCount: aws.Int32(0)})},
		{"partitions of a cluster", "InvalidParameterCombination",
			create(ec2.CreatePlacementGroupInput{GroupName: s("x"), Strategy: "cluster", PartitionCount: aws.Int32(2)})},
		{"a spread level of a cluster", "InvalidParameterCombination",
			create(ec2.CreatePlacementGroupInput{GroupName: s("x"), Strategy: "cluster", SpreadLevel: "rack"})},
		{"an unknown spread level", "InvalidParameterValue",
			create(ec2.CreatePlacementGroupInput{GroupName: s("x"), Strategy: "spread", SpreadLevel: "room"})},
		{"tags of an instance", "InvalidParameterValue",
			create(ec2.CreatePlacementGroupInput{
				GroupName: s("x"), Strategy: "cluster",
				TagSpecifications: []types.TagSpecification{
					{ResourceType: "instance", Tags: []types.Tag{{Key: s("a"), Value: s("b")}}},
				},
			})},
		{"a dry run of a creation", "DryRunOperation",
			create(ec2.CreatePlacementGroupInput{GroupName: s("x"), Strategy: "cluster", DryRun: aws.Bool(true)})},
		{"an unknown name described", "InvalidPlacementGroup.Unknown",
			describe(ec2.DescribePlacementGroupsInput{GroupNames: []string{"x"}})},
		{"an unknown id described", "InvalidPlacementGroup.Unknown",
			describe(ec2.DescribePlacementGroupsInput{GroupIds: []string{"pg-0123456789abcdef0"}})},
		{"a malformed id described", "InvalidPlacementGroupId.Malformed",
			describe(ec2.DescribePlacementGroupsInput{GroupIds: []string{"pg-x"}})},
		{"an unknown filter", "InvalidParameterValue",
			describe(ec2.DescribePlacementGroupsInput{Filters: []types.Filter{{Name: s("x"), Values: []string{"y"}}}})},
		{"a dry run of a description", "DryRunOperation", describe(ec2.DescribePlacementGroupsInput{DryRun: aws.Bool(true)})},
		{"no name deleted", "MissingParameter", remove(ec2.DeletePlacementGroupInput{GroupName: s("")})},
		{"an unknown name deleted", "InvalidPlacementGroup.Unknown", remove(ec2.DeletePlacementGroupInput{GroupName: s("x")})},
		{"a dry run of a deletion", "DryRunOperation",
			remove(ec2.DeletePlacementGroupInput{GroupName: s("racks"), DryRun: aws.Bool(true)})},
		{"a launch into an unknown group", "InvalidPlacementGroup.Unknown",
			launch(types.Placement{GroupName: s("x")}, "t3.nano")},
		{"a launch into an unknown id", "InvalidPlacementGroup.Unknown",
			launch(types.Placement{GroupId: s("pg-0123456789abcdef0")}, "t3.nano")},
		{"a launch into a partition too many", "InvalidParameterValue",
			launch(types.Placement{GroupName: s("racks"), PartitionNumber: aws.Int32(3)}, "t3.nano")},
		{"a launch into a partition of a cluster", "InvalidParameterValue",
			launch(types.Placement{GroupName: s("near"), PartitionNumber: aws.Int32(1)}, "m5.large")},
		{"a launch into a partition of nothing", "InvalidParameterCombination",
			launch(types.Placement{PartitionNumber: aws.Int32(1)}, "t3.nano")},
		{"a type that no cluster takes", "InvalidParameterCombination",
			launch(types.Placement{GroupName: s("near")}, "t3.nano")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.call(ctx); codeOf(err) != tt.code {
				t.Errorf("got %v, want %s", err, tt.code)
			}
		})
	}
	all, err := c.DescribePlacementGroups(ctx, &ec2.DescribePlacementGroupsInput{})
	if err != nil || len(all.PlacementGroups) != 2 {
		t.Errorf("refused calls left %+v, %v", all, err)
	}
}
