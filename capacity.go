package slipway

import (
	"math"
	"strconv"
	"time"
)

// CapacityReservation keeps room for instances of one type in a zone. What it keeps is charged to the hosts' ledgers
// while it is active, used or not.
type CapacityReservation struct {
	ID              CapacityReservationID
	Account, Region string
	Zone            string
	Type            string
	Platform        string
	Tenancy         string
	Hosts           map[HostID]int // how many instances each host keeps room for
	Targeted        bool           // only launches that name it use it; else every launch that fits
	EBSOptimized    bool           `json:",omitempty"`
	State           CapacityReservationState
	Created         time.Time
	Ends            time.Time `json:",omitzero"` // zero: when it is cancelled
	Tags            Tags      `json:",omitempty"`
}

// Total is how many instances it keeps room for.
func (c *CapacityReservation) Total() int {
	n := 0
	for _, k := range c.Hosts {
		n += k
	}
	return n
}

// DedicatedHost is a machine's share that one account has to itself. Its capacity is that of the largest type of its family.
type DedicatedHost struct {
	ID              DedicatedHostID
	Account, Region string
	Zone            string
	Host            HostID // the operator's machine that it is on
	Type            string // the one type that it runs; empty: all of Family
	Family          string
	AutoPlacement   string // on | off: whether launches that name no host land here
	Recovery        string // on | off
	Maintenance     string // on | off
	Allocated       time.Time
	Released        time.Time `json:",omitzero"` // it carries nothing any more and is shown for a while
	Tags            Tags      `json:",omitempty"`
}

// VCPUs is what a host of the family carries.
func (h *DedicatedHost) VCPUs() int32 {
	var most int32
	for _, t := range InstanceTypes() {
		if t.Family() == h.Family {
			most = max(most, t.VCPUs)
		}
	}
	return most
}

// Runs says whether the host takes instances of the type.
func (h *DedicatedHost) Runs(t *InstanceType) bool {
	if h.Type != "" {
		return h.Type == t.Name
	}
	return h.Family == t.Family()
}

// SpotRequest asks for one spot instance. A persistent one asks again whenever its instance is gone or stopped.
type SpotRequest struct {
	ID              SpotRequestID
	Account, Region string
	State           SpotRequestState
	Status          string // fulfilled, price-too-low, capacity-not-available …
	StatusAt        time.Time
	Options         SpotOptions
	Spec            LaunchSpec // one instance
	Instance        InstanceID `json:",omitempty"`
	Zone            string     `json:",omitempty"`
	Created         time.Time
	Tags            Tags `json:",omitempty"`
}

// Become changes state and status together, or refuses a change that cannot happen. A request begins with any state.
func (r *SpotRequest) Become(to SpotRequestState, status string, at time.Time) error {
	if r.State == "" {
		r.State = to
	}
	if err := become(&r.State, to, spotRequestChanges, string(r.ID)); err != nil {
		return err
	}
	r.Status, r.StatusAt = status, at
	return nil
}

// SpotPrice is what spot capacity of a type costs, in dollars an hour. Nobody bids here, so it never moves: a third of
// a made-up price by size.
func SpotPrice(t *InstanceType) float64 {
	price := (float64(t.VCPUs)*0.012 + float64(t.MemoryMiB)/1024*0.003) / 3
	return math.Round(price*1e4) / 1e4
}

// PriceText is a price as EC2 writes it.
func PriceText(p float64) string { return strconv.FormatFloat(p, 'f', 6, 64) }
