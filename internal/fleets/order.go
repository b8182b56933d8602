package fleets

import (
	"cmp"
	"math"
	"slices"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// order is in which order the pools are asked, by the strategy; equal ones stay in the request's order.
func (s *Service) order(r store.Reader, f *slipway.Fleet, options slipway.FleetOptions, target int32) []int {
	price, priority, room := make([]float64, len(f.Pools)), make([]float64, len(f.Pools)), make([]float64, len(f.Pools))
	order := make([]int, len(f.Pools))
	for i := range f.Pools {
		o := &f.Pools[i].Override
		order[i], price[i], priority[i] = i, math.Inf(1), math.Inf(1)
		if o.Priority != nil {
			priority[i] = *o.Priority
		}
		// On-demand capacity costs three times as much here, whatever the type: the order is the same.
		if t := slipway.FindInstanceType(o.Type); t != nil {
			price[i], room[i] = slipway.SpotPrice(t)/o.Units(), s.room(r, f, o, t)*o.Units()
		}
		// Beyond the target more room is no better.
		if options.Strategy != capacityOptimized {
			room[i] = min(room[i], float64(target))
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch options.Strategy {
		case prioritized:
			return cmp.Compare(priority[a], priority[b])
		case capacityOptimized:
			return cmp.Compare(room[b], room[a])
		case capacityPrioritized:
			return cmp.Or(cmp.Compare(room[b], room[a]), cmp.Compare(priority[a], priority[b]))
		case priceCapacity:
			return cmp.Or(cmp.Compare(room[b], room[a]), cmp.Compare(price[a], price[b]))
		}
		return cmp.Compare(price[a], price[b])
	})
	return order
}

// room is how many instances the hosts of the pool's zone have place for.
func (s *Service) room(r store.Reader, f *slipway.Fleet, o *slipway.FleetOverride, t *slipway.InstanceType) float64 {
	letter := ""
	if zone := zoneOf(r, f, o); zone != "" {
		letter = zone[len(zone)-1:]
	}
	n := 0
	for _, h := range s.admission.Room(r) {
		if letter == "" || slices.Contains(h.Zones, letter) {
			n += max(0, min(h.VCPUs/int(t.VCPUs), h.MemoryMiB/int(t.MemoryMiB)))
		}
	}
	return float64(n)
}

// zoneOf is the zone that the override fixes; "" if it fixes none that there is.
func zoneOf(r store.Reader, f *slipway.Fleet, o *slipway.FleetOverride) string {
	if subnet := state.Subnets.See(r, scopeOf(f), string(o.Subnet)); o.Subnet != "" && subnet != nil {
		return subnet.Zone
	}
	z, _ := slipway.FindZone(f.Region, cmp.Or(o.Zone, o.ZoneID))
	return z.Name
}
