package qemu

import (
	"bytes"
	"testing"

	"slipway"
	"slipway/internal/qemuargs"
	"slipway/internal/qmp"
)

func TestSlotsRunOut(t *testing.T) {
	r := record{Slots: map[string]int{}}
	for i := range qemuargs.Slots {
		if err := r.place(string(slipway.NewVolumeID())); err != nil {
			t.Fatalf("device %d: %v", i, err)
		}
	}
	if err := r.place("one more"); err == nil {
		t.Error("place in a full machine: got no error")
	}
}

func FuzzBy(f *testing.F) {
	f.Add([]byte(`{"guest": true, "reason": "guest-shutdown"}`))
	f.Add([]byte(`{"guest": 1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if by(qmp.Message{Data: b}).Guest && !bytes.Contains(b, []byte("true")) {
			t.Errorf("%q is taken for the guest's doing", b)
		}
	})
}
