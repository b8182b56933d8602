package slipway

import "testing"

func TestVolumesThatBurst(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   Volume
		want int32
	}{
		{"a small gp2 has credit", Volume{Type: "gp2", IOPS: 100}, 3000},
		{"a gp2 whose size gives it as much has none", Volume{Type: "gp2", IOPS: 3000}, 0},
		{"what is provisioned is all there is", Volume{Type: "io1", IOPS: 100}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.in.BurstIOPS(); got != tt.want {
				t.Errorf("BurstIOPS = %d, want %d", got, tt.want)
			}
		})
	}
}
