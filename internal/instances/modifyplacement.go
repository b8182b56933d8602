package instances

import (
	"cmp"
	"context"

	"slipway"
	"slipway/internal/admission"
	"slipway/internal/ec2wire"
	"slipway/internal/launchspec"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// ModifyPlacement answers ModifyInstancePlacement: tenancy, dedicated host, affinity and placement group of a stopped instance.
func (s *Service) ModifyPlacement(
	ctx context.Context, in *ec2wire.ModifyInstancePlacementRequest,
) (*ec2wire.ModifyInstancePlacementResult, error) {
	if err := launchspec.OneOf(in.Tenancy, "tenancy", "default", "dedicated", "host"); err != nil {
		return nil, err
	}
	if err := launchspec.OneOf(in.Affinity, "affinity", "default", "host"); err != nil {
		return nil, err
	}
	switch {
	case shape.Get(in.HostResourceGroupArn) != "":
		return nil, slipway.Errorf(slipway.UnsupportedOperation,
			"The parameter HostResourceGroupArn is not supported: there are no host resource groups here.")
	case in.GroupName != nil && shape.Get(in.GroupId) != "":
		return nil, launchspec.Combination("The parameter groupName cannot be used with the parameter groupId")
	}
	err := s.named(ctx, in.InstanceId, whenStopped(func(tx store.Tx, i *slipway.Instance) error {
		scope := state.Scope{Account: i.Account, Region: i.Region}
		p := &i.Placement
		if in.GroupName != nil || shape.Get(in.GroupId) != "" {
			p.GroupName, p.GroupID, p.Partition = "", "", 0
			g, err := groupOf(tx, scope, shape.Get(in.GroupName), shape.Get(in.GroupId))
			if err != nil {
				return err
			}
			if g != nil {
				p.GroupName, p.GroupID, p.Partition = g.Name, g.ID, shape.Get(in.PartitionNumber)
				if err := admission.CheckStrategy(slipway.FindInstanceType(i.Type), g); err != nil {
					return err
				}
				if p.Partition != 0 && (g.Strategy != "partition" || p.Partition < 1 || p.Partition > g.Partitions) {
					return slipway.Errorf(slipway.InvalidParameterValue,
						"Value (%d) for parameter partitionNumber is invalid. The group '%s' has %d partitions.",
						p.Partition, g.Name, g.Partitions)
				}
			}
		}
		if shape.Get(in.PartitionNumber) != 0 && p.Partition == 0 {
			return launchspec.Combination("The parameter partitionNumber requires a placement group")
		}
		p.Tenancy, p.Affinity = cmp.Or(shape.Get(in.Tenancy), p.Tenancy), cmp.Or(shape.Get(in.Affinity), p.Affinity)
		if id := shape.Get(in.HostId); id != "" {
			h, err := state.DedicatedHosts.Require(tx, scope, id)
			switch {
			case err != nil:
				return err
			case !h.Released.IsZero():
				return state.DedicatedHosts.Absent(id)
			case h.Host != i.Host || h.Zone != i.Zone:
				return slipway.Errorf(slipway.InvalidParameterCombination,
					"The dedicated host '%s' is on another machine or in another zone than the instance '%s', whose "+
						"volumes cannot move.",
					id, i.ID)
			case !h.Runs(slipway.FindInstanceType(i.Type)):
				return slipway.Errorf(slipway.UnsupportedInstanceTypeOnHost,
					"The instance type '%s' is not supported on the dedicated host '%s'.", i.Type, id)
			}
			p.DedicatedHost, p.Tenancy = h.ID, "host"
		}
		if v := state.VPCs.See(tx, scope, string(i.VPC)); v != nil && v.Tenancy == "dedicated" && p.Tenancy == "default" {
			p.Tenancy = "dedicated" // as at a launch
		}
		switch {
		case i.Lifecycle == "spot" && p.Tenancy == "host":
			return launchspec.Combination("Spot Instances are not supported on Dedicated Hosts.")
		case p.Tenancy != "host" && p.Affinity == "host":
			return slipway.Errorf(slipway.InvalidAffinity, "The affinity 'host' requires the tenancy 'host'.")
		case p.Tenancy != "host":
			p.DedicatedHost = ""
		case p.DedicatedHost == "":
			return slipway.Missing("HostId")
		}
		return nil
	}))
	return &ec2wire.ModifyInstancePlacementResult{Return: shape.Of(true)}, err
}

func groupOf(r store.Reader, scope state.Scope, name, id string) (*slipway.PlacementGroup, error) {
	for g := range state.PlacementGroups.All(r, scope) {
		if name != "" && g.Name == name || id != "" && string(g.ID) == id {
			return g, nil
		}
	}
	if name+id == "" {
		return nil, nil // an empty name leaves the group
	}
	return nil, state.PlacementGroups.Absent(name + id)
}
