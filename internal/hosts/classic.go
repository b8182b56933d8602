package hosts

import (
	"net/netip"
	"strings"

	"slipway"
	"slipway/internal/dataplane"
	"slipway/internal/imds"
	"slipway/internal/state"
	"slipway/internal/store"
)

// EC2-Classic's network is one flat range for all accounts of a region, open to the internet, with its resolver at an
// address of its own.
var classicResolver = netip.MustParseAddr("172.16.0.23")

const classicSubnet slipway.SubnetID = "classic"

func classic(r store.Reader, host slipway.HostID, region string, n dataplane.Network) (dataplane.Network, bool, error) {
	n.CIDRs = []netip.Prefix{slipway.ClassicRange()}
	n.Resolver = classicResolver
	n.Subnets = []dataplane.Subnet{
		{ID: classicSubnet, CIDR: slipway.ClassicRange(), Routes: []dataplane.Route{{Destination: anywhere, Target: dataplane.Internet}}},
	}
	n.DNS = dataplane.DNS{
		Enabled: true, Provided: true, Names: map[string][]netip.Addr{}, Domain: slipway.PrivateDomain(region),
	}
	for in := range state.Instances.By(r, state.Global, "/classic/"+region) {
		add(&n, slipway.PrivateName(region, slipway.PrivateDNS{}, in.ID, in.ClassicIP), in.ClassicIP)
		add(&n, slipway.PublicName(region, true, in.ClassicPublic), in.ClassicIP)
		if in.Host != host || !wired(in) {
			continue
		}
		n.Ports = append(n.Ports, classicPort(in))
		groups(r, state.Scope{Account: in.Account, Region: in.Region}, in.ClassicGroups, &n)
	}
	return n, len(n.Ports) > 0, nil
}

// classicMetadata is a card without interface, subnet or VPC: by that cloud-init knows EC2-Classic.
func classicMetadata(r store.Reader, in *slipway.Instance, m *imds.Instance) {
	if !in.ClassicIP.IsValid() {
		return
	}
	m.PublicIP = in.ClassicPublic
	m.Hostname, m.PublicName = slipway.PrivateName(in.Region, slipway.PrivateDNS{}, in.ID, in.ClassicIP),
		slipway.PublicName(in.Region, true, in.ClassicPublic)
	for _, id := range in.ClassicGroups {
		if g := state.SecurityGroups.See(r, state.Scope{Account: in.Account, Region: in.Region}, string(id)); g != nil {
			m.Groups = append(m.Groups, g.Name)
		}
	}
	m.Interfaces = []imds.Interface{{
		MAC: classicPort(in).MAC, Owner: in.Account, Hostname: m.Hostname, PublicName: m.PublicName, Groups: m.Groups,
		Addresses: []slipway.PrivateAddress{{IP: in.ClassicIP, Public: in.ClassicPublic}},
	}}
}

// classicPort stands for the interface that an instance of EC2-Classic does not have. Its id and hardware address
// follow from the instance's id, so they are the same at every look.
func classicPort(in *slipway.Instance) dataplane.Port {
	id := UUID(in.ID)
	mac := "12:31:" + id[24:26] + ":" + id[26:28] + ":" + id[28:30] + ":" + id[30:32]
	host, domain, _ := strings.Cut(slipway.PrivateName(in.Region, slipway.PrivateDNS{}, in.ID, in.ClassicIP), ".")
	return dataplane.Port{
		Interface: slipway.InterfaceID("eni-" + strings.TrimPrefix(string(in.ID), "i-")), Instance: in.ID,
		Subnet: classicSubnet, MAC: mac,
		Addresses: []netip.Addr{in.ClassicIP}, Public: map[netip.Addr]netip.Addr{in.ClassicIP: in.ClassicPublic},
		Groups:          in.ClassicGroups,
		SourceDestCheck: true, Hostname: host, Domain: domain,
	}
}
