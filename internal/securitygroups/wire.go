package securitygroups

import (
	"net/netip"
	"strings"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
)

var protocolNames = map[string]string{"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}

// ports are absent in ipPermissions where a rule is for all traffic; in securityGroupRuleSet they are -1 there.
func ports(r slipway.Rule) (from, to *int32) {
	if r.Protocol == "-1" || r.Protocol != "tcp" && r.Protocol != "udp" && r.Protocol != "icmp" && r.Protocol != "icmpv6" {
		return nil, nil
	}
	return &r.From, &r.To
}

// permissions merges rules of one protocol and range into one entry with many sources, as EC2 shows them.
func permissions(g *slipway.SecurityGroup, egress bool) []ec2wire.IpPermission {
	out := []ec2wire.IpPermission{}
	type kind struct {
		protocol string
		from, to int32
	}
	at := map[kind]int{}
	for _, r := range g.Rules {
		if r.Egress != egress {
			continue
		}
		k := kind{r.Protocol, r.From, r.To}
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			from, to := ports(r)
			out = append(out, ec2wire.IpPermission{
				IpProtocol: shape.Of(r.Protocol), FromPort: from, ToPort: to,
				UserIdGroupPairs: []ec2wire.UserIdGroupPair{}, IpRanges: []ec2wire.IpRange{},
				Ipv6Ranges: []ec2wire.Ipv6Range{}, PrefixListIds: []ec2wire.PrefixListId{},
			})
		}
		p := &out[i]
		d := shape.Text(r.Description)
		switch {
		case r.Group != "":
			p.UserIdGroupPairs = append(p.UserIdGroupPairs,
				ec2wire.UserIdGroupPair{GroupId: shape.Text(r.Group), UserId: shape.Of(r.GroupOwner), Description: d})
		case r.PrefixList != "":
			p.PrefixListIds = append(p.PrefixListIds,
				ec2wire.PrefixListId{PrefixListId: shape.Of(r.PrefixList), Description: d})
		case r.CIDR.Addr().Is4():
			p.IpRanges = append(p.IpRanges, ec2wire.IpRange{CidrIp: shape.Of(r.CIDR.String()), Description: d})
		default:
			p.Ipv6Ranges = append(p.Ipv6Ranges, ec2wire.Ipv6Range{CidrIpv6: shape.Of(r.CIDR.String()), Description: d})
		}
	}
	return out
}

func wireRule(g *slipway.SecurityGroup, r slipway.Rule) ec2wire.SecurityGroupRule {
	from, to := r.From, r.To
	if f, _ := ports(r); f == nil {
		from, to = -1, -1
	}
	w := ec2wire.SecurityGroupRule{
		SecurityGroupRuleId: shape.Text(r.ID), GroupId: shape.Text(g.ID), GroupOwnerId: &g.Account, IsEgress: &r.Egress,
		IpProtocol: &r.Protocol,
		FromPort:   &from, ToPort: &to, Description: shape.Text(r.Description), Tags: shape.Tags(r.Tags),
		SecurityGroupRuleArn: shape.Of(slipway.ARN(g.Region, g.Account, "security-group-rule/"+string(r.ID))),
	}
	switch {
	case r.Group != "":
		w.ReferencedGroupInfo = &ec2wire.ReferencedSecurityGroup{GroupId: shape.Text(r.Group), UserId: shape.Of(r.GroupOwner)}
	case r.PrefixList != "":
		w.PrefixListId = shape.Of(r.PrefixList)
	case r.CIDR.Addr().Is4():
		w.CidrIpv4 = shape.Of(r.CIDR.String())
	default:
		w.CidrIpv6 = shape.Of(r.CIDR.String())
	}
	return w
}

func wireGroup(g *slipway.SecurityGroup) ec2wire.SecurityGroup {
	return ec2wire.SecurityGroup{
		GroupId: shape.Text(g.ID), GroupName: &g.Name, Description: &g.Description, VpcId: shape.Text(g.VPC),
		OwnerId: &g.Account, Tags: shape.Tags(g.Tags),
		SecurityGroupArn: shape.Of(slipway.ARN(g.Region, g.Account, "security-group/"+string(g.ID))),
		IpPermissions:    permissions(g, false), IpPermissionsEgress: permissions(g, true),
	}
}

// source is a rule's other end before groups' names are looked up.
type source struct {
	slipway.Rule
	groupName string
}

// readPermissions takes IpPermissions apart into one rule for each source.
func readPermissions(in []ec2wire.IpPermission, egress bool) ([]source, error) {
	var out []source
	for _, p := range in {
		base, err := readProtocol(shape.Get(p.IpProtocol), p.FromPort, p.ToPort)
		if err != nil {
			return nil, err
		}
		base.Egress = egress
		before := len(out)
		for _, c := range p.IpRanges {
			r := source{Rule: base}
			if r.CIDR, err = readCIDR(shape.Get(c.CidrIp), true); err != nil {
				return nil, err
			}
			r.Description = shape.Get(c.Description)
			out = append(out, r)
		}
		for _, c := range p.Ipv6Ranges {
			r := source{Rule: base}
			if r.CIDR, err = readCIDR(shape.Get(c.CidrIpv6), false); err != nil {
				return nil, err
			}
			r.Description = shape.Get(c.Description)
			out = append(out, r)
		}
		for _, g := range p.UserIdGroupPairs {
			r := source{Rule: base, groupName: shape.Get(g.GroupName)}
			if id := shape.Get(g.GroupId); id != "" {
				if r.Group, err = slipway.ParseSecurityGroupID(id); err != nil {
					return nil, err
				}
			} else if r.groupName == "" {
				return nil, slipway.Missing("GroupId")
			}
			r.GroupOwner, r.Description = shape.Get(g.UserId), shape.Get(g.Description)
			out = append(out, r)
		}
		for _, l := range p.PrefixListIds {
			r := source{Rule: base}
			if r.PrefixList, err = shape.Need(l.PrefixListId, "PrefixListId"); err != nil {
				return nil, err
			}
			r.Description = shape.Get(l.Description)
			out = append(out, r)
		}
		if len(out) == before {
			return nil, slipway.Missing("IpPermissions.IpRanges")
		}
	}
	for _, r := range out {
		if err := action.RuleDescription.Check(r.Description); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// errBothPorts is for rules that would mean all ports by saying nothing (rule rule-ports).
var errBothPorts = slipway.Errorf(slipway.InvalidParameterValue,
	"Invalid value 'Must specify both from and to ports with TCP/UDP/ICMP.' for portRange.")

// readProtocol reads what a rule says of protocol and ports, or of an ICMP type and code.
func readProtocol(protocol string, from, to *int32) (slipway.Rule, error) {
	protocol = strings.ToLower(protocol)
	if name, ok := protocolNames[protocol]; ok {
		protocol = name
	}
	r := slipway.Rule{Protocol: protocol, From: -1, To: -1}
	switch protocol {
	case "":
		return r, slipway.Errorf(slipway.InvalidParameterValue,
			"Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly.")
	case "-1":
		return r, nil
	case "tcp", "udp":
		if from == nil || to == nil {
			return r, errBothPorts
		}
		if *from == -1 && *to == -1 {
			r.From, r.To = 0, 65535
			return r, nil
		}
		if *from < 0 || *to > 65535 || *from > *to {
			return r, slipway.Errorf(slipway.InvalidParameterValue,
				"Invalid value '%d-%d' for portRange. Must be 0 to 65535, the first not above the last.", *from, *to)
		}
		r.From, r.To = *from, *to
		return r, nil
	case "icmp", "icmpv6":
		if protocol == "icmp" && (from == nil || to == nil) {
			return r, errBothPorts
		}
		if from != nil {
			r.From = *from
		}
		if to != nil {
			r.To = *to
		}
		if r.From < -1 || r.From > 255 || r.To < -1 || r.To > 255 {
			return r, slipway.Errorf(slipway.InvalidParameterValue, "Invalid ICMP type or code '%d/%d'.", r.From, r.To)
		}
		if r.From == -1 && r.To != -1 {
			return r, slipway.Errorf(slipway.InvalidParameterValue,
				"Invalid value '%d' for ICMP code. The ICMP type -1 (all types) has the code -1 (all codes).", r.To)
		}
		return r, nil
	}
	for _, ch := range protocol {
		if ch < '0' || ch > '9' {
			return r, slipway.Errorf(slipway.InvalidParameterValue,
				"Invalid value '%s' for IP protocol. Unknown protocol.", protocol)
		}
	}
	if len(protocol) > 3 || len(protocol) == 3 && protocol > "255" {
		return r, slipway.Errorf(slipway.InvalidParameterValue, "Invalid value '%s' for IP protocol. Unknown protocol.",
			protocol)
	}
	return r, nil
}

func readCIDR(s string, four bool) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4() != four {
		return p, slipway.Errorf(slipway.InvalidParameterValue, "CIDR block %s is malformed", s)
	}
	return p.Masked(), nil
}
