package interfaces

import (
	"context"
	"time"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
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

func status(n *slipway.Interface) string {
	if n.Attachment != nil || n.Requester != "" {
		return "in-use"
	}
	return "available"
}

var fields = describe.Shown[ec2wire.NetworkInterface](
	"addresses.association.owner-id=PrivateIpAddresses.Association.IpOwnerId",
	"addresses.association.public-ip=PrivateIpAddresses.Association.PublicIp",
	"addresses.primary=PrivateIpAddresses.Primary", "addresses.private-ip-address=PrivateIpAddresses.PrivateIpAddress",
	"association.allocation-id", "association.association-id", "association.ip-owner-id", "association.public-dns-name",
	"association.public-ip", "attachment.attach-time", "attachment.attachment-id", "attachment.delete-on-termination",
	"attachment.device-index", "attachment.instance-id", "attachment.instance-owner-id", "attachment.status",
	"availability-zone", "availability-zone-id", "description", "group-id=Groups.GroupId", "group-name=Groups.GroupName",
	"interface-type", "ipv6-addresses.ipv6-address", "mac-address", "network-interface-id", "operator.managed",
	"operator.principal", "owner-id", "private-dns-name", "private-ip-address", "requester-id", "requester-managed",
	"source-dest-check", "status", "subnet-id", "vpc-id",
)

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
		}
		if vpc != nil && vpc.DNSHostnames {
			p.PrivateDnsName = shape.Text(slipway.PrivateName(n.Region, slipway.PrivateDNS{}, "", a.IP))
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
	Tags: func(n *slipway.Interface) slipway.Tags { return n.Tags }, Wire: Wire, Shown: fields,
}

// Describe answers DescribeNetworkInterfaces.
func (s *Service) Describe(
	ctx context.Context, in *ec2wire.DescribeNetworkInterfacesRequest,
) (*ec2wire.DescribeNetworkInterfacesResult, error) {
	page, next, err := interfaceKind.List(ctx, s.db,
		describe.Query{IDs: in.NetworkInterfaceIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeNetworkInterfacesResult{NetworkInterfaces: page, NextToken: next}, err
}
