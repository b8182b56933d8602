package admission

import (
	"iter"

	"slipway"
	"slipway/internal/launchspec"
	"slipway/internal/placement"
	"slipway/internal/state"
)

// maxSpread is how many instances of a spread group a zone takes, as in EC2.
const maxSpread = 7

// findGroup is the placement group that the launch joins.
func (l *launch) findGroup() error {
	p := l.spec.Placement
	if p.Partition != 0 && p.GroupName == "" && p.GroupID == "" {
		return slipway.Errorf(slipway.InvalidParameterCombination, "The parameter partitionNumber requires a placement group")
	}
	switch {
	case p.GroupName != "":
		l.group = state.PlacementGroups.See(l.tx, l.scope, p.GroupName)
	case p.GroupID != "":
		for g := range state.PlacementGroups.All(l.tx, l.scope) {
			if g.ID == p.GroupID {
				l.group = g
			}
		}
	default:
		return nil
	}
	if l.group == nil {
		return state.PlacementGroups.Absent(p.GroupName + string(p.GroupID))
	}
	if p.Partition != 0 && (l.group.Strategy != "partition" || p.Partition < 1 || p.Partition > l.group.Partitions) {
		return slipway.Errorf(slipway.InvalidParameterValue,
			"Value (%d) for parameter partitionNumber is invalid. The group '%s' has %d partitions.", p.Partition,
			l.group.Name, l.group.Partitions)
	}
	return CheckStrategy(l.kind, l.group)
}

// mates are the instances of the launch's placement group.
func (l *launch) mates() iter.Seq[*slipway.Instance] {
	return state.Instances.By(l.tx, l.scope, "pg/"+string(l.group.ID))
}

// matesByHost counts the mates in the launch's zone, all and by partition.
func (l *launch) matesByHost() (map[slipway.HostID]int, map[slipway.HostID]map[int32]int) {
	count, partitions := map[slipway.HostID]int{}, map[slipway.HostID]map[int32]int{}
	if l.group == nil {
		return count, partitions
	}
	for in := range l.mates() {
		if in.Zone != l.zone.Name {
			continue // a host may serve several zones, which stand for different racks
		}
		count[in.Host]++
		if partitions[in.Host] == nil {
			partitions[in.Host] = map[int32]int{}
		}
		partitions[in.Host][in.Placement.Partition]++
	}
	return count, partitions
}

// clusterZone is where a cluster lies already; "" while it has no instances, and for the other strategies.
func (l *launch) clusterZone() string {
	if l.group != nil && l.group.Strategy == "cluster" {
		for in := range l.mates() {
			return in.Zone
		}
	}
	return ""
}

// join asks of the choice of hosts what the placement group promises.
func (l *launch) join(r *placement.Request) error {
	if l.group == nil {
		return nil
	}
	// Written as it is: launches into one group, and its deletion, must see each other.
	if err := state.PlacementGroups.Put(l.tx, l.group); err != nil {
		return err
	}
	switch l.group.Strategy {
	case "cluster":
		if zone := l.clusterZone(); zone != "" && zone != l.zone.Name {
			return launchspec.Combination("The placement group '%s' lies in the Availability Zone %s: a cluster "+
				"cannot span zones.",
				l.group.Name, zone)
		}
		r.Together = true
	case "spread":
		r.Apart, r.PerHost = true, l.s.cfg.SpreadPerHost
		if l.group.SpreadLevel == "host" {
			r.PerHost = 1
			return nil
		}
		count, _ := l.matesByHost()
		there := 0
		for _, n := range count {
			there += n
		}
		if r.Max = min(r.Max, maxSpread-there); r.Max < int(l.spec.Min) {
			return slipway.Errorf(slipway.InsufficientInstanceCapacity,
				"The spread placement group '%s' has %d instances in the Availability Zone %s, of at most %d. "+
					"Choose another zone or group.",
				l.group.Name, there, l.zone.Name, maxSpread)
		}
	case "partition":
		r.Partitions, r.Partition = l.group.Partitions, l.spec.Placement.Partition
	}
	return nil
}
