package slipway

import "testing"

func TestCatalogueIsWhole(t *testing.T) {
	if n := len(InstanceTypes()); n != 1373 {
		t.Errorf("%d instance types, want EC2's 1373", n)
	}
	m5 := FindInstanceType("m5d.large")
	if m5 == nil || m5.VCPUs != 2 || m5.MemoryMiB != 8192 || len(m5.Disks) != 1 || m5.Disks[0].SizeGB != 75 ||
		m5.Classic || m5.BandwidthGbps != 0.75 {
		t.Errorf("m5d.large is not what EC2 publishes: %s", m5.Published)
	}

	for name, launchable := range map[string]bool{
		"m5d.large": true, "m7g.large": true, "m5.metal": false, "g5.xlarge": false, "p5.48xlarge": false, "f2.6xlarge": false,
		"inf1.xlarge": false, "trn1.2xlarge": false, "vt1.3xlarge": false, "mac2.metal": false,
	} {
		switch kind := FindInstanceType(name); {
		case kind == nil:
			t.Errorf("%s is not in the catalogue", name)
		case (kind.Launchable() == nil) != launchable:
			t.Errorf("%s: %v", name, kind.Launchable())
		}
	}
}
