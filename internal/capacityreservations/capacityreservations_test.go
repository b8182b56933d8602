package capacityreservations_test

import (
	"slipway/internal/apitest"
	"testing"
	"time"
)

func TestCapacityReservationsKeepRoom(t *testing.T) {
	w := apitest.New(t)
	before := w.Ledger()
	reserve := []string{"InstanceType", "m5.large", "InstancePlatform", "Linux/UNIX", "AvailabilityZone", "us-east-1a"}
	open := w.Must("capacityReservationId", "CreateCapacityReservation", append(reserve, "InstanceCount", "2")...)
	targeted := w.Must("capacityReservationId", "CreateCapacityReservation",
		append(reserve, "InstanceCount", "1", "InstanceMatchCriteria", "targeted")...)
	if got := w.Ledger(); got[0] != before[0]+3 || got[1] != before[1]+6 {
		t.Errorf("three reserved m5.large are charged as %v, before %v", got, before)
	}
	free := func(id string) string {
		return w.Must("availableInstanceCount", "DescribeCapacityReservations", "CapacityReservationId.1", id)
	}
	in := func(id string) string {
		return apitest.First(w.Call("DescribeInstances", "InstanceId.1", id).Body, "capacityReservationId")
	}
	zone := []string{"Placement.AvailabilityZone", "us-east-1a"}
	a := w.Launch("m5.large", zone...)
	if in(a) != open || free(open) != "1" || free(targeted) != "1" {
		t.Errorf("an open launch runs in %q; free are %s and %s", in(a), free(open), free(targeted))
	}
	if got := w.Ledger(); got[0] != before[0]+3 {
		t.Errorf("an instance in a reservation is charged again: %v", got)
	}
	none := w.Launch("m5.large", append(zone, "CapacityReservationSpecification.CapacityReservationPreference", "none")...)
	other := w.Launch("m5.xlarge", zone...)
	if in(none) != "" || in(other) != "" {
		t.Errorf("a launch that wants none runs in %q, one of another type in %q", in(none), in(other))
	}
	b := w.Launch("m5.large",
		append(zone, "CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId", targeted)...)
	if in(b) != targeted || free(targeted) != "0" {
		t.Errorf("a launch that names its reservation runs in %q", in(b))
	}
	run := func(more ...string) apitest.Answer {
		return w.Call("RunInstances",
			append([]string{
				"ImageId", w.Image(), "InstanceType", "m5.large", "MinCount", "1", "MaxCount", "1",
				"Placement.AvailabilityZone", "us-east-1a",
			}, more...)...)
	}
	for name, tt := range map[string]struct {
		code string
		more []string
	}{
		"a full reservation": {"ReservationCapacityExceeded",
			[]string{"CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId", targeted}},
		"reserved capacity or none, for two": {"ReservationCapacityExceeded",
			[]string{"CapacityReservationSpecification.CapacityReservationPreference", "capacity-reservations-only",
				"MinCount", "2"}},
		"an unknown one": {"InvalidCapacityReservationId.NotFound",
			[]string{
				"CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId", "cr-0123456789abcdef0",
			}},
		"a malformed one": {"InvalidCapacityReservationId.Malformed",
			[]string{"CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId", "cr-1"}},
		"a preference and one": {"InvalidParameterCombination",
			[]string{
				"CapacityReservationSpecification.CapacityReservationPreference", "none",
				"CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId", open,
			}},
		"an unknown preference": {"InvalidParameterValue",
			[]string{"CapacityReservationSpecification.CapacityReservationPreference", "perhaps"}},
	} {
		params := map[string]string{
			"ImageId": w.Image(), "InstanceType": "m5.large", "MinCount": "1", "MaxCount": "2",
			"Placement.AvailabilityZone": "us-east-1a",
		}
		for i := 0; i+1 < len(tt.more); i += 2 {
			params[tt.more[i]] = tt.more[i+1]
		}
		var list []string
		for k, v := range params {
			list = append(list, k, v)
		}
		if a := w.Call("RunInstances", list...); a.Code != tt.code {
			t.Errorf("%s: %d %s %s, want %s", name, a.Status, a.Code, a.Message, tt.code)
		}
	}
	// The last free place of the open one, then on-demand.
	mixed := run()
	if got := apitest.First(mixed.Body, "capacityReservationId"); got != open {
		t.Errorf("the second open launch runs in %q", got)
	}
	w.Must("return", "CancelCapacityReservation", "CapacityReservationId", open)
	if a := w.Call("CancelCapacityReservation", "CapacityReservationId", open); a.Code != "IncorrectState" {
		t.Errorf("cancelled twice: %s", a.Code)
	}
	w.Terminate(a, b, none, other, apitest.First(mixed.Body, "instanceId"))
	if got, want := w.Ledger(), before[0]+1; got[0] != want {
		t.Errorf("with all instances gone and one targeted reservation left, the ledger says %v, want %d instances", got, want)
	}
	w.Must("return", "ModifyCapacityReservation", "CapacityReservationId", targeted, "EndDateType", "limited",
		"EndDate", time.Now().Add(1500*time.Millisecond).UTC().Format(time.RFC3339Nano))
	w.Eventually("the reservation has expired", func() bool {
		return w.Must("state", "DescribeCapacityReservations", "CapacityReservationId.1", targeted) == "expired"
	})
	if got := w.Ledger(); got != before {
		t.Errorf("after everything the ledger says %v, before %v", got, before)
	}
}
