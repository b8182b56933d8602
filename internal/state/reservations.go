package state

import (
	"net/netip"

	"slipway"
	"slipway/internal/store"
)

// SubnetReservation is a range of a subnet of which nothing is given out by itself: prefixes come from it, or what callers
// name.
type SubnetReservation struct {
	Scope       Scope
	ID          string // "scr-0123456789abcdef0"
	Subnet      slipway.SubnetID
	CIDR        netip.Prefix
	Type        string       // ReservedPrefixes | ReservedExplicitly
	Description string       `json:",omitempty"`
	Tags        slipway.Tags `json:",omitempty"`
}

// The types of reservations.
const (
	ReservedPrefixes   = "prefix"
	ReservedExplicitly = "explicit"
)

// SubnetReservations are found by "subnet/ID".
var SubnetReservations = &Table[SubnetReservation]{kind: "scr",
	key:    func(v *SubnetReservation) (Scope, string) { return v.Scope, v.ID },
	terms:  func(v *SubnetReservation) []string { return append(tagTerms(v.Tags), "subnet/"+string(v.Subnet)) },
	absent: notFound(slipway.InvalidSubnetCidrReservationIDNotFound, "The subnet CIDR reservation ID '%s' does not exist")}

// ReservationsIn are those of a subnet.
func ReservationsIn(r store.Reader, sub *slipway.Subnet) []*SubnetReservation {
	var out []*SubnetReservation
	for v := range SubnetReservations.By(r, Scope{sub.Account, sub.Region}, "subnet/"+string(sub.ID)) {
		out = append(out, v)
	}
	return out
}
