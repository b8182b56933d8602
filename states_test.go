package slipway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// kind is one kind's table and its Become, in strings.
type kind struct {
	name   string
	table  map[string][]string
	become func(from, to string) (string, error)
}

func kindOf[S ~string](name string, lawful changes[S], become func(from S, to S) (S, error)) kind {
	table := map[string][]string{}
	for from, next := range lawful {
		table[string(from)] = []string{}
		for _, to := range next {
			table[string(from)] = append(table[string(from)], string(to))
		}
	}
	return kind{name, table, func(from, to string) (string, error) {
		s, err := become(S(from), S(to))
		return string(s), err
	}}
}

var kinds = []kind{
	kindOf("instance", instanceChanges, func(from, to State) (State, error) {
		in := &Instance{InstanceStatus: InstanceStatus{State: from}}
		err := in.Become(to, Reason{Code: "why"})
		if err == nil && from != to && in.Reason.Code != "why" {
			err = fmt.Errorf("the reason is not kept")
		}
		return in.State, err
	}),
	kindOf("volume", volumeChanges, func(from, to VolumeState) (VolumeState, error) {
		v := &Volume{State: from}
		err := v.Become(to)
		return v.State, err
	}),
	kindOf("volume attachment", volumeAttachmentChanges, func(from, to VolumeAttachmentState) (VolumeAttachmentState, error) {
		a := &VolumeAttachment{State: from}
		err := a.Become(to)
		return a.State, err
	}),
	kindOf("modification", modificationChanges, func(from, to ModificationState) (ModificationState, error) {
		m := &Modification{State: from}
		err := m.Become(to)
		return m.State, err
	}),
	kindOf("snapshot", snapshotChanges, func(from, to SnapshotState) (SnapshotState, error) {
		s := &Snapshot{State: from}
		err := s.Become(to)
		return s.State, err
	}),
	kindOf("image", imageChanges, func(from, to ImageState) (ImageState, error) {
		im := &Image{State: from}
		err := im.Become(to)
		return im.State, err
	}),
	kindOf("import", importChanges, func(from, to ImportState) (ImportState, error) {
		t := &ImportTask{State: from}
		err := t.Become(to)
		return t.State, err
	}),
	kindOf("NAT gateway", natGatewayChanges, func(from, to NATGatewayState) (NATGatewayState, error) {
		g := &NATGateway{State: from}
		err := g.Become(to)
		return g.State, err
	}),
	kindOf("peering", peeringChanges, func(from, to PeeringState) (PeeringState, error) {
		p := &Peering{Status: from}
		err := p.Become(to)
		return p.Status, err
	}),
	kindOf("prefix list", prefixListChanges, func(from, to PrefixListState) (PrefixListState, error) {
		l := &PrefixList{State: from}
		err := l.Become(to)
		return l.State, err
	}),
	kindOf("capacity reservation", capacityReservationChanges,
		func(from, to CapacityReservationState) (CapacityReservationState, error) {
			c := &CapacityReservation{State: from}
			err := c.Become(to)
			return c.State, err
		}),
	kindOf("spot request", spotRequestChanges, func(from, to SpotRequestState) (SpotRequestState, error) {
		r := &SpotRequest{State: from}
		err := r.Become(to, "status", time.Unix(1, 0))
		if (err == nil) != (r.Status == "status") {
			err = fmt.Errorf("state and status part: %v", err)
		}
		return r.State, err
	}),
}

// TestStatesChangeAsTheirTablesSay walks every table: each change that is there is made, each other is refused and
// leaves the state as it was.
func TestStatesChangeAsTheirTablesSay(t *testing.T) {
	for _, k := range kinds {
		var all []string
		for from, next := range k.table {
			all = append(append(all, from), next...)
		}
		slices.Sort(all)
		all = slices.Compact(all)
		for _, from := range all {
			for _, to := range all {
				got, err := k.become(from, to)
				if from == to || slices.Contains(k.table[from], to) {
					if err != nil || got != to {
						t.Errorf("%s: from %s to %s: %s, %v", k.name, from, to, got, err)
					}
				} else if err == nil || got != from || !strings.Contains(err.Error(), to) {
					t.Errorf("%s: from %s to %s, which is not in its table: %s, %v", k.name, from, to, got, err)
				}
			}
		}
		// Nothing is stuck: from every state some end can be reached.
		for _, from := range all {
			seen, open := map[string]bool{}, []string{from}
			ends := false
			for len(open) > 0 {
				at := open[0]
				if open = open[1:]; seen[at] {
					continue
				}
				seen[at] = true
				ends = ends || len(k.table[at]) == 0
				open = append(open, k.table[at]...)
			}
			if !ends && k.name != "volume attachment" { // an attachment's end is that it is no more
				t.Errorf("%s: from %s there is no end", k.name, from)
			}
		}
	}
}
