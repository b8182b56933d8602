package state

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"

	"slipway"
)

// AWSOwner is whose the prefix lists of AWS's services are: every account sees and uses them, and nobody changes them.
const AWSOwner = "AWS"

// awsList is one of AWS's own prefix lists: REGION in its name is the region's, and its weight how many entries it counts
// for where it is used.
type awsList struct {
	name   string
	weight int32
	ranges string // in every region
}

// awsLists are those that EC2 documents. Of the services whose ranges are other ones in each region, S3 and DynamoDB have
// the blocks that all regions' lie in; the others have no ranges here, for nothing of them runs here.
var awsLists = []awsList{
	{"com.amazonaws.REGION.s3", 1,
		"3.5.0.0/16 16.15.0.0/16 16.182.0.0/16 18.34.0.0/16 52.92.0.0/16 52.216.0.0/14 54.231.0.0/16"},
	{"com.amazonaws.REGION.dynamodb", 1, "3.218.180.0/22 52.94.0.0/19 52.119.224.0/20"},
	{"com.amazonaws.REGION.s3express", 6, ""},
	{"com.amazonaws.REGION.ec2-instance-connect", 2, ""},
	{"com.amazonaws.REGION.ipv6.ec2-instance-connect", 2, ""},
	{"com.amazonaws.REGION.route53-healthchecks", 25, ""},
	{"com.amazonaws.REGION.ipv6.route53-healthchecks", 25, ""},
	{"com.amazonaws.REGION.vpc-lattice", 10, "169.254.171.0/24"},
	{"com.amazonaws.REGION.ipv6.vpc-lattice", 10, "fd00:ec2:80::/64"},
	{"com.amazonaws.global.cloudfront.origin-facing", 55, ""},
	{"com.amazonaws.global.ipv6.cloudfront.origin-facing", 55, ""},
	{"com.amazonaws.global.groundstation", 5, ""},
}

// instanceConnect is where EC2 Instance Connect comes from in a region.
var instanceConnect = map[string]string{
	"us-east-1": "18.206.107.24/29", "us-east-2": "3.16.146.0/29", "us-west-1": "13.52.6.112/29",
	"us-west-2": "18.237.140.160/29", "eu-west-1": "18.202.216.48/29", "eu-west-2": "3.8.37.24/29",
	"eu-west-3": "35.180.112.80/29", "eu-central-1": "3.120.181.40/29", "ap-southeast-1": "3.0.5.32/29",
	"ap-southeast-2": "13.239.158.0/29", "ap-northeast-1": "3.112.23.0/29", "ap-northeast-2": "13.209.1.56/29",
	"ap-south-1": "13.233.177.0/29", "ca-central-1": "35.183.92.176/29", "sa-east-1": "18.228.70.32/29",
}

// awsListIDs are ids as they are in EC2, where users have written them down; the others are made of their names.
var awsListIDs = map[string]slipway.PrefixListID{
	"com.amazonaws.us-east-1.s3":                        "pl-63a5400a",
	"com.amazonaws.us-east-1.dynamodb":                  "pl-02cd2c6b",
	"com.amazonaws.us-east-1.ipv6.ec2-instance-connect": "pl-09f90e410b133fe9f",
	"com.amazonaws.us-east-2.s3":                        "pl-7ba54012",
	"com.amazonaws.us-east-2.dynamodb":                  "pl-4ca54025",
	"com.amazonaws.us-east-2.ec2-instance-connect":      "pl-03915406641cb1f53",
	"com.amazonaws.us-west-2.s3":                        "pl-68a54001",
	"com.amazonaws.us-west-2.dynamodb":                  "pl-00a54069",
	"com.amazonaws.eu-west-1.s3":                        "pl-6da54004",
	"com.amazonaws.eu-west-1.dynamodb":                  "pl-6fa54006",
}

// AWSPrefixLists are AWS's own in a region.
func AWSPrefixLists(region string) []*slipway.PrefixList {
	out := make([]*slipway.PrefixList, 0, len(awsLists))
	for _, a := range awsLists {
		name, ranges, family := strings.Replace(a.name, "REGION", region, 1), a.ranges, "IPv4"
		if strings.Contains(name, ".ipv6.") {
			family = "IPv6"
		} else if strings.HasSuffix(name, ".ec2-instance-connect") {
			ranges = instanceConnect[region]
		}
		l := &slipway.PrefixList{
			ID: awsListIDs[name], Account: AWSOwner, Region: region, Name: name, Family: family, MaxEntries: a.weight,
			State: slipway.PrefixListStateCreated,
		}
		if l.ID == "" {
			sum := sha256.Sum256([]byte(region + "/" + name))
			l.ID = slipway.PrefixListID("pl-0" + hex.EncodeToString(sum[:8]))
		}
		for text := range strings.FieldsSeq(ranges) {
			l.Entries = append(l.Entries, slipway.PrefixEntry{CIDR: netip.MustParsePrefix(text)})
		}
		out = append(out, l)
	}
	return out
}
