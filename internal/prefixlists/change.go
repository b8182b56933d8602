package prefixlists

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// maxEntries is the most that a list may be made for.
const maxEntries = 1000

func readEntry(family, text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4() != (family == "IPv4") {
		return p, slipway.Invalid(text, "cidr", "It must be a CIDR block of the prefix list's address family.")
	}
	return p.Masked(), nil
}

// add adds entries, or refuses one that is there.
func add(l *slipway.PrefixList, in []ec2wire.AddPrefixListEntry) error {
	for _, w := range in {
		text, err := shape.Need(w.Cidr, "Entry.Cidr")
		if err != nil {
			return err
		}
		p, err := readEntry(l.Family, text)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(l.Entries, func(e slipway.PrefixEntry) bool { return e.CIDR == p }) {
			return slipway.Errorf(slipway.InvalidPrefixListModification, "The prefix list already contains the entry %s.", p)
		}
		l.Entries = append(l.Entries, slipway.PrefixEntry{CIDR: p, Description: shape.Get(w.Description)})
	}
	return nil
}

func fits(l *slipway.PrefixList) error {
	if len(l.Entries) > int(l.MaxEntries) {
		return slipway.Errorf(slipway.PrefixListMaxEntriesExceeded,
			"You've reached the maximum number of entries for the prefix list: %d.", l.MaxEntries)
	}
	return nil
}

func checkName(name string) error {
	if strings.HasPrefix(name, "com.amazonaws") {
		return slipway.Invalid(name, "prefixListName", "It may not begin with com.amazonaws.")
	}
	return nil
}

func checkMax(n int32) error {
	if n < 1 || n > maxEntries {
		return slipway.Invalid(strconv.Itoa(int(n)), "maxEntries", "It must be 1 to 1000.")
	}
	return nil
}

// Create answers CreateManagedPrefixList.
func (s *Service) Create(
	ctx context.Context, in *ec2wire.CreateManagedPrefixListRequest,
) (*ec2wire.CreateManagedPrefixListResult, error) {
	scope := state.Of(ctx)
	name, err := shape.Need(in.PrefixListName, "PrefixListName")
	if err != nil {
		return nil, err
	}
	if in.MaxEntries == nil {
		return nil, slipway.Missing("MaxEntries")
	}
	family, err := shape.Need(in.AddressFamily, "AddressFamily")
	if err != nil {
		return nil, err
	}
	if family != "IPv4" && family != "IPv6" {
		return nil, slipway.Invalid(family, "addressFamily", "It must be IPv4 or IPv6.")
	}
	l := &slipway.PrefixList{
		ID: slipway.NewPrefixListID(), Account: scope.Account, Region: scope.Region, Name: name, Family: family,
		MaxEntries: *in.MaxEntries, Version: 1, State: slipway.PrefixListStateCreated,
	}
	if l.Tags, err = shape.TagsOf(in.TagSpecifications, "prefix-list"); err != nil {
		return nil, err
	}
	for _, check := range []func() error{
		func() error { return checkName(name) }, func() error { return checkMax(l.MaxEntries) },
		func() error { return add(l, in.Entries) }, func() error { return fits(l) },
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	once := state.OnceOf(scope, "CreateManagedPrefixList", in)
	err = s.db.Update(ctx, func(tx store.Tx) error {
		before, err := once.Seen(tx)
		if err != nil {
			return err
		}
		if before != nil {
			l, err = state.PrefixLists.Require(tx, scope, before.Result)
			return err
		}
		if err := state.PrefixLists.Put(tx, l); err != nil {
			return err
		}
		return once.Keep(tx, string(l.ID), s.now())
	})
	if err != nil {
		return nil, err
	}
	return &ec2wire.CreateManagedPrefixListResult{PrefixList: as(l, "create-in-progress")}, nil
}

// Modify answers ModifyManagedPrefixList: entries change together, to a new version; the size changes by itself.
func (s *Service) Modify(
	ctx context.Context, in *ec2wire.ModifyManagedPrefixListRequest,
) (*ec2wire.ModifyManagedPrefixListResult, error) {
	id, err := shape.Need(in.PrefixListId, "PrefixListId")
	if err != nil {
		return nil, err
	}
	entries := len(in.AddEntries)+len(in.RemoveEntries) > 0
	switch {
	case in.IpamPrefixListResolverSyncEnabled != nil && *in.IpamPrefixListResolverSyncEnabled:
		return nil, slipway.Refused("IpamPrefixListResolverSyncEnabled", "there is no IP address manager here.")
	case entries && in.CurrentVersion == nil:
		return nil, slipway.Missing("CurrentVersion")
	case entries && in.MaxEntries != nil:
		return nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"You cannot modify the entries of a prefix list and its size at the same time.")
	}
	var l *slipway.PrefixList
	scope := state.Of(ctx)
	err = s.db.Update(ctx, func(tx store.Tx) error {
		if there := state.PrefixLists.See(tx, scope, id); there != nil {
			if err := own(there); err != nil {
				return err
			}
		}
		return state.PrefixLists.Edit(tx, scope, id, func(now *slipway.PrefixList) error {
			l = now
			if in.CurrentVersion != nil && *in.CurrentVersion != l.Version {
				return slipway.Errorf(slipway.PrefixListVersionMismatch, "The prefix list has the incorrect version number.")
			}
			if name := shape.Get(in.PrefixListName); name != "" {
				if err := checkName(name); err != nil {
					return err
				}
				l.Name = name
			}
			if in.MaxEntries != nil {
				if err := checkMax(*in.MaxEntries); err != nil {
					return err
				}
				l.MaxEntries = *in.MaxEntries
			}
			if err := l.Become(slipway.PrefixListStateModified); err != nil {
				return err
			}
			if entries {
				if err := change(l, in); err != nil {
					return err
				}
			}
			return fits(l)
		})
	})
	if err != nil {
		return nil, err
	}
	return &ec2wire.ModifyManagedPrefixListResult{PrefixList: as(l, "modify-in-progress")}, nil
}

func change(l *slipway.PrefixList, in *ec2wire.ModifyManagedPrefixListRequest) error {
	l.History = append(l.History, slices.Clone(l.Entries))
	l.Version++
	for _, w := range in.RemoveEntries {
		p, err := readEntry(l.Family, shape.Get(w.Cidr))
		if err != nil {
			return err
		}
		i := slices.IndexFunc(l.Entries, func(e slipway.PrefixEntry) bool { return e.CIDR == p })
		if i < 0 {
			return slipway.Errorf(slipway.InvalidPrefixListModification, "The prefix list does not contain the entry %s.", p)
		}
		l.Entries = slices.Delete(l.Entries, i, i+1)
	}
	return add(l, in.AddEntries)
}

// users are the groups and tables that refer to a list.
func users(r store.Reader, scope state.Scope, id string) []string {
	var out []string
	for g := range state.SecurityGroups.By(r, scope, "refers/"+id) {
		out = append(out, string(g.ID))
	}
	for t := range state.RouteTables.All(r, scope) {
		if slices.ContainsFunc(t.Routes, func(rt slipway.Route) bool { return rt.PrefixList == id }) {
			out = append(out, string(t.ID))
		}
	}
	return out
}

// Delete answers DeleteManagedPrefixList.
func (s *Service) Delete(
	ctx context.Context, in *ec2wire.DeleteManagedPrefixListRequest,
) (*ec2wire.DeleteManagedPrefixListResult, error) {
	id, err := shape.Need(in.PrefixListId, "PrefixListId")
	if err != nil {
		return nil, err
	}
	scope := state.Of(ctx)
	var l *slipway.PrefixList
	err = s.db.Update(ctx, func(tx store.Tx) error {
		if l, err = state.PrefixLists.Require(tx, scope, id); err != nil {
			return err
		}
		if err := own(l); err != nil {
			return err
		}
		// EC2 deletes a list in use too: what refers to it then names nothing.
		state.PrefixLists.Delete(tx, scope, id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ec2wire.DeleteManagedPrefixListResult{PrefixList: as(l, "delete-in-progress")}, nil
}
