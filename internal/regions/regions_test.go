package regions_test

import (
	"strings"
	"testing"

	"slipway"
	"slipway/internal/apitest"
)

func TestRegionsAndZones(t *testing.T) {
	w := apitest.New(t)
	if body := w.Call("DescribeRegions").Body; strings.Count(body, "<regionName>") != len(slipway.RegionNames()) {
		t.Errorf("%d regions, want %d", strings.Count(body, "<regionName>"), len(slipway.RegionNames()))
	}
	body := w.Call("DescribeRegions", "RegionName.1", "eu-west-1").Body
	apitest.Shows(t, body, "regionEndpoint", "ec2.eu-west-1.amazonaws.com")
	apitest.Lacks(t, body, "us-east-1")
	body = w.Call("DescribeRegions", "Filter.1.Name", "endpoint", "Filter.1.Value.1", "*us-west*").Body
	apitest.Shows(t, body, "regionName", "us-west-2")
	apitest.Lacks(t, body, "eu-west-1")

	body = w.Call("DescribeAvailabilityZones").Body
	for _, z := range slipway.Zones("us-east-1") {
		apitest.Shows(t, body, "zoneName", z.Name)
		apitest.Shows(t, body, "zoneId", z.ID)
	}
	for _, params := range [][]string{
		{"ZoneName.1", "us-east-1b"}, {"ZoneId.1", "use1-az2"},
		{"Filter.1.Name", "zone-name", "Filter.1.Value.1", "us-east-1b"},
	} {
		if body := w.Call("DescribeAvailabilityZones", params...).Body; strings.Count(body, "<zoneName>") != 1 {
			t.Errorf("%v: %s", params, body)
		}
	}
	far := *w
	far.Region = "eu-west-1"
	apitest.Shows(t, far.Call("DescribeAvailabilityZones").Body, "zoneName", "eu-west-1a")
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("a region of nowhere", "InvalidParameterValue", "mars-north-1", "DescribeRegions",
			[]string{"RegionName.1", "mars-north-1"}),
		apitest.Case("another region's zone", "InvalidParameterValue", "eu-west-1a", "DescribeAvailabilityZones",
			[]string{"ZoneName.1", "eu-west-1a"}),
		apitest.Case("a filter of none", "InvalidParameterValue", "colour", "DescribeRegions",
			[]string{"Filter.1.Name", "colour", "Filter.1.Value.1", "red"}),
		apitest.Case("an attribute of none", "InvalidParameterValue", "luck", "DescribeAccountAttributes",
			[]string{"AttributeName.1", "luck"}),
	})
}

func TestAccountAttributesAreTheAccounts(t *testing.T) {
	w := apitest.New(t)
	vpc := w.Must("vpcId", "DescribeVpcs", "Filter.1.Name", "is-default", "Filter.1.Value.1", "true")
	if got := w.Must("attributeValue", "DescribeAccountAttributes", "AttributeName.1", "default-vpc"); got != vpc {
		t.Errorf("default-vpc %s, want %s", got, vpc)
	}
	w.Edit("quota", "instances=7")
	if got := w.Must("attributeValue", "DescribeAccountAttributes", "AttributeName.1", "max-instances"); got != "7" {
		t.Errorf("max-instances %s, want the account's quota", got)
	}
	w.Must("return", "DeleteVpc", "VpcId", w.Must("vpcId", "CreateVpc", "CidrBlock", "10.8.0.0/16"))
	classic := w.As(slipway.Account{Classic: true})
	if got := classic.Must("attributeValue", "DescribeAccountAttributes", "AttributeName.1", "default-vpc"); got != "none" {
		t.Errorf("default-vpc of EC2-Classic %s, want none", got)
	}
}
