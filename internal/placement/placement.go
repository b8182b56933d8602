// Package placement chooses hosts for a launch. It is a pure function of the hosts and the request: the instances room calls
// it inside a transaction. It must not read the store, the clock or the network.
package placement

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"

	"slipway"
)

// Host is one candidate with what is left of it.
type Host struct {
	ID        slipway.HostID
	Zones     []string // zone letters that it serves
	VCPUs     int      // free
	MemoryMiB int      // free
	NoUEFI    string   // what it lacks to boot by UEFI
	Mates     int      // members of the request's placement group that are there already
	// Partitions are those members by their partition.
	Partitions map[int32]int
	took       int // of the launch that is being placed
}

// Request is a launch as placement sees it.
type Request struct {
	ZoneLetter string
	VCPUs      int // of one instance
	MemoryMiB  int
	UEFI       bool
	Max        int
	PerHost    int  // at most so many of the group on one host (spread); 0: no limit
	Together   bool // cluster: as few hosts as possible
	Apart      bool // spread: hosts with fewest of the group first
	// Partitions is how many the group has; 0: it has none. Partition is the one asked for; 0: they are filled evenly.
	Partitions, Partition int32
}

// Choice is where the instances go, at most Max of them, and why each host took no more.
type Choice struct {
	Hosts      []slipway.HostID
	Partitions []int32 // of each instance, in a group of partitions
	Refused    map[slipway.HostID]string
}

// Choose spreads instances over the hosts with most room, or packs them when they want to be together. Equal hosts go by id.
func Choose(hosts []Host, r Request) Choice {
	if r.Partitions > 0 {
		return choosePartitions(hosts, r)
	}
	c := Choice{Refused: map[slipway.HostID]string{}, Hosts: make([]slipway.HostID, 0, r.Max)}
	q := &queue{together: r.Together, apart: r.Apart}
	for _, h := range hosts {
		if why := cmp.Or(unfit(h, r), short(h, r)); why != "" {
			c.Refused[h.ID] = why
			continue
		}
		q.hosts = append(q.hosts, h)
	}
	heap.Init(q)
	for len(c.Hosts) < r.Max && q.Len() > 0 {
		h := &q.hosts[0]
		c.Hosts = append(c.Hosts, h.ID)
		h.VCPUs -= r.VCPUs
		h.MemoryMiB -= r.MemoryMiB
		h.Mates++
		h.took++
		if why := short(*h, r); why != "" {
			c.Refused[h.ID] = why
			heap.Pop(q)
			continue
		}
		heap.Fix(q, 0)
	}
	return c
}

// unfit says why a host is none for the request, however much room it has.
func unfit(h Host, r Request) string {
	switch {
	case !slices.Contains(h.Zones, r.ZoneLetter):
		return "serves other zones"
	case r.UEFI:
		return h.NoUEFI
	}
	return ""
}

// short says what a host lacks for one more instance; "" when it has room.
func short(h Host, r Request) string {
	took := ""
	if h.took > 0 {
		took = fmt.Sprintf(", once it has taken %d of this launch", h.took)
	}
	switch {
	case h.VCPUs < r.VCPUs:
		return fmt.Sprintf("too few vCPUs: %d free%s; an instance asks for %d", max(h.VCPUs, 0), took, r.VCPUs)
	case h.MemoryMiB < r.MemoryMiB:
		return fmt.Sprintf("too little memory: %d MiB free%s; an instance asks for %d MiB", max(h.MemoryMiB, 0), took, r.MemoryMiB)
	case r.PerHost > 0 && h.Mates >= r.PerHost:
		return fmt.Sprintf("holds %d of the placement group's instances, the strategy's limit", h.Mates)
	}
	return ""
}

type queue struct {
	hosts           []Host
	together, apart bool
}

func (q *queue) Len() int      { return len(q.hosts) }
func (q *queue) Swap(i, j int) { q.hosts[i], q.hosts[j] = q.hosts[j], q.hosts[i] }
func (q *queue) Push(any)      {}
func (q *queue) Pop() any {
	last := q.hosts[len(q.hosts)-1]
	q.hosts = q.hosts[:len(q.hosts)-1]
	return last
}

func (q *queue) Less(i, j int) bool {
	a, b := q.hosts[i], q.hosts[j]
	if q.together && a.Mates != b.Mates {
		return a.Mates > b.Mates
	}
	if q.apart && a.Mates != b.Mates {
		return a.Mates < b.Mates
	}
	return roomier(a, b)
}

// roomier says whether a goes before b for the room that is left.
func roomier(a, b Host) bool {
	if a.MemoryMiB != b.MemoryMiB {
		return a.MemoryMiB > b.MemoryMiB
	}
	return cmp.Or(cmp.Compare(b.VCPUs, a.VCPUs), cmp.Compare(a.ID, b.ID)) < 0
}
