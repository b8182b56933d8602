package interfaces

import (
	"context"
	"strconv"
	"time"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service answers the interface actions.
type Service struct {
	db  state.DB
	now func() time.Time
}

// New makes the room.
func New(db state.DB, now func() time.Time) *Service { return &Service{db, now} }

func attached(get func(*slipway.Attachment) string) func(*slipway.Interface) []string {
	return func(n *slipway.Interface) []string {
		if n.Attachment == nil {
			return nil
		}
		return []string{get(n.Attachment)}
	}
}

func addressed(get func(int, slipway.PrivateAddress) string) func(*slipway.Interface) []string {
	return func(n *slipway.Interface) []string {
		var out []string
		for i, a := range n.Addresses {
			if v := get(i, a); v != "" {
				out = append(out, v)
			}
		}
		return out
	}
}

func status(n *slipway.Interface) string {
	if n.Attachment != nil || n.Requester != "" {
		return "in-use"
	}
	return "available"
}

func public(_ int, a slipway.PrivateAddress) string {
	if !a.Public.IsValid() {
		return ""
	}
	return a.Public.String()
}

func fields(r store.Reader) filters.Fields[*slipway.Interface] {
	return filters.Fields[*slipway.Interface]{
		"network-interface-id": func(n *slipway.Interface) []string { return shape.One(n.ID) },
		"status":               func(n *slipway.Interface) []string { return []string{status(n)} },
		"subnet-id":            func(n *slipway.Interface) []string { return shape.One(n.Subnet) },
		"vpc-id":               func(n *slipway.Interface) []string { return shape.One(n.VPC) },
		"availability-zone":    func(n *slipway.Interface) []string { return shape.One(n.Zone) },
		"description":          func(n *slipway.Interface) []string { return []string{n.Description} },
		"owner-id":             func(n *slipway.Interface) []string { return shape.One(n.Account) },
		"mac-address":          func(n *slipway.Interface) []string { return shape.One(n.MAC) },
		"interface-type":       func(n *slipway.Interface) []string { return shape.One(n.Type) },
		"source-dest-check":    func(n *slipway.Interface) []string { return shape.Yes(n.SourceDestCheck) },
		"requester-managed":    func(n *slipway.Interface) []string { return shape.Yes(n.Requester != "") },
		"requester-id":         func(n *slipway.Interface) []string { return shape.One(n.Requester) },
		"private-ip-address": func(n *slipway.Interface) []string {
			if !n.IP().IsValid() {
				return nil
			}
			return []string{n.IP().String()}
		},
		"private-dns-name": func(n *slipway.Interface) []string {
			return shape.One(slipway.PrivateName(n.Region, slipway.PrivateDNS{}, "", n.IP()))
		},
		"addresses.private-ip-address": addressed(func(_ int, a slipway.PrivateAddress) string { return a.IP.String() }),
		"addresses.primary": addressed(func(i int, _ slipway.PrivateAddress) string {
			return strconv.FormatBool(i == 0)
		}),
		"addresses.association.public-ip": addressed(public),
		"association.public-ip":           addressed(public),
		"association.allocation-id": addressed(func(_ int, a slipway.PrivateAddress) string {
			return string(a.Allocation)
		}),
		"association.association-id": addressed(func(_ int, a slipway.PrivateAddress) string {
			return string(a.Association)
		}),
		"attachment.attachment-id": attached(func(a *slipway.Attachment) string { return string(a.ID) }),
		"attachment.instance-id":   attached(func(a *slipway.Attachment) string { return string(a.Instance) }),
		"attachment.device-index": attached(func(a *slipway.Attachment) string {
			return strconv.Itoa(int(a.DeviceIndex))
		}),
		"attachment.status": attached(func(a *slipway.Attachment) string { return a.State() }),
		"attachment.delete-on-termination": attached(func(a *slipway.Attachment) string {
			return strconv.FormatBool(a.DeleteOnTermination)
		}),
		"attachment.attach-time": attached(func(a *slipway.Attachment) string {
			return a.AttachTime.UTC().Format(ec2query.TimeForm)
		}),
		"attachment.instance-owner-id": func(n *slipway.Interface) []string { return shape.One(n.Account) },
		"ipv6-addresses.ipv6-address": func(n *slipway.Interface) []string {
			var out []string
			for _, ip := range n.IPv6 {
				out = append(out, ip.String())
			}
			return out
		},
		"group-id": func(n *slipway.Interface) []string {
			var out []string
			for _, g := range n.Groups {
				out = append(out, string(g))
			}
			return out
		},
		"group-name": func(n *slipway.Interface) []string {
			var out []string
			for _, g := range groups(r, n) {
				out = append(out, shape.Get(g.GroupName))
			}
			return out
		},
	}
}

func groups(r store.Reader, n *slipway.Interface) []ec2wire.GroupIdentifier {
	out := make([]ec2wire.GroupIdentifier, 0, len(n.Groups))
	for _, id := range n.Groups {
		w := ec2wire.GroupIdentifier{GroupId: shape.Text(id)}
		if g := state.SecurityGroups.See(r, state.Scope{Account: n.Account, Region: n.Region}, string(id)); g != nil {
			w.GroupName = &g.Name
		}
		out = append(out, w)
	}
	return out
}

// Wire writes an interface.
func Wire(r store.Reader, n *slipway.Interface) ec2wire.NetworkInterface {
	z, _ := slipway.FindZone(n.Region, n.Zone)
	vpc := state.VPCs.See(r, state.Scope{Account: n.Account, Region: n.Region}, string(n.VPC))
	w := ec2wire.NetworkInterface{
		NetworkInterfaceId: shape.Text(n.ID), Status: shape.Of(status(n)), SubnetId: shape.Text(n.Subnet),
		VpcId: shape.Text(n.VPC), AvailabilityZone: &n.Zone,
		AvailabilityZoneId: shape.Text(z.ID), Description: &n.Description, OwnerId: &n.Account, MacAddress: &n.MAC,
		InterfaceType: &n.Type, SourceDestCheck: &n.SourceDestCheck,
		RequesterManaged: shape.Of(n.Requester != ""), RequesterId: shape.Text(n.Requester), Groups: groups(r, n),
		TagSet: shape.Tags(n.Tags), DenyAllIgwTraffic: shape.Of(false),
		PrivateIpAddresses: []ec2wire.NetworkInterfacePrivateIpAddress{},
		Ipv6Addresses:      []ec2wire.NetworkInterfaceIpv6Address{},
		Operator:           &ec2wire.OperatorResponse{Managed: shape.Of(false)},
	}
	for i := range n.Addresses {
		a := &n.Addresses[i]
		p := ec2wire.NetworkInterfacePrivateIpAddress{
			PrivateIpAddress: shape.Of(a.IP.String()), Primary: shape.Of(i == 0),
			PrivateDnsName: shape.Text(slipway.PrivateName(n.Region, slipway.PrivateDNS{}, "", a.IP)),
		}
		if a.Public.IsValid() {
			owner := "amazon"
			if a.Allocation != "" {
				owner = n.Account
			}
			p.Association = &ec2wire.NetworkInterfaceAssociation{
				PublicIp:      shape.Of(a.Public.String()),
				PublicDnsName: shape.Text(slipway.PublicName(n.Region, vpc != nil && vpc.DNSHostnames, a.Public)),
				IpOwnerId:     &owner,
				AllocationId:  shape.Text(a.Allocation), AssociationId: shape.Text(a.Association),
			}
		}
		if i == 0 {
			w.PrivateIpAddress, w.PrivateDnsName, w.Association = p.PrivateIpAddress, p.PrivateDnsName, p.Association
		}
		w.PrivateIpAddresses = append(w.PrivateIpAddresses, p)
	}
	for i, ip := range n.IPv6 {
		w.Ipv6Addresses = append(w.Ipv6Addresses,
			ec2wire.NetworkInterfaceIpv6Address{
				Ipv6Address: shape.Of(ip.String()), IsPrimaryIpv6: shape.Of(i == 0 && n.PrimaryIPv6),
			})
	}
	for _, p := range n.Prefixes {
		w.Ipv4Prefixes = append(w.Ipv4Prefixes, ec2wire.Ipv4PrefixSpecification{Ipv4Prefix: shape.Of(p.String())})
	}
	for _, p := range n.Prefixes6 {
		w.Ipv6Prefixes = append(w.Ipv6Prefixes, ec2wire.Ipv6PrefixSpecification{Ipv6Prefix: shape.Of(p.String())})
	}
	if a := n.Attachment; a != nil {
		w.Attachment = &ec2wire.NetworkInterfaceAttachment{
			AttachmentId: shape.Text(a.ID), InstanceId: shape.Text(a.Instance), InstanceOwnerId: &n.Account,
			DeviceIndex: &a.DeviceIndex, NetworkCardIndex: &a.NetworkCard,
			Status: shape.Of(a.State()), AttachTime: &a.AttachTime, DeleteOnTermination: &a.DeleteOnTermination,
		}
	}
	return w
}

var interfaceKind = describe.Kind[slipway.Interface, ec2wire.NetworkInterface]{
	Table: state.Interfaces, Parse: describe.Form(slipway.ParseInterfaceID),
	Tags: func(n *slipway.Interface) slipway.Tags { return n.Tags }, Wire: Wire, Fields: fields,
}

// Describe answers DescribeNetworkInterfaces.
func (s *Service) Describe(
	ctx context.Context, in *ec2wire.DescribeNetworkInterfacesRequest,
) (*ec2wire.DescribeNetworkInterfacesResult, error) {
	page, next, err := interfaceKind.List(ctx, s.db,
		describe.Query{IDs: in.NetworkInterfaceIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeNetworkInterfacesResult{NetworkInterfaces: page, NextToken: next}, err
}
