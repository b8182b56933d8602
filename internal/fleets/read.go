package fleets

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/launchtemplates"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// read takes the request as far as that goes without the state: everything but the pools.
func read(in *ec2wire.CreateFleetRequest) (*slipway.Fleet, error) {
	if err := refused(in); err != nil {
		return nil, err
	}
	f := &slipway.Fleet{ClientToken: shape.Get(in.ClientToken), Excess: shape.Get(in.ExcessCapacityTerminationPolicy)}
	var err error
	if f.Target, err = target(in.TargetCapacitySpecification); err != nil {
		return nil, err
	}
	if f.Tags, err = shape.TagsAtLaunch(in.TagSpecifications, "fleet", "instance", "volume"); err != nil {
		return nil, err
	}
	if len(f.ClientToken) > 64 {
		return nil, slipway.Invalid(f.ClientToken, "clientToken", "It may have 64 characters.")
	}
	if f.Excess != "" && f.Excess != "termination" && f.Excess != "no-termination" {
		return nil, slipway.Invalid(f.Excess, "excessCapacityTerminationPolicy", "It must be termination or no-termination.")
	}
	d, s := shape.Get(in.OnDemandOptions), shape.Get(in.SpotOptions)
	f.OnDemand = slipway.FleetOptions{
		Strategy: cmp.Or(shape.Get(d.AllocationStrategy), lowestPrice), SingleType: shape.Get(d.SingleInstanceType),
		SingleZone: shape.Get(d.SingleAvailabilityZone),
	}
	f.Spot = slipway.FleetOptions{
		Strategy: cmp.Or(shape.Get(s.AllocationStrategy), lowestPrice), SingleType: shape.Get(s.SingleInstanceType),
		SingleZone: shape.Get(s.SingleAvailabilityZone), Pools: shape.Get(s.InstancePoolsToUseCount),
	}
	switch {
	case !slices.Contains([]string{lowestPrice, prioritized}, f.OnDemand.Strategy):
		return nil, slipway.Invalid(f.OnDemand.Strategy, "onDemandOptions.allocationStrategy",
			"It must be lowest-price or prioritized.")
	case !slices.Contains([]string{lowestPrice, diversified, capacityOptimized, capacityPrioritized, priceCapacity},
		f.Spot.Strategy):
		return nil, slipway.Invalid(f.Spot.Strategy, "spotOptions.allocationStrategy",
			"It must be lowest-price, diversified, capacity-optimized, capacity-optimized-prioritized or "+
				"price-capacity-optimized.")
	case s.InstancePoolsToUseCount != nil && (f.Spot.Strategy != lowestPrice || f.Spot.Pools < 1):
		return nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"InstancePoolsToUseCount is a number from 1 for the allocation strategy lowest-price.")
	}
	return f, nil
}

// The allocation strategies.
const (
	lowestPrice         = "lowest-price"
	prioritized         = "prioritized"
	diversified         = "diversified"
	capacityOptimized   = "capacity-optimized"
	capacityPrioritized = "capacity-optimized-prioritized"
	priceCapacity       = "price-capacity-optimized"
)

// refused are the members that slipway does not have, by name and with the reason.
func refused(in *ec2wire.CreateFleetRequest) error {
	d, s := shape.Get(in.OnDemandOptions), shape.Get(in.SpotOptions)
	const instant, least, total = "fleets of type instant launch at once, and are then left alone.",
		"what has been launched is kept.", "prices here are made up."
	for _, m := range []struct {
		name, why string
		given     bool
	}{
		{"Type", "only fleets of type instant are served; unless it is given, a fleet is of type maintain.",
			shape.Get(in.Type) != "instant"},
		{"Context", "it is reserved.", shape.Get(in.Context) != ""},
		{"ValidFrom", instant, in.ValidFrom != nil},
		{"ValidUntil", instant, in.ValidUntil != nil},
		{"ReplaceUnhealthyInstances", instant, shape.Get(in.ReplaceUnhealthyInstances)},
		{"TerminateInstancesWithExpiration", instant, shape.Get(in.TerminateInstancesWithExpiration)},
		{"ReservedCapacityOptions", "open capacity reservations that fit are used unasked.", in.ReservedCapacityOptions != nil},
		{"OnDemandOptions.CapacityReservationOptions", "open capacity reservations that fit are used unasked.",
			d.CapacityReservationOptions != nil},
		{"OnDemandOptions.MinTargetCapacity", least, d.MinTargetCapacity != nil},
		{"OnDemandOptions.MaxTotalPrice", total, shape.Get(d.MaxTotalPrice) != ""},
		{"SpotOptions.MinTargetCapacity", least, s.MinTargetCapacity != nil},
		{"SpotOptions.MaxTotalPrice", total, shape.Get(s.MaxTotalPrice) != ""},
		{"SpotOptions.MaintenanceStrategies", instant, s.MaintenanceStrategies != nil},
		{"SpotOptions.InstanceInterruptionBehavior", "instances of fleets of type instant are terminated.",
			!slices.Contains([]string{"", "terminate"}, shape.Get(s.InstanceInterruptionBehavior))},
	} {
		if m.given {
			return slipway.Refused(m.name, m.why)
		}
	}
	return nil
}

func target(in *ec2wire.TargetCapacitySpecificationRequest) (slipway.FleetTarget, error) {
	var t slipway.FleetTarget
	if in == nil || in.TotalTargetCapacity == nil {
		return t, slipway.Missing("TargetCapacitySpecification.TotalTargetCapacity")
	}
	t = slipway.FleetTarget{
		Total: *in.TotalTargetCapacity, OnDemand: shape.Get(in.OnDemandTargetCapacity),
		Spot: shape.Get(in.SpotTargetCapacity), Default: cmp.Or(shape.Get(in.DefaultTargetCapacityType), "on-demand"),
	}
	rest := t.Total - t.OnDemand - t.Spot
	switch {
	case t.Default != "on-demand" && t.Default != "spot":
		return t, slipway.Refused("TargetCapacitySpecification.DefaultTargetCapacityType="+t.Default,
			"it must be on-demand or spot.")
	case !slices.Contains([]string{"", "units"}, shape.Get(in.TargetCapacityUnitType)):
		return t, slipway.Refused("TargetCapacitySpecification.TargetCapacityUnitType", "it goes with InstanceRequirements.")
	case t.Total < 1 || t.Total > 10000 || t.OnDemand < 0 || t.Spot < 0 || rest < 0:
		return t, slipway.Errorf(slipway.InvalidParameterValue,
			"TotalTargetCapacity must be 1 to 10000, and OnDemandTargetCapacity and SpotTargetCapacity at least 0 "+
				"and together not above it.")
	case t.Default == "spot":
		t.Spot += rest
	default:
		t.OnDemand += rest
	}
	return t, nil
}

// pools resolves the templates and reads what goes over them.
func pools(r store.Reader, scope state.Scope, in []ec2wire.FleetLaunchTemplateConfigRequest) ([]slipway.FleetPool, error) {
	if len(in) == 0 {
		return nil, slipway.Missing("LaunchTemplateConfigs")
	}
	var out []slipway.FleetPool
	for i, c := range in {
		want := c.LaunchTemplateSpecification
		if want == nil {
			return nil, slipway.Missing(fmt.Sprintf("LaunchTemplateConfigs.%d.LaunchTemplateSpecification", i+1))
		}
		if shape.Get(want.LaunchTemplateSpecificationUserData) != "" {
			return nil, slipway.Refused("LaunchTemplateSpecificationUserData", "user data are the template's.")
		}
		t, err := launchtemplates.Find(r, scope, want.LaunchTemplateId, want.LaunchTemplateName)
		if err != nil {
			return nil, err
		}
		v, err := launchtemplates.Pick(r, t, shape.Get(want.Version))
		if err != nil {
			return nil, err
		}
		base := slipway.FleetPool{
			Config: i, Template: slipway.TemplateRef{ID: t.ID, Version: v.Number},
			TemplateName: shape.Get(want.LaunchTemplateName),
		}
		for name, value := range v.Data {
			base.Interfaces = base.Interfaces || strings.HasPrefix(name, "NetworkInterface.")
			if strings.HasPrefix(name, "InstanceMarketOptions.") && value != "" {
				return nil, slipway.Errorf(slipway.InvalidParameterCombination,
					"The launch template %s has InstanceMarketOptions: a fleet's target capacity says what is spot.", t.ID)
			}
		}
		overrides := c.Overrides
		if len(overrides) == 0 {
			overrides = make([]ec2wire.FleetLaunchTemplateOverridesRequest, 1)
		}
		for _, o := range overrides {
			pool := base
			if pool.Override, err = override(&o); err != nil {
				return nil, err
			}
			if pool.Override.Type == "" {
				pool.TemplateType = v.Data["InstanceType"]
			}
			if pool.Override.Type = cmp.Or(pool.Override.Type, v.Data["InstanceType"]); pool.Override.Type == "" {
				return nil, slipway.Missing("InstanceType")
			}
			out = append(out, pool)
		}
	}
	if len(out) > 300 {
		return nil, slipway.Errorf(slipway.InvalidParameterValue, "A fleet may have 300 launch specifications, not %d.",
			len(out))
	}
	return out, nil
}

func override(o *ec2wire.FleetLaunchTemplateOverridesRequest) (slipway.FleetOverride, error) {
	p := shape.Get(o.Placement)
	out := slipway.FleetOverride{
		Type: shape.Get(o.InstanceType), MaxPrice: shape.Get(o.MaxPrice),
		Subnet: slipway.SubnetID(shape.Get(o.SubnetId)), Image: slipway.ImageID(shape.Get(o.ImageId)),
		Zone:   cmp.Or(shape.Get(o.AvailabilityZone), shape.Get(p.AvailabilityZone)),
		ZoneID: cmp.Or(shape.Get(o.AvailabilityZoneId), shape.Get(p.AvailabilityZoneId)),
		Weight: o.WeightedCapacity, Priority: o.Priority, Group: shape.Get(p.GroupName), Tenancy: shape.Get(p.Tenancy),
		KeyName: shape.Get(o.KeyName),
	}
	const template = "the launch template may say it."
	for _, m := range []struct {
		name  string
		given bool
	}{
		{"InstanceRequirements", o.InstanceRequirements != nil},
		{"BlockDeviceMappings", len(o.BlockDeviceMappings) > 0},
		{"IamInstanceProfile", o.IamInstanceProfile != nil},
		{"MetadataOptions", o.MetadataOptions != nil},
		{"Placement.Affinity", shape.Get(p.Affinity) != ""},
		{"Placement.GroupId", shape.Get(p.GroupId) != ""},
		{"Placement.HostId", shape.Get(p.HostId) != ""},
		{"Placement.HostResourceGroupArn", shape.Get(p.HostResourceGroupArn) != ""},
		{"Placement.PartitionNumber", p.PartitionNumber != nil},
		{"Placement.SpreadDomain", shape.Get(p.SpreadDomain) != ""},
	} {
		if m.given {
			return out, slipway.Refused("Overrides."+m.name, template)
		}
	}
	price, err := strconv.ParseFloat(cmp.Or(out.MaxPrice, "1"), 64)
	switch {
	case err != nil || !(price > 0):
		return out, slipway.Invalid(out.MaxPrice, "maxPrice", "It must be a price above 0.")
	case o.WeightedCapacity != nil && !(*o.WeightedCapacity >= 1 && *o.WeightedCapacity <= 999):
		return out, slipway.Invalid(fmt.Sprint(*o.WeightedCapacity), "weightedCapacity", "It must be 1 to 999.")
	case o.Priority != nil && !(*o.Priority >= 0):
		return out, slipway.Invalid(fmt.Sprint(*o.Priority), "priority", "It must be at least 0.")
	}
	return out, nil
}
