// Package describe is what the Describe actions have in common: ids checked for form, then for being there; filters; pages in a
// steady order. A room says which table, which filters and how a record looks on the wire.
package describe

import (
	"context"
	"maps"
	"slices"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Kind is one kind of record as callers see it.
type Kind[T, W any] struct {
	Table *state.Table[T]
	Parse func(id string) error // the form of an id; nil: the table's
	// Shown are the filters that read what is described; Fields those that look at the record (nil: none).
	Shown  filters.Fields[*W]
	Fields func(r store.Reader) filters.Fields[*T]
	Tags   func(*T) slipway.Tags
	Wire   func(r store.Reader, v *T) W
	Scopes func(s state.Scope) []state.Scope          // where to look; nil: the caller's own
	See    func(s state.Scope, v *T, named bool) bool // whether the caller may; nil: always
	// Gone says of an id without a record that there was one until lately, so that asking for it finds nothing; nil: of none.
	Gone func(r store.Reader, s state.Scope, id string) bool
}

// Query is one request.
type Query struct {
	IDs     []string
	Filters []ec2wire.Filter
	Max     *int32
	Token   *string
}

// List answers a query.
func (k Kind[T, W]) List(ctx context.Context, db state.DB, q Query) ([]W, *string, error) {
	for _, id := range q.IDs {
		err := k.Table.Form(id)
		if k.Parse != nil {
			err = k.Parse(id)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	r, err := db.Snapshot(ctx)
	if err != nil {
		return nil, nil, err
	}
	match, err := k.matcher(r, Filters(q.Filters))
	if err != nil {
		return nil, nil, err
	}
	own := state.Of(ctx)
	scopes := []state.Scope{own}
	if k.Scopes != nil {
		scopes = k.Scopes(own)
	}
	var found []*T
	take := func(v *T, named bool) bool {
		if k.See != nil && !k.See(own, v, named) {
			return false
		}
		if match(v) {
			found = append(found, v)
		}
		return true
	}
	if len(q.IDs) > 0 {
		var missing []string
		for i, id := range q.IDs {
			if slices.Contains(q.IDs[:i], id) {
				continue
			}
			there := false
			for _, s := range scopes {
				if v := k.Table.See(r, s, id); v != nil && take(v, true) {
					there = true
				}
			}
			if !there && (k.Gone == nil || !k.Gone(r, own, id)) {
				missing = append(missing, id)
			}
		}
		if len(missing) > 0 {
			return nil, nil, k.Table.Absent(missing...)
		}
	} else {
		for _, s := range scopes {
			for v := range k.Table.All(r, s) {
				take(v, false)
			}
			for _, v := range k.Table.Given(s) {
				take(v, false)
			}
		}
	}
	page, next, err := Page(found, q.Max, q.Token, len(q.IDs) > 0, 5)
	if err != nil {
		return nil, nil, err
	}
	out := make([]W, len(page))
	for i, v := range page {
		out[i] = k.Wire(r, v)
	}
	return out, next, nil
}

// matcher is the condition of the filters over records.
func (k Kind[T, W]) matcher(r store.Reader, wanted []filters.Filter) (func(*T) bool, error) {
	if len(wanted) == 0 {
		return func(*T) bool { return true }, nil
	}
	var described *T // the last one, and how it is shown: every filter asks about it
	var shown *W
	known := filters.Through(k.Shown, func(v *T) *W {
		if v != described {
			described, shown = v, new(k.Wire(r, v))
		}
		return shown
	})
	if k.Fields != nil {
		maps.Copy(known, k.Fields(r))
	}
	return filters.Matcher(wanted, known, k.Tags)
}

// Form makes a Parse of one of the domain's parsers.
func Form[ID ~string](parse func(string) (ID, error)) func(string) error {
	return func(s string) error { _, err := parse(s); return err }
}

// Fixed is a Fields that needs no reader.
func Fixed[T any](f filters.Fields[*T]) func(store.Reader) filters.Fields[*T] {
	return func(store.Reader) filters.Fields[*T] { return f }
}
