package controlplane_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/internal/apitest"
	"slipway/internal/await"
)

// item is one thing that is described: the texts below it, by the names of the elements that lead to each, without what
// stands for lists, in small letters.
type item map[string][]string

// items are the entries of an answer's first list.
func items(t *testing.T, body string) (out []item) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(body))
	var path []string
	var text string
	for {
		token, err := d.Token()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			path, text = append(path, e.Name.Local), ""
			if len(path) == 3 && e.Name.Local == "item" {
				out = append(out, item{})
			}
		case xml.CharData:
			text = string(e)
		case xml.EndElement:
			if len(path) > 3 && path[2] == "item" && text != "" && len(out) > 0 {
				at := key(path[3:])
				out[len(out)-1][at] = append(out[len(out)-1][at], text)
			}
			path, text = path[:len(path)-1], ""
		}
	}
}

// key makes one of an element's path and of a filter's name: neither hyphens, capitals, nor what says that there are
// several.
func key(path []string) string {
	var out []string
	for _, p := range path {
		p = strings.ToLower(strings.ReplaceAll(p, "-", ""))
		if p == "item" {
			continue
		}
		p = strings.TrimSuffix(strings.TrimSuffix(p, "set"), "s")
		out = append(out, p)
	}
	return strings.Join(out, ".")
}

// called are filters whose member has another name than the filter: the path of elements that they are about.
var called = map[string]string{
	"DescribeVpcs cidr": "cidrBlock", "DescribeSubnets cidr": "cidrBlock", "DescribeKeyPairs fingerprint": "keyFingerprint",
	"DescribeVolumes attachment.instance-id": "attachmentSet.instanceId", "DescribeVolumes attachment.device": "attachmentSet.device",
	"DescribeVolumes attachment.delete-on-termination": "attachmentSet.deleteOnTermination",
	"DescribeVolumes attachment.status":                "attachmentSet.status", "DescribeSnapshots status": "status",
	"DescribeImages state": "imageState", "DescribeImages owner-id": "imageOwnerId", "DescribeImages is-public": "isPublic",
	"DescribeNetworkInterfaces addresses.private-ip-address": "privateIpAddressesSet.privateIpAddress",
	"DescribeRouteTables association.subnet-id":              "associationSet.subnetId",
	"DescribeSecurityGroups description":                     "groupDescription",
	"DescribeSpotInstanceRequests status-code":               "status.code",
	"DescribeSpotInstanceRequests status-message":            "status.message",
	"DescribeLaunchTemplateVersions is-default-version":      "defaultVersion",
	"DescribeNetworkInterfaces group-id":                     "groupSet.groupId",
	"DescribeNetworkInterfaces group-name":                   "groupSet.groupName",
	"DescribeNetworkInterfaces addresses.primary":            "privateIpAddressesSet.primary",
}

// below are filters that are about a part of what is described, by the beginning of their names: the elements that lead to
// the part.
var below = map[string]string{
	"DescribeSpotInstanceRequests launch.block-device-mapping.volume": "launchSpecification.blockDeviceMapping.ebs.volume",
	"DescribeSpotInstanceRequests launch.group":                       "launchSpecification.groupSet.group",
	"DescribeSpotInstanceRequests launch.monitoring":                  "launchSpecification.monitoring.",
	"DescribeSpotInstanceRequests launch.":                            "launchSpecification.",
	"DescribeImages block-device-mapping.device-name":                 "blockDeviceMapping.deviceName",
	"DescribeImages block-device-mapping.":                            "blockDeviceMapping.ebs.",
	"DescribeLaunchTemplateVersions http-":                            "launchTemplateData.metadataOptions.http",
	"DescribeLaunchTemplateVersions i":                                "launchTemplateData.i",
	"DescribeSecurityGroups ip-permission.cidr":                       "ipPermissions.ipRanges.cidrIp",
	"DescribeSecurityGroups ip-permission.group-id":                   "ipPermissions.groups.groupId",
	"DescribeSecurityGroups ip-permission.protocol":                   "ipPermissions.ipProtocol",
	"DescribeSecurityGroups egress.ip-permission.cidr":                "ipPermissionsEgress.ipRanges.cidrIp",
	"DescribeSecurityGroups egress.ip-permission.protocol":            "ipPermissionsEgress.ipProtocol",
}

// elements are the elements that a filter is about.
func elements(action, filter string) string {
	asked := action + " " + filter
	if path := called[asked]; path != "" {
		return key(strings.Split(path, "."))
	}
	longest := ""
	for prefix := range below {
		if strings.HasPrefix(asked, prefix) && len(prefix) > len(longest) {
			longest = prefix
		}
	}
	if longest != "" {
		filter = below[longest] + asked[len(longest):]
	}
	return key(strings.Split(filter, "."))
}

// TestFiltersAgreeWithTheAnswer: of each value that a member shows, the filter of the member's name finds those that show
// it and no others.
func TestFiltersAgreeWithTheAnswer(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	w.Names(o)
	for name, value := range map[string]string{"lonely": "t3.nano", "other": "t3.small"} {
		w.Launch(value, "TagSpecification.1.ResourceType", "instance", "TagSpecification.1.Tag.1.Key", "Name",
			"TagSpecification.1.Tag.1.Value", name)
	}
	w.Call("CreateVolume", "Size", "1", "AvailabilityZone", "us-east-1b", "VolumeType", "gp2")
	w.Call("RequestSpotInstances", "LaunchSpecification.ImageId", w.Image(), "LaunchSpecification.InstanceType", "t3.micro",
		"LaunchSpecification.KeyName", "k", "LaunchSpecification.BlockDeviceMapping.1.DeviceName", "/dev/sdf",
		"LaunchSpecification.BlockDeviceMapping.1.Ebs.VolumeSize", "2", "SpotPrice", "0.000001")
	await.Success(t, 20*time.Second, func() error { // a filter is asked later than the list that it is compared with
		body := w.Call("DescribeVolumes").Body
		for _, passing := range []string{"attaching", "creating"} {
			if strings.Contains(body, "<status>"+passing+"<") {
				return fmt.Errorf("a volume is still %s", passing)
			}
		}
		return nil
	})
	w.Must("subnetCidrReservationId", "CreateSubnetCidrReservation", "SubnetId", o.Subnet, "Cidr",
		strings.Replace(w.Must("cidrBlock", "DescribeSubnets", "SubnetId.1", o.Subnet), "/20", "/28", 1),
		"ReservationType", "explicit")
	needs := map[string][]string{
		"GetSubnetCidrReservations": {"SubnetId", o.Subnet},
		"GetSecurityGroupsForVpc":   {"VpcId", o.VPC}, "DescribeLaunchTemplateVersions": {"LaunchTemplateId", o.Template},
		"DescribeInstanceStatus": {"IncludeAllInstances", "true"}, "DescribeSpotPriceHistory": {"InstanceType.1", "t3.micro"},
	}
	for i, kind := range []string{"t3.micro", "t1.micro", "m5.large", "m5d.large", "c6g.xlarge", "p5.48xlarge", "inf1.xlarge", "m5.metal"} {
		needs["DescribeInstanceTypes"] = append(needs["DescribeInstanceTypes"], fmt.Sprintf("InstanceType.%d", i+1), kind)
	}
	described := func(action string, params []string) []item {
		a := w.Call(action, params...)
		if a.Status != http.StatusOK {
			t.Errorf("%s %v: %d %s %s", action, params, a.Status, a.Code, a.Message)
		}
		return items(t, a.Body)
	}
	tried, unseen := 0, map[string][]string{}
	for name, a := range w.Actions() {
		if len(a.Rules().Filters) == 0 || name == "DescribeInstances" || name == "DescribeFleetInstances" {
			continue // instances stand in reservations, and have a test of their own
		}
		if name == "DescribeInstanceStatus" { // changes while guests boot
			continue
		}
		list := "Filter"
		if strings.HasPrefix(name, "DescribeImport") {
			list = "Filters"
		}
		all := described(name, needs[name])
		for _, filter := range a.Rules().Filters {
			at := elements(name, filter)
			values := map[string]int{}
			for _, i := range all {
				for _, v := range slices.Compact(slices.Sorted(slices.Values(i[at]))) {
					values[v]++
				}
			}
			if len(values) == 0 {
				unseen[name] = append(unseen[name], filter)
				continue
			}
			for _, v := range mostAndLeast(values) {
				tried++
				ask := append([]string{list + ".1.Name", filter, list + ".1.Value.1", v}, needs[name]...)
				got := described(name, ask)
				wrong := slices.IndexFunc(got, func(i item) bool { return !slices.Contains(i[at], v) })
				if len(got) != values[v] || wrong >= 0 {
					t.Errorf("%s: %s=%s finds %d, and %d of %d show it", name, filter, v, len(got), values[v], len(all))
				}
			}
		}
	}
	if tried < 400 {
		t.Errorf("only %d filters were tried", tried)
	}
	t.Logf("%d questions; of members that nothing here shows: %v", tried, unseen)
}

// mostAndLeast are the values that most and fewest show.
func mostAndLeast(values map[string]int) []string {
	var most, least string
	for v, n := range values {
		if most == "" || n > values[most] || n == values[most] && v < most {
			most = v
		}
		if least == "" || n < values[least] || n == values[least] && v > least {
			least = v
		}
	}
	return slices.Compact([]string{most, least})
}
