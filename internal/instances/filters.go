package instances

import (
	"strconv"
	"strings"
	"time"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
)

func at(t time.Time) []string { return []string{t.UTC().Format(ec2query.TimeForm)} }

func text(p *string) []string {
	if p == nil {
		return nil
	}
	return []string{*p}
}

// fields are DescribeInstances' filters (rule filter-names), most of them read off the description itself, so that a
// filter can never disagree with what is shown.
var fields = makeFields()

// shown is an instance with its description, made once for all filters that read it.
type shown struct {
	view
	wire ec2wire.Instance
}

func (j *viewer) show(in *slipway.Instance) *shown {
	v := j.view(in)
	return &shown{view: v, wire: v.wire()}
}

// shownMembers are the filters that read a member of the description.
var shownMembers = describe.Shown[ec2wire.Instance](
	"affinity=Placement.Affinity",
	"architecture",
	"availability-zone-id=Placement.AvailabilityZoneId",
	"availability-zone=Placement.AvailabilityZone",
	"block-device-mapping.attach-time=BlockDeviceMappings.Ebs.AttachTime",
	"block-device-mapping.delete-on-termination=BlockDeviceMappings.Ebs.DeleteOnTermination",
	"block-device-mapping.device-name=BlockDeviceMappings.DeviceName",
	"block-device-mapping.status=BlockDeviceMappings.Ebs.Status",
	"block-device-mapping.volume-id=BlockDeviceMappings.Ebs.VolumeId",
	"boot-mode",
	"capacity-reservation-id",
	"current-instance-boot-mode",
	"dns-name=PublicDnsName",
	"ebs-optimized",
	"ena-support",
	"enclave-options.enabled",
	"host-id=Placement.HostId",
	"hypervisor",
	"ip-address=PublicIpAddress",
	"maintenance-options.auto-recovery",
	"metadata-options.state",
	"monitoring-state=Monitoring.State",
	"network-performance-options.bandwidth-weighting",
	"platform",
	"platform-details",
	"private-dns-name",
	"private-ip-address",
	"root-device-type",
	"source-dest-check",
	"subnet-id",
	"tenancy=Placement.Tenancy",
	"usage-operation",
	"virtualization-type",
	"vpc-id",
)

func makeFields() filters.Fields[*shown] {
	f := filters.Through(shownMembers, func(s *shown) *ec2wire.Instance { return &s.wire })
	own := func(name string, get func(*shown) []string) { f[name] = get }
	own("capacity-reservation-specification.capacity-reservation-preference", func(s *shown) []string {
		return shape.One(s.CapacityPreference)
	})
	own("capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id",
		func(s *shown) []string { return shape.One(s.CapacityTarget) })
	own("capacity-reservation-specification.capacity-reservation-target.capacity-reservation-resource-group-arn",
		func(*shown) []string { return nil })
	own("client-token", func(s *shown) []string { return shape.One(s.ClientToken) })
	own("hibernation-options.configured", func(s *shown) []string { return shape.Yes(s.Hibernation) })
	own("iam-instance-profile.arn", func(s *shown) []string { return shape.One(s.Profile) })
	own("iam-instance-profile.id", func(s *shown) []string { return shape.One(s.ProfileID) })
	own("iam-instance-profile.name", func(s *shown) []string {
		return shape.One(s.Profile[strings.LastIndexByte(s.Profile, '/')+1:])
	})
	own("image-id", func(s *shown) []string { return shape.One(s.Image) })
	own("instance-id", func(s *shown) []string { return shape.One(s.ID) })
	own("instance-lifecycle", func(s *shown) []string { return shape.One(s.Lifecycle) })
	own("instance-state-code", func(s *shown) []string { return []string{strconv.Itoa(int(s.State.Code()))} })
	own("instance-state-name", func(s *shown) []string { return shape.One(s.State) })
	own("instance-type", func(s *shown) []string { return shape.One(s.Type) })
	own("kernel-id", func(*shown) []string { return nil })
	own("ramdisk-id", func(*shown) []string { return nil })
	own("outpost-arn", func(*shown) []string { return nil })
	own("tpm-support", func(*shown) []string { return nil })
	own("operator.principal", func(*shown) []string { return nil })
	own("operator.managed", func(*shown) []string { return shape.Yes(false) })
	own("key-name", func(s *shown) []string { return shape.One(s.KeyName) })
	own("launch-index", func(s *shown) []string { return []string{strconv.Itoa(int(s.LaunchIndex))} })
	own("launch-time", func(s *shown) []string { return at(s.LaunchTime) })
	own("metadata-options.http-endpoint", func(s *shown) []string { return shape.One(s.Metadata.HTTPEndpoint) })
	own("metadata-options.http-protocol-ipv4", func(s *shown) []string { return shape.One(s.Metadata.HTTPEndpoint) })
	own("metadata-options.http-protocol-ipv6", func(s *shown) []string { return shape.One(s.Metadata.HTTPIPv6) })
	own("metadata-options.http-put-response-hop-limit", func(s *shown) []string {
		return []string{strconv.Itoa(int(s.Metadata.HopLimit))}
	})
	own("metadata-options.http-tokens", func(s *shown) []string { return shape.One(s.Metadata.HTTPTokens) })
	own("metadata-options.instance-metadata-tags", func(s *shown) []string { return shape.One(s.Metadata.Tags) })
	own("owner-id", func(s *shown) []string { return shape.One(s.Account) })
	own("placement-group-name", func(s *shown) []string { return shape.One(s.Placement.GroupName) })
	own("placement-partition-number", func(s *shown) []string {
		if s.Placement.Partition == 0 {
			return nil
		}
		return []string{strconv.Itoa(int(s.Placement.Partition))}
	})
	own("private-dns-name-options.enable-resource-name-dns-a-record", func(s *shown) []string {
		return shape.Yes(s.DNS.ARecord)
	})
	own("private-dns-name-options.enable-resource-name-dns-aaaa-record", func(s *shown) []string {
		return shape.Yes(s.DNS.AAAARecord)
	})
	own("private-dns-name-options.hostname-type", func(s *shown) []string { return shape.One(s.DNS.HostnameType) })
	own("product-code", func(s *shown) []string { return s.ProductCodes })
	own("product-code.type", func(s *shown) []string {
		if len(s.ProductCodes) == 0 {
			return nil
		}
		return []string{"marketplace"}
	})
	own("reason", func(s *shown) []string { return []string{s.TransitionReason} })
	own("requester-id", func(s *shown) []string { return shape.One(s.Requester) })
	own("reservation-id", func(s *shown) []string { return shape.One(s.Reservation) })
	own("root-device-name", func(s *shown) []string { return shape.One(s.RootDevice) })
	own("spot-instance-request-id", func(s *shown) []string { return shape.One(s.SpotRequest) })
	own("state-reason-code", func(s *shown) []string { return shape.One(s.Reason.Code) })
	own("state-reason-message", func(s *shown) []string { return shape.One(s.Reason.Message) })
	own("usage-operation-update-time", func(s *shown) []string { return at(s.LaunchTime) })
	own("ipv6-address", func(s *shown) []string {
		var out []string
		for _, n := range s.ports {
			for _, ip := range n.IPv6 {
				out = append(out, ip.String())
			}
		}
		return out
	})
	groups := func(names, classicOnly bool) func(*shown) []string {
		return func(s *shown) []string {
			if classicOnly && s.VPC != "" {
				return nil
			}
			var out []string
			for _, id := range s.ownGroups() {
				if names {
					out = append(out, s.groups[id])
				} else {
					out = append(out, string(id))
				}
			}
			return out
		}
	}
	own("instance.group-id", groups(false, false))
	own("instance.group-name", groups(true, false))
	own("group-id", groups(false, true))
	own("group-name", groups(true, true))
	portFields(f)
	return f
}

func portFields(f filters.Fields[*shown]) {
	each := func(name string, get func(*shown, *slipway.Interface) []string) {
		f["network-interface."+name] = func(s *shown) []string {
			var out []string
			for _, n := range s.ports {
				out = append(out, get(s, n)...)
			}
			return out
		}
	}
	address := func(name string, primaryOnly bool, get func(*shown, slipway.PrivateAddress) []string) {
		each(name, func(s *shown, n *slipway.Interface) []string {
			var out []string
			for i, a := range n.Addresses {
				if !primaryOnly || i == 0 {
					out = append(out, get(s, a)...)
				}
			}
			return out
		})
	}
	public := func(s *shown, a slipway.PrivateAddress) []string {
		if !a.Public.IsValid() {
			return nil
		}
		return []string{a.Public.String()}
	}
	owner := func(s *shown, a slipway.PrivateAddress) []string {
		switch {
		case !a.Public.IsValid():
			return nil
		case a.Allocation != "":
			return []string{s.Account}
		}
		return []string{"amazon"}
	}
	name := func(s *shown, a slipway.PrivateAddress) []string {
		return shape.One(slipway.PublicName(s.Region, s.vpc == nil || s.vpc.DNSHostnames, a.Public))
	}
	for _, at := range []struct {
		prefix  string
		primary bool
	}{{"association.", true}, {"addresses.association.", false}} {
		address(at.prefix+"allocation-id", at.primary, func(_ *shown, a slipway.PrivateAddress) []string {
			return shape.One(a.Allocation)
		})
		address(at.prefix+"association-id", at.primary, func(_ *shown, a slipway.PrivateAddress) []string {
			return shape.One(a.Association)
		})
		address(at.prefix+"carrier-ip", at.primary, func(*shown, slipway.PrivateAddress) []string { return nil })
		address(at.prefix+"customer-owned-ip", at.primary, func(*shown, slipway.PrivateAddress) []string { return nil })
		address(at.prefix+"ip-owner-id", at.primary, owner)
		address(at.prefix+"public-dns-name", at.primary, name)
		address(at.prefix+"public-ip", at.primary, public)
	}
	address("addresses.private-ip-address", false, func(_ *shown, a slipway.PrivateAddress) []string {
		return []string{a.IP.String()}
	})
	address("private-ip-address", true, func(_ *shown, a slipway.PrivateAddress) []string { return []string{a.IP.String()} })
	address("addresses.private-dns-name", false, func(s *shown, a slipway.PrivateAddress) []string {
		if s.vpc != nil && !s.vpc.DNSHostnames {
			return nil
		}
		return []string{slipway.PrivateName(s.Region, slipway.PrivateDNS{}, "", a.IP)}
	})
	address("private-dns-name", true, func(s *shown, a slipway.PrivateAddress) []string {
		if s.vpc != nil && !s.vpc.DNSHostnames {
			return nil
		}
		return []string{slipway.PrivateName(s.Region, slipway.PrivateDNS{}, "", a.IP)}
	})
	address("public-dns-name", true, name)
	each("addresses.primary", func(_ *shown, n *slipway.Interface) []string {
		out := []string{"true"}
		if len(n.Addresses) > 1 {
			out = append(out, "false")
		}
		return out
	})
	attachment := func(name string, get func(*slipway.Attachment) []string) {
		each("attachment."+name, func(_ *shown, n *slipway.Interface) []string {
			if n.Attachment == nil {
				return nil
			}
			return get(n.Attachment)
		})
	}
	attachment("attach-time", func(a *slipway.Attachment) []string { return at(a.AttachTime) })
	attachment("attachment-id", func(a *slipway.Attachment) []string { return shape.One(a.ID) })
	attachment("delete-on-termination", func(a *slipway.Attachment) []string { return shape.Yes(a.DeleteOnTermination) })
	attachment("device-index", func(a *slipway.Attachment) []string { return []string{strconv.Itoa(int(a.DeviceIndex))} })
	attachment("instance-id", func(a *slipway.Attachment) []string { return shape.One(a.Instance) })
	attachment("network-card-index", func(a *slipway.Attachment) []string { return []string{strconv.Itoa(int(a.NetworkCard))} })
	each("attachment.instance-owner-id", func(s *shown, _ *slipway.Interface) []string { return []string{s.Account} })
	each("attachment.status", func(s *shown, n *slipway.Interface) []string {
		w := s.view.port(n)
		return text(w.Attachment.Status)
	})
	each("availability-zone", func(_ *shown, n *slipway.Interface) []string { return []string{n.Zone} })
	each("deny-all-igw-traffic", func(*shown, *slipway.Interface) []string { return shape.Yes(false) })
	each("description", func(_ *shown, n *slipway.Interface) []string { return []string{n.Description} })
	each("group-id", func(_ *shown, n *slipway.Interface) []string {
		var out []string
		for _, g := range n.Groups {
			out = append(out, string(g))
		}
		return out
	})
	each("group-name", func(s *shown, n *slipway.Interface) []string {
		var out []string
		for _, g := range n.Groups {
			out = append(out, s.groups[g])
		}
		return out
	})
	each("ipv4-prefixes.ipv4-prefix", func(_ *shown, n *slipway.Interface) []string {
		var out []string
		for _, p := range n.Prefixes {
			out = append(out, p.String())
		}
		return out
	})
	each("ipv6-prefixes.ipv6-prefix", func(_ *shown, n *slipway.Interface) []string {
		var out []string
		for _, p := range n.Prefixes6 {
			out = append(out, p.String())
		}
		return out
	})
	six := func(_ *shown, n *slipway.Interface) []string {
		var out []string
		for _, ip := range n.IPv6 {
			out = append(out, ip.String())
		}
		return out
	}
	each("ipv6-address", six)
	each("ipv6-addresses.ipv6-address", six)
	each("ipv6-addresses.is-primary-ipv6", func(_ *shown, n *slipway.Interface) []string { return shape.Yes(n.PrimaryIPv6) })
	each("ipv6-native", func(*shown, *slipway.Interface) []string { return shape.Yes(false) })
	each("mac-address", func(_ *shown, n *slipway.Interface) []string { return []string{n.MAC} })
	each("network-interface-id", func(_ *shown, n *slipway.Interface) []string { return shape.One(n.ID) })
	each("operator.managed", func(*shown, *slipway.Interface) []string { return shape.Yes(false) })
	each("operator.principal", func(*shown, *slipway.Interface) []string { return nil })
	each("outpost-arn", func(*shown, *slipway.Interface) []string { return nil })
	each("owner-id", func(_ *shown, n *slipway.Interface) []string { return []string{n.Account} })
	each("requester-id", func(_ *shown, n *slipway.Interface) []string { return shape.One(n.Requester) })
	each("requester-managed", func(*shown, *slipway.Interface) []string { return shape.Yes(false) })
	each("status", func(*shown, *slipway.Interface) []string { return []string{"in-use"} })
	each("source-dest-check", func(_ *shown, n *slipway.Interface) []string { return shape.Yes(n.SourceDestCheck) })
	each("subnet-id", func(_ *shown, n *slipway.Interface) []string { return shape.One(n.Subnet) })
	each("vpc-id", func(_ *shown, n *slipway.Interface) []string { return shape.One(n.VPC) })
	each("tag-key", func(_ *shown, n *slipway.Interface) []string { return n.Tags.Keys() })
	each("tag-value", func(_ *shown, n *slipway.Interface) []string {
		var out []string
		for _, v := range n.Tags {
			out = append(out, v)
		}
		return out
	})
}
