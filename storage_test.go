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

// TestValidDevice: whole disks of an HVM instance, and the root that is called sda1.
func TestValidDevice(t *testing.T) {
	for name, want := range map[string]bool{
		"/dev/sda1": true, "/dev/sdf": true, "sdf": true, "/dev/xvda": true, "xvdf": true, "/dev/xvdba": true,
		"/dev/sdi1": false, "/dev/sdf15": false, "/dev/xvda1": false, "/dev/nvme1n1": false, "/dev/tty": false, "": false,
	} {
		if got := ValidDevice(name); got != want {
			t.Errorf("ValidDevice(%q) = %v, want %v", name, got, want)
		}
	}
}
