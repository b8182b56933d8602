package prefixlists

import (
	"context"
	"strings"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

func wire(_ store.Reader, l *slipway.PrefixList) ec2wire.ManagedPrefixList {
	w := ec2wire.ManagedPrefixList{
		PrefixListId: shape.Text(l.ID), PrefixListName: &l.Name, AddressFamily: &l.Family, State: shape.Text(l.State),
		MaxEntries: &l.MaxEntries, Version: &l.Version, OwnerId: &l.Account,
		PrefixListArn: shape.Of(slipway.ARN(l.Region, strings.ToLower(l.Account), "prefix-list/"+string(l.ID))),
		Tags:          shape.Tags(l.Tags),
	}
	if l.Account == state.AWSOwner {
		w.MaxEntries, w.Version = nil, nil
	}
	return w
}

// as shows a list in the state in which the call that changed it leaves it.
func as(l *slipway.PrefixList, how string) *ec2wire.ManagedPrefixList {
	w := wire(nil, l)
	w.State = &how
	return &w
}

var kind = describe.Kind[slipway.PrefixList, ec2wire.ManagedPrefixList]{
	Table: state.PrefixLists, Tags: func(l *slipway.PrefixList) slipway.Tags { return l.Tags }, Wire: wire,
	Fields: describe.Fixed(filters.Fields[*slipway.PrefixList]{
		"prefix-list-id":   func(l *slipway.PrefixList) []string { return shape.One(l.ID) },
		"prefix-list-name": func(l *slipway.PrefixList) []string { return shape.One(l.Name) },
		"owner-id":         func(l *slipway.PrefixList) []string { return shape.One(l.Account) },
	}),
}

// Describe answers DescribeManagedPrefixLists.
func (s *Service) Describe(
	ctx context.Context, in *ec2wire.DescribeManagedPrefixListsRequest,
) (*ec2wire.DescribeManagedPrefixListsResult, error) {
	page, next, err := kind.List(ctx, s.db,
		describe.Query{IDs: in.PrefixListIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeManagedPrefixListsResult{PrefixLists: page, NextToken: next}, err
}

// awsKind are AWS's own alone, as DescribePrefixLists shows them.
var awsKind = describe.Kind[slipway.PrefixList, ec2wire.PrefixList]{
	Table: state.PrefixLists, Shown: describe.Shown[ec2wire.PrefixList]("prefix-list-id", "prefix-list-name"),
	See: func(_ state.Scope, l *slipway.PrefixList, _ bool) bool { return l.Account == state.AWSOwner },
	Wire: func(_ store.Reader, l *slipway.PrefixList) ec2wire.PrefixList {
		w := ec2wire.PrefixList{PrefixListId: shape.Text(l.ID), PrefixListName: &l.Name, Cidrs: []string{}}
		for _, e := range l.Entries {
			w.Cidrs = append(w.Cidrs, e.CIDR.String())
		}
		return w
	},
}

// DescribeAWS answers DescribePrefixLists.
func (s *Service) DescribeAWS(
	ctx context.Context, in *ec2wire.DescribePrefixListsRequest,
) (*ec2wire.DescribePrefixListsResult, error) {
	page, next, err := awsKind.List(ctx, s.db,
		describe.Query{IDs: in.PrefixListIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribePrefixListsResult{PrefixLists: page, NextToken: next}, err
}

// own refuses what nobody may do to AWS's own lists.
func own(l *slipway.PrefixList) error {
	if l.Account == state.AWSOwner {
		return slipway.Errorf(slipway.OperationNotPermitted,
			"You do not have permission to change the prefix list '%s': it is owned by AWS.", l.ID)
	}
	return nil
}

// find looks the list of a request up.
func (s *Service) find(ctx context.Context, id *string) (store.Snapshot, *slipway.PrefixList, error) {
	text, err := shape.Need(id, "PrefixListId")
	if err != nil {
		return nil, nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, nil, err
	}
	l, err := state.PrefixLists.Require(r, state.Of(ctx), text)
	return r, l, err
}

// Entries answers GetManagedPrefixListEntries, of this or an earlier version.
func (s *Service) Entries(
	ctx context.Context, in *ec2wire.GetManagedPrefixListEntriesRequest,
) (*ec2wire.GetManagedPrefixListEntriesResult, error) {
	_, l, err := s.find(ctx, in.PrefixListId)
	if err != nil {
		return nil, err
	}
	entries := l.Entries
	if v := in.TargetVersion; v != nil && *v != l.Version {
		if *v < 1 || *v > int64(len(l.History)) {
			return nil, slipway.Errorf(slipway.PrefixListVersionNotFound,
				"The specified version of the prefix list does not exist.")
		}
		entries = l.History[*v-1]
	}
	page, next, err := describe.Page(entries, in.MaxResults, in.NextToken, false, 1)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.GetManagedPrefixListEntriesResult{Entries: []ec2wire.PrefixListEntry{}, NextToken: next}
	for _, e := range page {
		out.Entries = append(out.Entries,
			ec2wire.PrefixListEntry{Cidr: shape.Of(e.CIDR.String()), Description: shape.Text(e.Description)})
	}
	return out, nil
}

// Associations answers GetManagedPrefixListAssociations.
func (s *Service) Associations(
	ctx context.Context, in *ec2wire.GetManagedPrefixListAssociationsRequest,
) (*ec2wire.GetManagedPrefixListAssociationsResult, error) {
	r, l, err := s.find(ctx, in.PrefixListId)
	if err != nil {
		return nil, err
	}
	page, next, err := describe.Page(users(r, state.Of(ctx), string(l.ID)), in.MaxResults, in.NextToken, false, 5)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.GetManagedPrefixListAssociationsResult{
		PrefixListAssociations: []ec2wire.PrefixListAssociation{}, NextToken: next,
	}
	for i := range page {
		out.PrefixListAssociations = append(out.PrefixListAssociations,
			ec2wire.PrefixListAssociation{ResourceId: &page[i], ResourceOwner: &l.Account})
	}
	return out, nil
}
