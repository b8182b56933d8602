// Package networkacls is the room of network ACLs: their entries, and which subnet has which. A VPC makes its default
// one itself. It must not touch the host: the agent's data plane follows the records.
package networkacls

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/firstrules"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/vpcs"
)

// Service answers the network ACL actions.
type Service struct {
	db  state.DB
	now func() time.Time
}

// New makes the room.
func New(db state.DB, now func() time.Time) *Service { return &Service{db, now} }

// Create answers CreateNetworkAcl: a new one lets nothing pass.
func (s *Service) Create(ctx context.Context, in *ec2wire.CreateNetworkAclRequest) (*ec2wire.CreateNetworkAclResult, error) {
	p, err := vpcs.ReadPart(ctx, "network-acl", in.VpcId, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	once := state.OnceOf(p.Scope, "CreateNetworkAcl", in)
	a := &slipway.NetworkACL{
		ID: slipway.NewNetworkACLID(), Account: p.Scope.Account, Region: p.Scope.Region, VPC: p.Vpc, Tags: p.Tags,
	}
	out := &ec2wire.CreateNetworkAclResult{ClientToken: in.ClientToken}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		before, err := once.Seen(tx)
		if err != nil {
			return err
		}
		if before != nil {
			if a, err = state.NetworkACLs.Require(tx, p.Scope, before.Result); err != nil {
				return err
			}
			out.NetworkAcl = shape.Of(wire(tx, a))
			return nil
		}
		v, err := state.VPCs.Require(tx, p.Scope, string(p.Vpc))
		if err != nil {
			return err
		}
		a.Entries = firstrules.ClosingEntries(len(v.IPv6) > 0)
		out.NetworkAcl = shape.Of(wire(tx, a))
		if err := state.NetworkACLs.Put(tx, a); err != nil {
			return err
		}
		return once.Keep(tx, string(a.ID), s.now())
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Delete answers DeleteNetworkAcl.
func (s *Service) Delete(ctx context.Context, in *ec2wire.DeleteNetworkAclRequest) error {
	return vpcs.Remove(ctx, s.db, state.NetworkACLs, in.NetworkAclId, "NetworkAclId",
		func(tx store.Tx, a *slipway.NetworkACL) error {
			if a.Default {
				return slipway.Errorf(slipway.InvalidParameterValue, "cannot delete default network ACL %s", a.ID)
			}
			scope := state.Of(ctx)
			for sub := range state.Subnets.By(tx, scope, "vpc/"+string(a.VPC)) {
				if sub.NetworkACL == a.ID {
					return slipway.Errorf(slipway.DependencyViolation,
						"The networkAcl '%s' has dependencies and cannot be deleted.", a.ID)
				}
			}
			return nil
		})
}

// maxEntry is the highest number that a caller may use: those above are the closing refusals.
const maxEntry = 32766

var protocols = map[string]string{"all": "-1", "tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58"}

// readEntry reads the members that Create and Replace share.
func readEntry(in *ec2wire.CreateNetworkAclEntryRequest) (slipway.ACLEntry, error) {
	e := slipway.ACLEntry{Number: shape.Get(in.RuleNumber), Egress: shape.Get(in.Egress), Protocol: shape.Get(in.Protocol)}
	if name, ok := protocols[e.Protocol]; ok {
		e.Protocol = name
	}
	n, err := strconv.Atoi(e.Protocol)
	switch {
	case in.RuleNumber == nil:
		return e, slipway.Missing("RuleNumber")
	case in.Egress == nil:
		return e, slipway.Missing("Egress")
	case e.Number < 1 || e.Number > maxEntry:
		return e, slipway.Invalid(strconv.Itoa(int(e.Number)), "ruleNumber", "It must be 1 to 32766.")
	case e.Protocol == "":
		return e, slipway.Missing("Protocol")
	case err != nil || n < -1 || n > 255:
		return e, slipway.Invalid(e.Protocol, "protocol", "It must be a protocol's number, or -1 for all.")
	}
	switch a := shape.Get(in.RuleAction); a {
	case "allow", "deny":
		e.Allow = a == "allow"
	case "":
		return e, slipway.Missing("RuleAction")
	default:
		return e, slipway.Invalid(a, "ruleAction", "It must be allow or deny.")
	}
	four, six := shape.Get(in.CidrBlock), shape.Get(in.Ipv6CidrBlock)
	switch {
	case four == "" && six == "":
		return e, slipway.Missing("CidrBlock")
	case four != "" && six != "":
		return e, slipway.Errorf(slipway.InvalidParameterCombination,
			"The parameter cidrBlock cannot be used with the parameter ipv6CidrBlock")
	}
	p, err := netip.ParsePrefix(four + six)
	if err != nil || p.Addr().Is4() != (four != "") {
		return e, slipway.Invalid(four+six, "cidrBlock", "This is not a valid CIDR block.")
	}
	e.CIDR = p.Masked()
	switch e.Protocol {
	case "6", "17":
		if in.PortRange == nil || in.PortRange.From == nil || in.PortRange.To == nil {
			return e, slipway.Missing("PortRange")
		}
		if e.From, e.To = *in.PortRange.From, *in.PortRange.To; e.From < 0 || e.To > 65535 || e.From > e.To {
			return e, slipway.Errorf(slipway.InvalidParameterValue,
				"Invalid value '%d-%d' for portRange. Must be 0 to 65535, the first not above the last.", e.From, e.To)
		}
	case "1", "58":
		if in.IcmpTypeCode == nil || in.IcmpTypeCode.Type == nil || in.IcmpTypeCode.Code == nil {
			return e, slipway.Missing("Icmp.Type")
		}
		if e.ICMPType, e.ICMPCode = *in.IcmpTypeCode.Type, *in.IcmpTypeCode.Code; e.ICMPType < -1 || e.ICMPType > 255 ||
			e.ICMPCode < -1 || e.ICMPCode > 255 {
			return e, slipway.Errorf(slipway.InvalidParameterValue, "Invalid ICMP type or code '%d/%d'.", e.ICMPType,
				e.ICMPCode)
		}
	}
	return e, nil
}

// maxEntries is the quota of entries in each direction, which EC2 lets be raised to this.
const maxEntries = 40

func numbered(a *slipway.NetworkACL, number int32, egress bool) int {
	return slices.IndexFunc(a.Entries, func(e slipway.ACLEntry) bool { return e.Number == number && e.Egress == egress })
}

func noEntry(number int32, id string) error {
	return slipway.Errorf(slipway.InvalidNetworkAclEntryNotFound,
		"The network acl entry identified by %d does not exist in %s", number, id)
}

// CreateEntry answers CreateNetworkAclEntry.
func (s *Service) CreateEntry(ctx context.Context, in *ec2wire.CreateNetworkAclEntryRequest) error {
	id, err := shape.Need(in.NetworkAclId, "NetworkAclId")
	if err != nil {
		return err
	}
	e, err := readEntry(in)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx store.Tx) error {
		return state.NetworkACLs.Edit(tx, state.Of(ctx), id, func(a *slipway.NetworkACL) error {
			if numbered(a, e.Number, e.Egress) >= 0 {
				return slipway.Errorf(slipway.NetworkAclEntryAlreadyExists,
					"The network acl entry identified by %d already exists.", e.Number)
			}
			n := 0
			for _, other := range a.Entries {
				if other.Egress == e.Egress && other.Number <= maxEntry {
					n++
				}
			}
			if n >= maxEntries {
				return slipway.Errorf(slipway.NetworkAclEntryLimitExceeded,
					"The maximum number of entries of a network ACL, %d in each direction, has been reached.", maxEntries)
			}
			a.Entries = append(a.Entries, e)
			return nil
		})
	})
}

// ReplaceEntry answers ReplaceNetworkAclEntry.
func (s *Service) ReplaceEntry(ctx context.Context, in *ec2wire.ReplaceNetworkAclEntryRequest) error {
	id, err := shape.Need(in.NetworkAclId, "NetworkAclId")
	if err != nil {
		return err
	}
	e, err := readEntry(&ec2wire.CreateNetworkAclEntryRequest{
		RuleNumber: in.RuleNumber, Protocol: in.Protocol, RuleAction: in.RuleAction, Egress: in.Egress,
		CidrBlock: in.CidrBlock, Ipv6CidrBlock: in.Ipv6CidrBlock,
		IcmpTypeCode: in.IcmpTypeCode, PortRange: in.PortRange,
	})
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx store.Tx) error {
		return state.NetworkACLs.Edit(tx, state.Of(ctx), id, func(a *slipway.NetworkACL) error {
			i := numbered(a, e.Number, e.Egress)
			if i < 0 {
				return noEntry(e.Number, id)
			}
			a.Entries[i] = e
			return nil
		})
	})
}

// DeleteEntry answers DeleteNetworkAclEntry.
func (s *Service) DeleteEntry(ctx context.Context, in *ec2wire.DeleteNetworkAclEntryRequest) error {
	id, err := shape.Need(in.NetworkAclId, "NetworkAclId")
	if err != nil {
		return err
	}
	switch {
	case in.RuleNumber == nil:
		return slipway.Missing("RuleNumber")
	case in.Egress == nil:
		return slipway.Missing("Egress")
	}
	return s.db.Update(ctx, func(tx store.Tx) error {
		return state.NetworkACLs.Edit(tx, state.Of(ctx), id, func(a *slipway.NetworkACL) error {
			i := numbered(a, *in.RuleNumber, *in.Egress)
			if i < 0 || *in.RuleNumber > maxEntry {
				return noEntry(*in.RuleNumber, id)
			}
			a.Entries = slices.Delete(a.Entries, i, i+1)
			return nil
		})
	})
}

// ReplaceAssociation answers ReplaceNetworkAclAssociation: a subnet always has exactly one ACL.
func (s *Service) ReplaceAssociation(
	ctx context.Context, in *ec2wire.ReplaceNetworkAclAssociationRequest,
) (*ec2wire.ReplaceNetworkAclAssociationResult, error) {
	id, err := shape.Need(in.AssociationId, "AssociationId")
	if err != nil {
		return nil, err
	}
	acl, err := shape.Need(in.NetworkAclId, "NetworkAclId")
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	fresh := slipway.NewID("aclassoc")
	err = s.db.Update(ctx, func(tx store.Tx) error {
		a, err := state.NetworkACLs.Require(tx, scope, acl)
		if err != nil {
			return err
		}
		for shared := range state.Subnets.All(tx, scope) {
			if shared.ACLAssociation != id {
				continue
			}
			if shared.VPC != a.VPC {
				return slipway.Errorf(slipway.InvalidParameterValue,
					"network ACL %s and subnet %s belong to different networks", acl, shared.ID)
			}
			return state.Subnets.Edit(tx, scope, string(shared.ID), func(sub *slipway.Subnet) error {
				sub.NetworkACL, sub.ACLAssociation = a.ID, fresh
				return nil
			})
		}
		return slipway.Errorf(slipway.InvalidAssociationIDNotFound, "The association ID '%s' does not exist", id)
	})
	if err != nil {
		return nil, err
	}
	return &ec2wire.ReplaceNetworkAclAssociationResult{NewAssociationId: &fresh}, nil
}

func subnets(r store.Reader, a *slipway.NetworkACL) []*slipway.Subnet {
	var out []*slipway.Subnet
	for sub := range state.Subnets.By(r, state.Scope{Account: a.Account, Region: a.Region}, "vpc/"+string(a.VPC)) {
		if sub.NetworkACL == a.ID {
			out = append(out, sub)
		}
	}
	return out
}

func ruleAction(e slipway.ACLEntry) string {
	if e.Allow {
		return "allow"
	}
	return "deny"
}

func wire(r store.Reader, a *slipway.NetworkACL) ec2wire.NetworkAcl {
	w := ec2wire.NetworkAcl{
		NetworkAclId: shape.Text(a.ID), VpcId: shape.Text(a.VPC), OwnerId: &a.Account, IsDefault: &a.Default,
		Tags:         shape.Tags(a.Tags),
		Associations: []ec2wire.NetworkAclAssociation{}, Entries: []ec2wire.NetworkAclEntry{},
	}
	for _, e := range a.Entries {
		x := ec2wire.NetworkAclEntry{
			RuleNumber: shape.Of(e.Number), Protocol: shape.Of(e.Protocol), RuleAction: shape.Of(ruleAction(e)),
			Egress: shape.Of(e.Egress),
		}
		if e.CIDR.Addr().Is4() {
			x.CidrBlock = shape.Of(e.CIDR.String())
		} else {
			x.Ipv6CidrBlock = shape.Of(e.CIDR.String())
		}
		switch e.Protocol {
		case "6", "17":
			x.PortRange = &ec2wire.PortRange{From: shape.Of(e.From), To: shape.Of(e.To)}
		case "1", "58":
			x.IcmpTypeCode = &ec2wire.IcmpTypeCode{Type: shape.Of(e.ICMPType), Code: shape.Of(e.ICMPCode)}
		}
		w.Entries = append(w.Entries, x)
	}
	for _, sub := range subnets(r, a) {
		w.Associations = append(w.Associations,
			ec2wire.NetworkAclAssociation{
				NetworkAclAssociationId: shape.Text(sub.ACLAssociation), NetworkAclId: w.NetworkAclId,
				SubnetId: shape.Text(sub.ID),
			})
	}
	return w
}

func fields(r store.Reader) filters.Fields[*slipway.NetworkACL] {
	f := filters.Fields[*slipway.NetworkACL]{
		"network-acl-id": func(a *slipway.NetworkACL) []string { return shape.One(a.ID) },
		"vpc-id":         func(a *slipway.NetworkACL) []string { return shape.One(a.VPC) },
		"owner-id":       func(a *slipway.NetworkACL) []string { return shape.One(a.Account) },
		"default":        func(a *slipway.NetworkACL) []string { return shape.Yes(a.Default) },
	}
	of := func(name string, get func(*slipway.Subnet) string) {
		f["association."+name] = func(a *slipway.NetworkACL) []string {
			var out []string
			for _, sub := range subnets(r, a) {
				out = append(out, get(sub))
			}
			return out
		}
	}
	of("association-id", func(s *slipway.Subnet) string { return s.ACLAssociation })
	of("network-acl-id", func(s *slipway.Subnet) string { return string(s.NetworkACL) })
	of("subnet-id", func(s *slipway.Subnet) string { return string(s.ID) })
	each := func(name string, get func(ec2wire.NetworkAclEntry) string) {
		f["entry."+name] = func(a *slipway.NetworkACL) []string {
			var out []string
			for _, e := range wire(r, a).Entries {
				out = append(out, shape.One(get(e))...)
			}
			return out
		}
	}
	number := func(p *int32) string {
		if p == nil {
			return ""
		}
		return strconv.Itoa(int(*p))
	}
	each("cidr", func(e ec2wire.NetworkAclEntry) string { return shape.Get(e.CidrBlock) })
	each("ipv6-cidr", func(e ec2wire.NetworkAclEntry) string { return shape.Get(e.Ipv6CidrBlock) })
	each("protocol", func(e ec2wire.NetworkAclEntry) string { return shape.Get(e.Protocol) })
	each("rule-action", func(e ec2wire.NetworkAclEntry) string { return shape.Get(e.RuleAction) })
	each("rule-number", func(e ec2wire.NetworkAclEntry) string { return number(e.RuleNumber) })
	each("egress", func(e ec2wire.NetworkAclEntry) string { return strconv.FormatBool(shape.Get(e.Egress)) })
	each("port-range.from", func(e ec2wire.NetworkAclEntry) string { return number(shape.Get(e.PortRange).From) })
	each("port-range.to", func(e ec2wire.NetworkAclEntry) string { return number(shape.Get(e.PortRange).To) })
	each("icmp.type", func(e ec2wire.NetworkAclEntry) string { return number(shape.Get(e.IcmpTypeCode).Type) })
	each("icmp.code", func(e ec2wire.NetworkAclEntry) string { return number(shape.Get(e.IcmpTypeCode).Code) })
	return f
}

var kind = describe.Kind[slipway.NetworkACL, ec2wire.NetworkAcl]{
	Table: state.NetworkACLs, Tags: func(a *slipway.NetworkACL) slipway.Tags { return a.Tags }, Wire: wire,
	Fields: fields,
}

// Describe answers DescribeNetworkAcls.
func (s *Service) Describe(
	ctx context.Context, in *ec2wire.DescribeNetworkAclsRequest,
) (*ec2wire.DescribeNetworkAclsResult, error) {
	page, next, err := kind.List(ctx, s.db,
		describe.Query{IDs: in.NetworkAclIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeNetworkAclsResult{NetworkAcls: page, NextToken: next}, err
}

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateNetworkAcl": action.Do(s.Create).Bucket(action.Mutating).Repeats(action.ByToken).On(
			action.Makes(func(in *ec2wire.CreateNetworkAclRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "network-acl"),
			action.One("vpc", func(in *ec2wire.CreateNetworkAclRequest) *string { return in.VpcId }),
		),
		"DeleteNetworkAcl": action.Void(s.Delete).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("network-acl", func(in *ec2wire.DeleteNetworkAclRequest) *string { return in.NetworkAclId })),
		"DescribeNetworkAcls": action.Read(s.Describe).Filters().On(action.Nothing),
		"CreateNetworkAclEntry": action.Void(s.CreateEntry).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("network-acl", func(in *ec2wire.CreateNetworkAclEntryRequest) *string { return in.NetworkAclId })),
		"ReplaceNetworkAclEntry": action.Void(s.ReplaceEntry).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("network-acl", func(in *ec2wire.ReplaceNetworkAclEntryRequest) *string { return in.NetworkAclId })),
		"DeleteNetworkAclEntry": action.Void(s.DeleteEntry).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("network-acl", func(in *ec2wire.DeleteNetworkAclEntryRequest) *string { return in.NetworkAclId })),
		"ReplaceNetworkAclAssociation": action.Do(s.ReplaceAssociation).Bucket(action.Mutating).
			Repeats(action.NoToken).On(
			action.One("network-acl", func(in *ec2wire.ReplaceNetworkAclAssociationRequest) *string { return in.NetworkAclId }),
			ofOldACL,
		),
	}
}

// ofOldACL is the subnet that gets another ACL, and the ACL that it has.
func ofOldACL(v action.View, in *ec2wire.ReplaceNetworkAclAssociationRequest) []action.Resource {
	for s := range state.Subnets.All(v, v.Scope()) {
		if s.ACLAssociation == shape.Get(in.AssociationId) && s.ACLAssociation != "" {
			return append([]action.Resource{{Kind: "subnet", ID: string(s.ID)}}, action.Some("network-acl", &s.NetworkACL)...)
		}
	}
	return []action.Resource{{Kind: "network-acl", ID: action.New}}
}
