package vpcs

import (
	"context"
	"net/netip"
	"slices"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/firstrules"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// maxRanges is the quota of IPv4 ranges of a VPC, the primary included.
const maxRanges = 5

func wireRange(c slipway.CIDRBlock, how string) ec2wire.VpcCidrBlockAssociation {
	return ec2wire.VpcCidrBlockAssociation{
		AssociationId: shape.Of(c.Association), CidrBlock: shape.Of(c.Prefix.String()),
		CidrBlockState: &ec2wire.VpcCidrBlockState{State: &how},
	}
}

func wireRange6(c slipway.CIDRBlock, region, how string) ec2wire.VpcIpv6CidrBlockAssociation {
	return ec2wire.VpcIpv6CidrBlockAssociation{
		AssociationId: shape.Of(c.Association), Ipv6CidrBlock: shape.Of(c.Prefix.String()),
		Ipv6CidrBlockState: &ec2wire.VpcCidrBlockState{State: &how},
		NetworkBorderGroup: &region, Ipv6Pool: shape.Of("Amazon"), Ipv6AddressAttribute: shape.Of("public"),
		IpSource: shape.Of("amazon"),
	}
}

// AssociateRange answers AssociateVpcCidrBlock.
func (s *Service) AssociateRange(
	ctx context.Context, in *ec2wire.AssociateVpcCidrBlockRequest,
) (*ec2wire.AssociateVpcCidrBlockResult, error) {
	id, err := shape.ID(in.VpcId, "VpcId", slipway.ParseVPCID)
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	if shape.Get(in.Ipv4IpamPoolId) != "" || in.Ipv4NetmaskLength != nil {
		return nil, slipway.Refused("Ipv4IpamPoolId", "there is no IP address manager here.")
	}
	if err := ipv6Source(in.Ipv6Pool, in.Ipv6CidrBlock, in.Ipv6IpamPoolId, in.Ipv6CidrBlockNetworkBorderGroup,
		in.Ipv6NetmaskLength, scope.Region); err != nil {
		return nil, err
	}
	six, text := shape.Get(in.AmazonProvidedIpv6CidrBlock), shape.Get(in.CidrBlock)
	switch {
	case six && text != "":
		return nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"Only one of cidrBlock and amazonProvidedIpv6CidrBlock can be specified")
	case !six && text == "":
		return nil, slipway.Missing("CidrBlock")
	}
	out := &ec2wire.AssociateVpcCidrBlockResult{VpcId: shape.Text(id)}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		v, err := state.VPCs.Get(tx, scope, string(id))
		if err != nil {
			return err
		}
		if six {
			c := NewCIDR(NewIPv6Range())
			first := len(v.IPv6) == 0
			v.IPv6 = append(v.IPv6, c)
			out.Ipv6CidrBlockAssociation = shape.Of(wireRange6(c, v.Region, "associating"))
			if first {
				if err := openIPv6(tx, v); err != nil {
					return err
				}
			}
			return state.VPCs.Put(tx, v)
		}
		c, err := addRange(v, text)
		if err != nil {
			return err
		}
		out.CidrBlockAssociation = shape.Of(wireRange(c, "associating"))
		return state.VPCs.Put(tx, v)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func addRange(v *slipway.VPC, text string) (slipway.CIDRBlock, error) {
	p, err := readRange(text)
	if err != nil {
		return slipway.CIDRBlock{}, err
	}
	for _, other := range v.CIDRs {
		if other.Prefix.Overlaps(p) {
			return slipway.CIDRBlock{}, slipway.Errorf(slipway.InvalidVpcRange,
				"The CIDR '%s' conflicts with a CIDR of the VPC.", p)
		}
	}
	if len(v.CIDRs) >= maxRanges {
		return slipway.CIDRBlock{}, slipway.Errorf(slipway.CidrLimitExceeded,
			"This network '%s' has met its maximum number of allowed CIDRs: %d", v.ID, maxRanges)
	}
	c := NewCIDR(p)
	v.CIDRs = append(v.CIDRs, c)
	return c, nil
}

// openIPv6 gives a VPC's ACLs what they would have had, had the VPC been made with IPv6: all of them the closing
// refusal, and the default one, while nobody has changed it, the entries that let everything pass; its group "default"
// likewise.
func openIPv6(tx store.Tx, v *slipway.VPC) error {
	scope := state.Scope{Account: v.Account, Region: v.Region}
	for shared := range state.NetworkACLs.By(tx, scope, "vpc/"+string(v.ID)) {
		err := state.NetworkACLs.Edit(tx, scope, string(shared.ID), func(a *slipway.NetworkACL) error {
			if a.Default && slices.Equal(a.Entries, firstrules.OpenEntries(false)) {
				a.Entries = firstrules.OpenEntries(true)
			} else if !slices.ContainsFunc(a.Entries, func(e slipway.ACLEntry) bool { return e.Number == 32768 }) {
				a.Entries = append(a.Entries, firstrules.ClosingEntries(true)[2:]...)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for shared := range state.SecurityGroups.By(tx, scope, "vpc/"+string(v.ID)) {
		if shared.Name != "default" {
			continue
		}
		err := state.SecurityGroups.Edit(tx, scope, string(shared.ID), func(g *slipway.SecurityGroup) error {
			open := firstrules.OpenEgress(true)
			egress := slices.DeleteFunc(slices.Clone(g.Rules), func(r slipway.Rule) bool { return !r.Egress })
			if len(egress) == 1 && egress[0].Same(open[0]) {
				g.Rules = append(g.Rules, open[1])
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// DisassociateRange answers DisassociateVpcCidrBlock.
func (s *Service) DisassociateRange(
	ctx context.Context, in *ec2wire.DisassociateVpcCidrBlockRequest,
) (*ec2wire.DisassociateVpcCidrBlockResult, error) {
	id, err := shape.Need(in.AssociationId, "AssociationId")
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	out := &ec2wire.DisassociateVpcCidrBlockResult{}
	is := func(c slipway.CIDRBlock) bool { return c.Association == id }
	err = s.db.Update(ctx, func(tx store.Tx) error {
		for shared := range state.VPCs.All(tx, scope) {
			four, six := slices.IndexFunc(shared.CIDRs, is), slices.IndexFunc(shared.IPv6, is)
			if four < 0 && six < 0 {
				continue
			}
			if four == 0 {
				return slipway.Errorf(slipway.OperationNotPermitted,
					"The vpc CIDR block with association ID %s may not be disassociated. It is the primary IPv4 "+
						"CIDR block of the VPC",
					id)
			}
			out.VpcId = shape.Text(shared.ID)
			return state.VPCs.Edit(tx, scope, string(shared.ID), func(v *slipway.VPC) error {
				var gone slipway.CIDRBlock
				if four > 0 {
					gone = v.CIDRs[four]
					v.CIDRs = slices.Delete(v.CIDRs, four, four+1)
					out.CidrBlockAssociation = shape.Of(wireRange(gone, "disassociating"))
				} else {
					gone = v.IPv6[six]
					v.IPv6 = slices.Delete(v.IPv6, six, six+1)
					out.Ipv6CidrBlockAssociation = shape.Of(wireRange6(gone, v.Region, "disassociating"))
				}
				for sub := range state.Subnets.By(tx, scope, "vpc/"+string(v.ID)) {
					if gone.Prefix.Overlaps(sub.CIDR) || sub.IPv6.Prefix.IsValid() && gone.Prefix.Overlaps(sub.IPv6.Prefix) {
						return slipway.Errorf(slipway.DependencyViolation,
							"The CIDR block '%s' has dependencies and cannot be disassociated: subnet %s is in it.",
							gone.Prefix, sub.ID)
					}
				}
				return nil
			})
		}
		return slipway.Errorf(slipway.InvalidVpcCidrBlockAssociationIDNotFound,
			"The vpc CIDR block association ID '%s' does not exist", id)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func wireSubnetRange(c slipway.CIDRBlock, how string) ec2wire.SubnetIpv6CidrBlockAssociation {
	return ec2wire.SubnetIpv6CidrBlockAssociation{
		AssociationId: shape.Of(c.Association), Ipv6CidrBlock: shape.Of(c.Prefix.String()),
		Ipv6CidrBlockState:   &ec2wire.SubnetCidrBlockState{State: &how},
		Ipv6AddressAttribute: shape.Of("public"), IpSource: shape.Of("amazon"),
	}
}

// subnetRange6 takes an IPv6 range for a subnet: a /64 of its VPC's that no other subnet has.
func subnetRange6(tx store.Tx, v *slipway.VPC, text string) (slipway.CIDRBlock, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil || !p.Addr().Is6() {
		return slipway.CIDRBlock{}, slipway.Invalid(text, "ipv6CidrBlock", "This is not a valid IPv6 CIDR block.")
	}
	p = p.Masked()
	within := func(c slipway.CIDRBlock) bool { return c.Prefix.Contains(p.Addr()) }
	if p.Bits() != 64 || !slices.ContainsFunc(v.IPv6, within) {
		return slipway.CIDRBlock{}, slipway.Errorf(slipway.InvalidSubnetRange,
			"The CIDR '%s' is invalid: it must be a /64 of the VPC's IPv6 range.", text)
	}
	for other := range state.Subnets.By(tx, state.Scope{Account: v.Account, Region: v.Region}, "vpc/"+string(v.ID)) {
		if other.IPv6.Prefix == p {
			return slipway.CIDRBlock{}, slipway.Errorf(slipway.InvalidSubnetConflict,
				"The CIDR '%s' conflicts with another subnet", p)
		}
	}
	return slipway.CIDRBlock{Association: slipway.NewID("subnet-cidr-assoc"), Prefix: p}, nil
}

// AssociateSubnetRange answers AssociateSubnetCidrBlock.
func (s *Service) AssociateSubnetRange(
	ctx context.Context, in *ec2wire.AssociateSubnetCidrBlockRequest,
) (*ec2wire.AssociateSubnetCidrBlockResult, error) {
	id, err := shape.ID(in.SubnetId, "SubnetId", slipway.ParseSubnetID)
	if err != nil {
		return nil, err
	}
	if shape.Get(in.Ipv6IpamPoolId) != "" || in.Ipv6NetmaskLength != nil {
		return nil, slipway.Refused("Ipv6IpamPoolId", "there is no IP address manager here.")
	}
	text, err := shape.Need(in.Ipv6CidrBlock, "Ipv6CidrBlock")
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	out := &ec2wire.AssociateSubnetCidrBlockResult{SubnetId: shape.Text(id)}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		return state.Subnets.Edit(tx, scope, string(id), func(sub *slipway.Subnet) error {
			if sub.IPv6.Prefix.IsValid() {
				return slipway.Errorf(slipway.InvalidSubnetConflict, "The subnet '%s' already has an IPv6 CIDR block", id)
			}
			v, err := state.VPCs.Require(tx, scope, string(sub.VPC))
			if err != nil {
				return err
			}
			if sub.IPv6, err = subnetRange6(tx, v, text); err != nil {
				return err
			}
			out.Ipv6CidrBlockAssociation = shape.Of(wireSubnetRange(sub.IPv6, "associating"))
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DisassociateSubnetRange answers DisassociateSubnetCidrBlock.
func (s *Service) DisassociateSubnetRange(
	ctx context.Context, in *ec2wire.DisassociateSubnetCidrBlockRequest,
) (*ec2wire.DisassociateSubnetCidrBlockResult, error) {
	id, err := shape.Need(in.AssociationId, "AssociationId")
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	out := &ec2wire.DisassociateSubnetCidrBlockResult{}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		for shared := range state.Subnets.All(tx, scope) {
			if shared.IPv6.Association != id {
				continue
			}
			for n := range state.Interfaces.By(tx, scope, "subnet/"+string(shared.ID)) {
				if len(n.IPv6)+len(n.Prefixes6) > 0 {
					return slipway.Errorf(slipway.DependencyViolation,
						"The CIDR block '%s' has dependencies and cannot be disassociated: %s has an address of it.",
						shared.IPv6.Prefix, n.ID)
				}
			}
			return state.Subnets.Edit(tx, scope, string(shared.ID), func(sub *slipway.Subnet) error {
				out.SubnetId, out.Ipv6CidrBlockAssociation = shape.Text(sub.ID),
					shape.Of(wireSubnetRange(sub.IPv6, "disassociating"))
				sub.IPv6, sub.IPv6OnCreation = slipway.CIDRBlock{}, false
				return nil
			})
		}
		return slipway.Errorf(slipway.InvalidSubnetCidrBlockAssociationIDNotFound,
			"The subnet CIDR block association ID '%s' does not exist", id)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
