package instances_test

import (
	"testing"

	"slipway"
	"slipway/internal/apitest"
	"slipway/internal/state"
	"slipway/internal/store"
)

// "We choose a default subnet for you" means one that has room.
func TestADefaultSubnetIsChosenThatHasRoom(t *testing.T) {
	w := apitest.New(t)
	launch := func(count string, more ...string) apitest.Answer {
		return w.Call("RunInstances",
			append([]string{"ImageId", w.Image(), "InstanceType", "t3.nano", "MinCount", count, "MaxCount", count}, more...)...)
	}
	one := launch("1")
	if zone := apitest.First(one.Body, "availabilityZone"); zone != "us-east-1a" {
		t.Fatalf("an empty region launches in %s", zone)
	}
	fill := func(zone string, leave int) {
		t.Helper()
		err := w.DB.Store.Update(t.Context(), func(tx store.Tx) error {
			for s := range state.Subnets.All(tx, state.Scope{Account: w.Keys.Account, Region: "us-east-1"}) {
				if s.Zone != zone || !s.DefaultForZone {
					continue
				}
				scope := state.Scope{Account: s.Account, Region: s.Region}
				left := 1<<(32-s.CIDR.Bits()) - 5 - leave
				ip := s.CIDR.Addr().Next().Next().Next()
				for range left {
					ip = ip.Next()
					if err := state.InUse.Put(tx,
						&state.Use{Scope: scope, ID: state.AddressKey(string(s.ID), ip), By: "test"}); err != nil {
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
	if a := launch("10"); apitest.First(a.Body, "availabilityZone") != "us-east-1b" {
		t.Errorf("ten instances that do not fit the first zone: %s %s", a.Code, apitest.First(a.Body, "availabilityZone"))
	}
	if a := launch("10", "Placement.AvailabilityZone", "us-east-1a"); a.Code != "InsufficientFreeAddressesInSubnet" {
		t.Errorf("in the full zone by name: %q", a.Code)
	}
	for _, zone := range slipway.Zones("us-east-1")[1:] {
		fill(zone.Name, 0)
	}
	before := countInstances(w)
	if a := launch("10"); a.Code != "InsufficientFreeAddressesInSubnet" {
		t.Errorf("no zone has room: %q", a.Code)
	}
	if after := countInstances(w); after != before {
		t.Errorf("a refused launch left %d instances", after-before)
	}
}

func countInstances(w *apitest.Wire) (n int) {
	for range state.Instances.All(w.DB.Local(), state.Scope{Account: w.Keys.Account, Region: "us-east-1"}) {
		n++
	}
	return n
}
