package slipway

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// regions are AWS's region names with the short code that their zone ids begin with.
var regions = map[string]string{
	"us-east-1": "use1", "us-east-2": "use2", "us-west-1": "usw1", "us-west-2": "usw2",
	"af-south-1": "afs1", "ap-east-1": "ape1", "ap-east-2": "ape2", "ap-south-1": "aps1", "ap-south-2": "aps2",
	"ap-northeast-1": "apne1", "ap-northeast-2": "apne2", "ap-northeast-3": "apne3",
	"ap-southeast-1": "apse1", "ap-southeast-2": "apse2", "ap-southeast-3": "apse3", "ap-southeast-4": "apse4",
	"ap-southeast-5": "apse5", "ap-southeast-6": "apse6", "ap-southeast-7": "apse7",
	"ca-central-1": "cac1", "ca-west-1": "caw1",
	"eu-central-1": "euc1", "eu-central-2": "euc2", "eu-west-1": "euw1", "eu-west-2": "euw2", "eu-west-3": "euw3",
	"eu-north-1": "eun1", "eu-south-1": "eus1", "eu-south-2": "eus2",
	"il-central-1": "ilc1", "me-central-1": "mec1", "me-south-1": "mes1", "mx-central-1": "mxc1", "sa-east-1": "sae1",
	"us-gov-east-1": "usge1", "us-gov-west-1": "usgw1", "cn-north-1": "cnn1", "cn-northwest-1": "cnnw1",
}

// optIn are the regions that an AWS account has to opt into, being younger than March 2019.
var optIn = []string{
	"af-south-1", "ap-east-1", "ap-east-2", "ap-south-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
	"ap-southeast-6", "ap-southeast-7", "ca-west-1", "eu-central-2", "eu-south-1", "eu-south-2", "il-central-1",
	"me-central-1", "me-south-1", "mx-central-1",
}

// OptIn says whether an account has to opt into a region; here every account has.
func OptIn(region string) bool { return slices.Contains(optIn, region) }

// KnownRegion says whether AWS has a region of the name.
func KnownRegion(name string) bool { _, ok := regions[name]; return ok }

// RegionNames are AWS's regions in order.
func RegionNames() []string { return slices.Sorted(maps.Keys(regions)) }

// zoneLetters are the zones of a region where they are not a, b and c. A letter's place in the alphabet is its zone id's
// number.
var zoneLetters = map[string]string{
	"us-east-1": "abcdef", "us-west-1": "ac", "us-west-2": "abcd", "ca-central-1": "abd", "ap-northeast-1": "acd",
	"ap-northeast-2": "abcd", "cn-north-1": "abd",
}

// ZoneLetters are all letters that a zone of any region has.
var ZoneLetters = strings.Split("abcdef", "")

// Zone is an availability zone.
type Zone struct{ Name, ID, Region string }

// Letter is what a zone's name has beyond its region's.
func (z Zone) Letter() string { return z.Name[len(z.Name)-1:] }

// Zones are a region's zones.
func Zones(region string) []Zone {
	code, ok := regions[region]
	if !ok {
		code = strings.ReplaceAll(region, "-", "")
	}
	var out []Zone
	for _, l := range cmp.Or(zoneLetters[region], "abc") {
		out = append(out, Zone{Name: region + string(l), ID: code + "-az" + string('1'+l-'a'), Region: region})
	}
	return out
}

// FindZone looks a zone of the region up by name or id.
func FindZone(region, nameOrID string) (Zone, bool) {
	for _, z := range Zones(region) {
		if z.Name == nameOrID || z.ID == nameOrID {
			return z, true
		}
	}
	return Zone{}, false
}

// Partition is the first part of an ARN in the region.
func Partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// ARN names an EC2 resource across accounts.
func ARN(region, account, resource string) string {
	return "arn:" + Partition(region) + ":ec2:" + region + ":" + account + ":" + resource
}

// EC2ARN names an EC2 resource of a kind as policies do: images and snapshots go without their owner.
func EC2ARN(region, account, kind, id string) string {
	if kind == "image" || kind == "snapshot" {
		account = ""
	}
	return ARN(region, account, kind+"/"+id)
}

// PrivateDomain is the suffix of private names.
func PrivateDomain(region string) string {
	if region == "us-east-1" {
		return "ec2.internal"
	}
	return region + ".compute.internal"
}

// PublicDomain is the suffix of public names.
func PublicDomain(region string) string {
	if region == "us-east-1" {
		return "compute-1.amazonaws.com"
	}
	return region + ".compute.amazonaws.com"
}
