package vpcs

import (
	"context"
	"net/netip"
	"slices"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// maxServers is how many addresses one DHCP option takes.
const maxServers = 4

// readOption checks one DHCP option.
func readOption(w ec2wire.NewDhcpConfiguration) (slipway.DHCPOption, error) {
	o := slipway.DHCPOption{Key: shape.Get(w.Key), Values: w.Values}
	bad := func(value, why string) error { return slipway.Invalid(value, o.Key, why) }
	if o.Key == "" {
		return o, slipway.Missing("DhcpConfiguration.Key")
	}
	if len(o.Values) == 0 {
		return o, slipway.Missing("DhcpConfiguration.Value")
	}
	switch o.Key {
	case "domain-name":
		if len(o.Values) > 1 {
			return o, bad(o.Values[1], "Only one domain name may be given.")
		}
	case "domain-name-servers", "ntp-servers", "netbios-name-servers":
		if len(o.Values) > maxServers {
			return o, bad(o.Values[maxServers], "At most four servers may be given.")
		}
		for _, v := range o.Values {
			if ip, err := netip.ParseAddr(v); (err != nil || !ip.Is4()) &&
				!(o.Key == "domain-name-servers" && v == "AmazonProvidedDNS") {
				return o, bad(v, "It must be an IPv4 address.")
			}
		}
	case "netbios-node-type":
		if len(o.Values) > 1 || !slices.Contains([]string{"1", "2", "4", "8"}, o.Values[0]) {
			return o, bad(o.Values[0], "It must be 1, 2, 4 or 8.")
		}
	case "ipv6-address-preferred-lease-time":
		return o, slipway.Refused("DhcpConfiguration ipv6-address-preferred-lease-time", "there is no DHCPv6 here.")
	default:
		return o, slipway.Errorf(slipway.InvalidParameterValue,
			"Value (%s) for parameter key is invalid. Unknown DHCP option.", o.Key)
	}
	return o, nil
}

// CreateDHCP answers CreateDhcpOptions.
func (s *Service) CreateDHCP(
	ctx context.Context, in *ec2wire.CreateDhcpOptionsRequest,
) (*ec2wire.CreateDhcpOptionsResult, error) {
	scope := state.Of(ctx)
	d := &slipway.DHCPOptions{ID: slipway.NewDHCPOptionsID(), Account: scope.Account, Region: scope.Region}
	if len(in.DhcpConfigurations) == 0 {
		return nil, slipway.Missing("DhcpConfiguration")
	}
	for _, w := range in.DhcpConfigurations {
		o, err := readOption(w)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(d.Options, func(x slipway.DHCPOption) bool { return x.Key == o.Key }) {
			return nil, slipway.Invalid(o.Key, "key", "Each DHCP option may be given once.")
		}
		d.Options = append(d.Options, o)
	}
	var err error
	if d.Tags, err = shape.TagsOf(in.TagSpecifications, "dhcp-options"); err != nil {
		return nil, err
	}
	if err := s.db.Update(ctx, func(tx store.Tx) error { return state.DHCPOptions.Put(tx, d) }); err != nil {
		return nil, err
	}
	w := wireDHCP(nil, d)
	return &ec2wire.CreateDhcpOptionsResult{DhcpOptions: &w}, nil
}

// AssociateDHCP answers AssociateDhcpOptions; "default" takes a VPC's options away.
func (s *Service) AssociateDHCP(ctx context.Context, in *ec2wire.AssociateDhcpOptionsRequest) error {
	options, err := shape.Need(in.DhcpOptionsId, "DhcpOptionsId")
	if err != nil {
		return err
	}
	id, err := shape.ID(in.VpcId, "VpcId", slipway.ParseVPCID)
	if err != nil {
		return err
	}
	scope := state.Of(ctx)
	return s.db.Update(ctx, func(tx store.Tx) error {
		if options != "default" {
			if _, err := state.DHCPOptions.Require(tx, scope, options); err != nil {
				return err
			}
		}
		return state.VPCs.Edit(tx, scope, string(id), func(v *slipway.VPC) error { v.DHCPOptions = options; return nil })
	})
}

// DeleteDHCP answers DeleteDhcpOptions.
func (s *Service) DeleteDHCP(ctx context.Context, in *ec2wire.DeleteDhcpOptionsRequest) error {
	return Remove(ctx, s.db, state.DHCPOptions, in.DhcpOptionsId, "DhcpOptionsId",
		func(tx store.Tx, o *slipway.DHCPOptions) error {
			scope := state.Of(ctx)
			for v := range state.VPCs.All(tx, scope) {
				if v.DHCPOptions == string(o.ID) {
					return slipway.Errorf(slipway.DependencyViolation,
						"The dhcpOptions '%s' has dependencies and cannot be deleted.", o.ID)
				}
			}
			return nil
		})
}

var dhcpKind = describe.Kind[slipway.DHCPOptions, ec2wire.DhcpOptions]{
	Table: state.DHCPOptions, Tags: func(d *slipway.DHCPOptions) slipway.Tags { return d.Tags }, Wire: wireDHCP,
	Fields: describe.Fixed(filters.Fields[*slipway.DHCPOptions]{
		"dhcp-options-id": func(d *slipway.DHCPOptions) []string { return shape.One(d.ID) },
		"owner-id":        func(d *slipway.DHCPOptions) []string { return shape.One(d.Account) },
		"key": func(d *slipway.DHCPOptions) []string {
			var out []string
			for _, o := range d.Options {
				out = append(out, o.Key)
			}
			return out
		},
		"value": func(d *slipway.DHCPOptions) []string {
			var out []string
			for _, o := range d.Options {
				out = append(out, o.Values...)
			}
			return out
		},
	}),
}

func wireDHCP(_ store.Reader, d *slipway.DHCPOptions) ec2wire.DhcpOptions {
	w := ec2wire.DhcpOptions{
		DhcpOptionsId: shape.Text(d.ID), OwnerId: &d.Account, Tags: shape.Tags(d.Tags),
		DhcpConfigurations: []ec2wire.DhcpConfiguration{},
	}
	for _, o := range d.Options {
		c := ec2wire.DhcpConfiguration{Key: shape.Of(o.Key)}
		for _, v := range o.Values {
			c.Values = append(c.Values, ec2wire.AttributeValue{Value: shape.Of(v)})
		}
		w.DhcpConfigurations = append(w.DhcpConfigurations, c)
	}
	return w
}

// DescribeDHCP answers DescribeDhcpOptions.
func (s *Service) DescribeDHCP(
	ctx context.Context, in *ec2wire.DescribeDhcpOptionsRequest,
) (*ec2wire.DescribeDhcpOptionsResult, error) {
	page, next, err := dhcpKind.List(ctx, s.db,
		describe.Query{IDs: in.DhcpOptionsIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeDhcpOptionsResult{DhcpOptions: page, NextToken: next}, err
}
