// Package placementgroups is the room of placement groups: how instances of a launch lie to each other. What a strategy means
// for the choice of hosts is the business of the instances room and of package placement. It must not touch an instance.
package placementgroups

import (
	"context"
	"slices"
	"strconv"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Bounds of a group and of an account.
const (
	maxPartitions     = 7
	defaultPartitions = 2
	quotaGroups       = "placement-groups" // an account's own quota under this name goes before maxGroups
	maxGroups         = 500
)

// Service answers the placement group actions.
type Service struct{ db state.DB }

// New makes the room.
func New(db state.DB) *Service { return &Service{db} }

// Create makes a group; it is available at once.
func (s *Service) Create(
	ctx context.Context, in *ec2wire.CreatePlacementGroupRequest,
) (*ec2wire.CreatePlacementGroupResult, error) {
	g, err := read(in)
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	g.ID, g.Account, g.Region, g.State = slipway.NewPlacementGroupID(), scope.Account, scope.Region, slipway.PlacementGroupStateAvailable
	err = s.db.Update(ctx, func(tx store.Tx) error {
		if tx.Get(state.PlacementGroups.Key(scope, g.Name)) != nil {
			return slipway.Errorf(slipway.InvalidPlacementGroupDuplicate, "The placement group '%s' already exists.", g.Name)
		}
		limit := maxGroups
		if a := state.Accounts.See(tx, state.Global, scope.Account); a != nil {
			if n, ok := a.Quotas[quotaGroups]; ok {
				limit = n
			}
		}
		n := 0
		for range state.PlacementGroups.All(tx, scope) {
			n++
		}
		if n >= limit {
			return slipway.Errorf(slipway.PlacementGroupLimitExceeded,
				"You have reached the limit of %d placement groups.", limit)
		}
		return state.PlacementGroups.Put(tx, g)
	})
	if err != nil {
		return nil, err
	}
	w := wire(g)
	return &ec2wire.CreatePlacementGroupResult{PlacementGroup: &w}, nil
}

// read makes every check of a new group that needs no state.
func read(in *ec2wire.CreatePlacementGroupRequest) (*slipway.PlacementGroup, error) {
	g := &slipway.PlacementGroup{
		Name: shape.Get(in.GroupName), Strategy: shape.Get(in.Strategy), SpreadLevel: shape.Get(in.SpreadLevel),
	}
	switch {
	case g.Name == "":
		return nil, slipway.Missing("GroupName")
	case g.Strategy == "":
		return nil, slipway.Missing("Strategy")
	case shape.Get(in.LinkedGroupId) != "":
		return nil, slipway.Refused("LinkedGroupId", "groups here are not linked.")
	case shape.Get(in.ParentGroupId) != "":
		return nil, slipway.Refused("ParentGroupId", "groups here have no parents.")
	case in.Operator != nil && shape.Get(in.Operator.Principal) != "":
		return nil, slipway.Refused("Operator", "it is for AWS's own services.")
	case in.PartitionCount != nil && g.Strategy != "partition":
		return nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"The parameter partitionCount requires the strategy partition.")
	case g.SpreadLevel != "" && g.Strategy != "spread":
		return nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"The parameter spreadLevel requires the strategy spread.")
	}
	for _, r := range g.Name {
		if r < 0x20 || r > 0x7e {
			return nil, slipway.Invalid(g.Name, "groupName", "It may hold only printable ASCII characters.")
		}
	}
	switch g.Strategy {
	case "cluster":
	case "spread":
		switch g.SpreadLevel {
		case "":
			g.SpreadLevel = "rack"
		case "rack", "host":
		default:
			return nil, slipway.Invalid(g.SpreadLevel, "spreadLevel", "It must be host or rack.")
		}
	case "partition":
		g.Partitions = defaultPartitions
		if n := in.PartitionCount; n != nil {
			g.Partitions = *n
		}
		if g.Partitions < 1 || g.Partitions > maxPartitions {
			return nil, slipway.Invalid(strconv.Itoa(int(g.Partitions)), "partitionCount", "It must be 1 to 7.")
		}
	default:
		return nil, slipway.Invalid(g.Strategy, "strategy", "It must be cluster, spread or partition.")
	}
	var err error
	g.Tags, err = shape.TagsOf(in.TagSpecifications, "placement-group")
	return g, err
}

func arn(g *slipway.PlacementGroup) string {
	return slipway.ARN(g.Region, g.Account, "placement-group/"+g.Name)
}

func wire(g *slipway.PlacementGroup) ec2wire.PlacementGroup {
	return ec2wire.PlacementGroup{
		GroupName: &g.Name, GroupId: shape.Text(g.ID), GroupArn: shape.Of(arn(g)), State: shape.Text(g.State), Strategy: &g.Strategy,
		PartitionCount: shape.Some(g.Partitions), SpreadLevel: shape.Text(g.SpreadLevel), Tags: shape.Tags(g.Tags),
		Operator: &ec2wire.OperatorResponse{Managed: shape.Of(false)},
	}
}

var fields = filters.Fields[*slipway.PlacementGroup]{
	"group-arn":    func(g *slipway.PlacementGroup) []string { return []string{arn(g)} },
	"group-id":     func(g *slipway.PlacementGroup) []string { return []string{string(g.ID)} },
	"group-name":   func(g *slipway.PlacementGroup) []string { return []string{g.Name} },
	"spread-level": func(g *slipway.PlacementGroup) []string { return shape.One(g.SpreadLevel) },
	"state":        func(g *slipway.PlacementGroup) []string { return []string{string(g.State)} },
	"strategy":     func(g *slipway.PlacementGroup) []string { return []string{g.Strategy} },
}

// Describe lists groups by name, in one answer as EC2 does.
func (s *Service) Describe(
	ctx context.Context, in *ec2wire.DescribePlacementGroupsRequest,
) (*ec2wire.DescribePlacementGroupsResult, error) {
	for _, id := range in.GroupIds {
		if _, err := slipway.ParsePlacementGroupID(id); err != nil {
			return nil, err
		}
	}
	match, err := filters.Matcher(describe.Filters(in.Filters), fields, func(g *slipway.PlacementGroup) slipway.Tags {
		return g.Tags
	})
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.DescribePlacementGroupsResult{PlacementGroups: []ec2wire.PlacementGroup{}}
	names, ids := map[string]bool{}, map[string]bool{} // those that are there
	for g := range state.PlacementGroups.All(r, state.Of(ctx)) {
		names[g.Name], ids[string(g.ID)] = true, true
		meant := len(in.GroupNames)+len(in.GroupIds) == 0 ||
			slices.Contains(in.GroupNames, g.Name) || slices.Contains(in.GroupIds, string(g.ID))
		if meant && match(g) {
			out.PlacementGroups = append(out.PlacementGroups, wire(g))
		}
	}
	missing := append(shape.Unseen(in.GroupNames, names), shape.Unseen(in.GroupIds, ids)...)
	if len(missing) > 0 {
		return nil, state.PlacementGroups.Absent(missing...)
	}
	return out, nil
}

// Delete removes a group that no instance is in. A launch into it changes its record: one of the two sees the other.
func (s *Service) Delete(ctx context.Context, in *ec2wire.DeletePlacementGroupRequest) error {
	name := shape.Get(in.GroupName)
	if name == "" {
		return slipway.Missing("GroupName")
	}
	scope := state.Of(ctx)
	return s.db.Update(ctx, func(tx store.Tx) error {
		g, err := state.PlacementGroups.Get(tx, scope, name)
		if err != nil {
			return err
		}
		for range state.Instances.By(tx, scope, "pg/"+string(g.ID)) {
			return slipway.Errorf(slipway.InvalidPlacementGroupInUse,
				"The placement group '%s' is in use and may not be deleted.", name)
		}
		state.PlacementGroups.Delete(tx, scope, name)
		return nil
	})
}
