package slipway

import (
	"encoding/json"
	"strings"
	"testing"
)

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

// TestImagesOfBeforeKeepTheirUser: a tag of ours said who logs in; it is no tag any more, and nobody is lost.
func TestImagesOfBeforeKeepTheirUser(t *testing.T) {
	var im Image
	old := `{"ID":"ami-1","Tags":{"aws:slipway:user":"debian","Name":"n"},"Architecture":"x86_64","Public":true}`
	if err := json.Unmarshal([]byte(old), &im); err != nil {
		t.Fatal(err)
	}
	if im.User != "debian" || len(im.Tags) != 1 || im.Architecture != "x86_64" || !im.Public {
		t.Errorf("read as %+v", im)
	}
	b, err := json.Marshal(&im)
	if err != nil || strings.Contains(string(b), "aws:slipway") || !strings.Contains(string(b), `"User":"debian"`) {
		t.Errorf("written as %s %v", b, err)
	}
}
