package main

import (
	"testing"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// "We choose a default subnet for you" means one that has room.
func TestADefaultSubnetIsChosenThatHasRoom(t *testing.T) {
	w := newWire(t)
	launch := func(count string, more ...string) answer {
		return w.call("RunInstances", append([]string{"ImageId", w.image(), "InstanceType", "t3.nano", "MinCount", count, "MaxCount", count}, more...)...)
	}
	one := launch("1")
	if zone := first(one.body, "availabilityZone"); zone != "us-east-1a" {
		t.Fatalf("an empty region launches in %s", zone)
	}
	fill := func(zone string, leave int) {
		t.Helper()
		err := w.db.Store.Update(t.Context(), func(tx store.Tx) error {
			for s := range state.Subnets.All(tx, state.Scope{Account: w.keys.Account, Region: "us-east-1"}) {
				if s.Zone != zone || !s.DefaultForZone {
					continue
				}
				scope := state.Scope{Account: s.Account, Region: s.Region}
				left := 1<<(32-s.CIDR.Bits()) - 5 - leave
				ip := s.CIDR.Addr().Next().Next().Next()
				for range left {
					ip = ip.Next()
					if err := state.InUse.Put(tx, &state.Use{Scope: scope, ID: state.AddressKey(string(s.ID), ip), By: "test"}); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	fill("us-east-1a", 3)
	if a := launch("10"); first(a.body, "availabilityZone") != "us-east-1b" {
		t.Errorf("ten instances that do not fit the first zone: %s %s", a.code, first(a.body, "availabilityZone"))
	}
	if a := launch("10", "Placement.AvailabilityZone", "us-east-1a"); a.code != "InsufficientFreeAddressesInSubnet" {
		t.Errorf("in the full zone by name: %q", a.code)
	}
	for _, zone := range slipway.Zones("us-east-1")[1:] {
		fill(zone.Name, 0)
	}
	before := countInstances(w)
	if a := launch("10"); a.code != "InsufficientFreeAddressesInSubnet" {
		t.Errorf("no zone has room: %q", a.code)
	}
	if after := countInstances(w); after != before {
		t.Errorf("a refused launch left %d instances", after-before)
	}
}

func countInstances(w *wire) (n int) {
	for range state.Instances.All(w.db.Local(), state.Scope{Account: w.keys.Account, Region: "us-east-1"}) {
		n++
	}
	return n
}
