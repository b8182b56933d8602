package placement

import (
	"maps"
	"slices"

	"slipway"
)

// choosePartitions fills a group's partitions evenly, or the one that is asked for. Partitions do not share hosts where there
// are enough; on fewer, a host stands for many racks, and takes of another partition only what no other host has room for.
func choosePartitions(all []Host, r Request) Choice {
	c := Choice{Refused: map[slipway.HostID]string{}}
	var hosts []Host
	members := map[int32]int{}
	for _, h := range all {
		if why := unfit(h, r); why != "" {
			c.Refused[h.ID] = why
			continue
		}
		h.Partitions = maps.Clone(h.Partitions)
		if h.Partitions == nil {
			h.Partitions = map[int32]int{}
		}
		for p, n := range h.Partitions {
			members[p] += n
		}
		hosts = append(hosts, h)
	}
	strict := len(hosts) >= int(r.Partitions)
	open := []int32{r.Partition}
	if r.Partition == 0 {
		open = open[:0]
		for p := range r.Partitions {
			open = append(open, p+1)
		}
	}
	for len(c.Hosts) < r.Max && len(open) > 0 {
		p := slices.MinFunc(open, func(a, b int32) int { return members[a] - members[b] })
		h := hostFor(hosts, r, p, strict, c.Refused)
		if h == nil {
			open = slices.DeleteFunc(open, func(o int32) bool { return o == p })
			continue
		}
		h.VCPUs -= r.VCPUs
		h.MemoryMiB -= r.MemoryMiB
		h.Mates++
		h.took++
		h.Partitions[p]++
		members[p]++
		c.Hosts, c.Partitions = append(c.Hosts, h.ID), append(c.Partitions, p)
	}
	return c
}

// hostFor is the host with fewest members of other partitions, and among those the one with most room.
func hostFor(hosts []Host, r Request, p int32, strict bool, refused map[slipway.HostID]string) *Host {
	var best *Host
	foreign := func(h *Host) int { return h.Mates - h.Partitions[p] }
	for i := range hosts {
		h := &hosts[i]
		if why := short(*h, r); why != "" {
			refused[h.ID] = why
			continue
		}
		if strict && foreign(h) > 0 {
			refused[h.ID] = "holds another partition of the placement group"
			continue
		}
		if best == nil || foreign(h) < foreign(best) || foreign(h) == foreign(best) && roomier(*h, *best) {
			best = h
		}
	}
	return best
}
