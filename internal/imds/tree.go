package imds

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"slipway"
)

// Versions are the dated paths; each is an alias of latest.
var Versions = []string{
	"1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01",
	"2009-04-04", "2011-01-01",
	"2011-05-01", "2012-01-12", "2014-02-25", "2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02",
	"2018-03-28", "2018-08-17",
	"2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03", "2021-03-23", "2021-07-15", "2022-09-24", "2024-04-11", "latest",
}

// Tree is everything below a version: the path of each leaf, without a slash at either end, and its content. A directory is
// what has leaves below it; so a listing never names what is not there.
func Tree(in *Instance, sign Signer) map[string][]byte {
	t := tree{}
	t.metadata(in)
	for i, n := range in.Interfaces {
		t.network(in, n, i == 0)
	}
	t.dynamic(in, sign)
	if in.UserData != nil {
		t["user-data"] = in.UserData
	}
	return t
}

type tree map[string][]byte

// put adds a leaf unless its value is empty.
func (t tree) put(path, value string) {
	if value != "" {
		t[path] = []byte(value)
	}
}

func (t tree) lines(path string, values []string) { t.put(path, strings.Join(values, "\n")) }

func ipText(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

func (t tree) metadata(in *Instance) {
	m := func(path, value string) { t.put("meta-data/"+path, value) }
	m("ami-id", string(in.Image))
	m("ami-launch-index", fmt.Sprint(in.LaunchIndex))
	m("ami-manifest-path", "(unknown)")
	m("instance-id", string(in.ID))
	m("instance-type", in.Type)
	m("instance-action", "none")
	m("instance-life-cycle", in.Lifecycle)
	m("hostname", in.Hostname)
	m("local-hostname", in.Hostname)
	m("public-hostname", in.PublicName)
	m("public-ipv4", ipText(in.PublicIP))
	m("reservation-id", string(in.Reservation))
	m("profile", "default-hvm")
	m("services/domain", in.DomainSuffix)
	m("services/partition", slipway.Partition(in.Region))
	m("system", "nitro")
	m("placement/availability-zone", in.Zone)
	m("placement/availability-zone-id", in.ZoneID)
	m("placement/region", in.Region)
	m("placement/group-name", in.GroupName)
	m("placement/host-id", in.HostID)
	if in.Partition > 0 {
		m("placement/partition-number", fmt.Sprint(in.Partition))
	}
	m("events/maintenance/history", "[]")
	m("events/maintenance/scheduled", "[]")
	t.lines("meta-data/product-codes", in.ProductCodes)
	t.lines("meta-data/security-groups", in.Groups)
	for k, v := range in.Devices {
		if k == "ami" {
			v = strings.TrimPrefix(v, "/dev/")
		}
		m("block-device-mapping/"+k, v)
	}
	if len(in.Interfaces) > 0 {
		first := in.Interfaces[0]
		m("mac", first.MAC)
		if len(first.Addresses) > 0 {
			m("local-ipv4", first.Addresses[0].IP.String())
		}
		if len(first.IPv6) > 0 {
			m("ipv6", first.IPv6[0].String())
		}
	}
	if in.PublicKey != "" {
		m("public-keys/0/openssh-key", in.PublicKey)
	}
	t.profile(in)
	if i := in.Interruption; i != nil {
		at := i.At.UTC().Format(time.RFC3339)
		b, _ := json.Marshal(map[string]string{"action": i.Action, "time": at})
		m("spot/instance-action", string(b))
		if i.Action == "terminate" {
			m("spot/termination-time", at)
		}
	}
	if in.Options.Tags == "enabled" {
		for k, v := range in.Tags {
			t["meta-data/tags/instance/"+k] = []byte(v) // an empty value is one
		}
	}
}

func (t tree) profile(in *Instance) {
	p := in.Profile
	if p == nil {
		return
	}
	form := func(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05Z") }
	info, _ := json.MarshalIndent(struct{ Code, LastUpdated, InstanceProfileArn, InstanceProfileId string }{
		"Success", form(p.Updated), p.ARN, p.ID,
	}, "", "  ")
	t.put("meta-data/iam/info", string(info))
	if p.Role == "" {
		return
	}
	creds, _ := json.MarshalIndent(struct{ Code, LastUpdated, Type, AccessKeyId, SecretAccessKey, Token, Expiration string }{
		"Success", form(p.Updated), "AWS-HMAC", p.AccessKey, p.SecretKey, p.Token, form(p.Expires),
	}, "", "  ")
	t.put("meta-data/iam/security-credentials/"+p.Role, string(creds))
}

func (t tree) network(in *Instance, n Interface, primary bool) {
	base := "meta-data/network/interfaces/macs/" + n.MAC + "/"
	put := func(path, value string) { t.put(base+path, value) }
	var local, public []string
	for _, a := range n.Addresses {
		local = append(local, a.IP.String())
		if a.Public.IsValid() {
			public = append(public, a.Public.String())
			put("ipv4-associations/"+a.Public.String(), a.IP.String())
		}
	}
	put("device-number", fmt.Sprint(n.DeviceIndex))
	put("network-card-index", fmt.Sprint(n.NetworkCard))
	put("interface-id", string(n.ID))
	put("mac", n.MAC)
	put("owner-id", n.Owner)
	put("local-hostname", n.Hostname)
	put("public-hostname", n.PublicName)
	t.lines(base+"local-ipv4s", local)
	t.lines(base+"public-ipv4s", public)
	t.lines(base+"ipv6s", texts(n.IPv6))
	t.lines(base+"ipv4-prefix", texts(n.Prefixes))
	t.lines(base+"ipv6-prefix", texts(n.Prefixes6))
	t.lines(base+"security-groups", n.Groups)
	ids := make([]string, len(n.GroupIDs))
	for i, g := range n.GroupIDs {
		ids[i] = string(g)
	}
	t.lines(base+"security-group-ids", ids)
	put("subnet-id", string(n.Subnet))
	put("vpc-id", string(n.VPC))
	if n.SubnetCIDR.IsValid() {
		put("subnet-ipv4-cidr-block", n.SubnetCIDR.String())
	}
	if n.SubnetCIDR6.IsValid() {
		put("subnet-ipv6-cidr-blocks", n.SubnetCIDR6.String())
	}
	if len(n.VPCCIDRs) > 0 {
		put("vpc-ipv4-cidr-block", n.VPCCIDRs[0].String())
	}
	t.lines(base+"vpc-ipv4-cidr-blocks", texts(n.VPCCIDRs))
	t.lines(base+"vpc-ipv6-cidr-blocks", texts(n.VPCCIDRs6))
}

func texts[T fmt.Stringer](in []T) []string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = v.String()
	}
	return out
}

// Document is the instance identity document, in the member order of EC2's.
func Document(in *Instance) []byte {
	list := func(v []string) any {
		if len(v) == 0 {
			return nil
		}
		return v
	}
	private := ""
	if len(in.Interfaces) > 0 && len(in.Interfaces[0].Addresses) > 0 {
		private = in.Interfaces[0].Addresses[0].IP.String()
	}
	b, _ := json.MarshalIndent(struct {
		AccountID        string `json:"accountId"`
		Architecture     string `json:"architecture"`
		AvailabilityZone string `json:"availabilityZone"`
		BillingProducts  any    `json:"billingProducts"`
		Devpay           any    `json:"devpayProductCodes"`
		Marketplace      any    `json:"marketplaceProductCodes"`
		ImageID          string `json:"imageId"`
		InstanceID       string `json:"instanceId"`
		InstanceType     string `json:"instanceType"`
		KernelID         any    `json:"kernelId"`
		PendingTime      string `json:"pendingTime"`
		PrivateIP        string `json:"privateIp"`
		RamdiskID        any    `json:"ramdiskId"`
		Region           string `json:"region"`
		Version          string `json:"version"`
	}{
		AccountID: in.Account, Architecture: in.Architecture, AvailabilityZone: in.Zone,
		Marketplace: list(in.ProductCodes), ImageID: string(in.Image),
		InstanceID: string(in.ID), InstanceType: in.Type, PendingTime: in.Launched.UTC().Format("2006-01-02T15:04:05Z"),
		PrivateIP: private,
		Region:    in.Region, Version: "2017-09-30",
	}, "", "  ")
	return b
}

func (t tree) dynamic(in *Instance, sign Signer) {
	monitoring := "disabled"
	if in.Monitoring {
		monitoring = "enabled"
	}
	t.put("dynamic/fws/instance-monitoring", monitoring)
	document := Document(in)
	t["dynamic/instance-identity/document"] = document
	for name, content := range sign.Sign(document) {
		t["dynamic/instance-identity/"+name] = content
	}
}

// Lookup finds a path below a version: a leaf's content, or a directory's listing.
func Lookup(t map[string][]byte, keyName, path string) ([]byte, bool) {
	path = strings.Trim(path, "/")
	if leaf, ok := t[path]; ok {
		return leaf, true
	}
	prefix := path + "/"
	if path == "" {
		prefix = ""
	}
	names := map[string]bool{}
	for p := range t {
		if rest, ok := strings.CutPrefix(p, prefix); ok {
			name, _, dir := strings.Cut(rest, "/")
			if dir {
				name += "/"
			}
			names[name] = true
		}
	}
	if len(names) == 0 {
		return nil, false
	}
	list := slices.Sorted(maps.Keys(names))
	switch path {
	case "meta-data/public-keys":
		return []byte("0=" + keyName), true
	case "":
		for i := range list {
			list[i] = strings.TrimSuffix(list[i], "/")
		}
	}
	var b bytes.Buffer
	b.WriteString(strings.Join(list, "\n"))
	return b.Bytes(), true
}
