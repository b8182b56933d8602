package regions_test

import (
	"strings"
	"testing"

	"slipway/internal/apitest"
)

// TestRegionsHaveTheirZones: a region has as many zones as EC2's, under its letters, and as many default subnets.
func TestRegionsHaveTheirZones(t *testing.T) {
	w := apitest.New(t)
	for region, want := range map[string]string{
		"us-east-1": "a:use1-az1 b:use1-az2 c:use1-az3 d:use1-az4 e:use1-az5 f:use1-az6", "us-west-1": "a:usw1-az1 c:usw1-az3",
		"eu-west-1": "a:euw1-az1 b:euw1-az2 c:euw1-az3", "us-west-2": "a:usw2-az1 b:usw2-az2 c:usw2-az3 d:usw2-az4",
	} {
		there := *w
		there.Region = region
		var got []string
		names, ids := texts(there.Call("DescribeAvailabilityZones").Body, "zoneName"),
			texts(there.Call("DescribeAvailabilityZones").Body, "zoneId")
		for i := range names {
			got = append(got, strings.TrimPrefix(names[i], region)+":"+ids[i])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has %v, want %s", region, got, want)
		}
		if n := len(texts(there.Call("DescribeSubnets").Body, "subnetId")); n != len(names) {
			t.Errorf("%s has %d zones and %d default subnets", region, len(names), n)
		}
	}
}

// texts are what stands in all elements of a name.
func texts(body, element string) []string {
	var out []string
	for _, part := range strings.Split(body, "<"+element+">")[1:] {
		text, _, _ := strings.Cut(part, "<")
		out = append(out, text)
	}
	return out
}

// TestRegionsSayWhetherTheyNeedOptingIn: those of after 2019 do, and are opted into here.
func TestRegionsSayWhetherTheyNeedOptingIn(t *testing.T) {
	w := apitest.New(t)
	for region, want := range map[string]string{
		"us-east-1": "opt-in-not-required", "eu-north-1": "opt-in-not-required", "af-south-1": "opted-in", "me-central-1": "opted-in",
	} {
		apitest.Shows(t, w.Call("DescribeRegions", "RegionName.1", region, "Filter.1.Name", "opt-in-status", "Filter.1.Value.1",
			want).Body, "optInStatus", want)
	}
}
