package describe_test

import (
	"fmt"
	"strings"
	"testing"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/memory"
)

// TestList of volumes: an account's own and what is shared, by ids, by filters and in pages.
func TestList(t *testing.T) {
	own, other := state.Scope{Account: "111111111111", Region: "us-east-1"},
		state.Scope{Account: "222222222222", Region: "us-east-1"}
	db := state.DB{Store: memory.New(state.Schema())}
	err := db.Update(t.Context(), func(tx store.Tx) error {
		for i, s := range []state.Scope{own, own, own, own, own, own, own, other} {
			v := &slipway.Volume{
				ID: slipway.VolumeID(fmt.Sprintf("vol-%08d", i)), Account: s.Account, Region: s.Region, SizeGiB: int32(i % 2),
			}
			if err := state.Volumes.Put(tx, v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	kind := describe.Kind[slipway.Volume, string]{
		Table: state.Volumes, Parse: describe.Form(slipway.ParseVolumeID),
		Fields: describe.Fixed(filters.Fields[*slipway.Volume]{
			"size": func(v *slipway.Volume) []string { return []string{fmt.Sprint(v.SizeGiB)} },
		}),
		Tags: func(v *slipway.Volume) slipway.Tags { return v.Tags },
		Wire: func(_ store.Reader, v *slipway.Volume) string { return strings.TrimLeft(string(v.ID[4:]), "0") },
	}
	shared := kind
	shared.Scopes = func(s state.Scope) []state.Scope { return []state.Scope{s, other} }
	shared.See = func(_ state.Scope, v *slipway.Volume, named bool) bool { return v.Account == own.Account || named }
	ctx := slipway.WithCall(t.Context(), slipway.Call{Caller: slipway.Caller{Account: own.Account}, Region: own.Region})
	odd := []ec2wire.Filter{{Name: shape.Of("size"), Values: []string{"1"}}}
	for name, tt := range map[string]struct {
		kind describe.Kind[slipway.Volume, string]
		q    describe.Query
		want string
		code slipway.Code
	}{
		"all of the account's":    {kind, describe.Query{}, "[ 1 2 3 4 5 6]", ""},
		"one, named twice":        {kind, describe.Query{IDs: []string{"vol-00000003", "vol-00000003"}}, "[3]", ""},
		"by a filter":             {kind, describe.Query{Filters: odd}, "[1 3 5]", ""},
		"named, and filtered out": {kind, describe.Query{IDs: []string{"vol-00000002"}, Filters: odd}, "[]", ""},
		"a page":                  {kind, describe.Query{Max: shape.Of[int32](5)}, "[ 1 2 3 4]", ""},
		"another account's":       {kind, describe.Query{IDs: []string{"vol-00000007"}}, "", slipway.InvalidVolumeNotFound},
		"one there, the other not": {kind, describe.Query{IDs: []string{"vol-00000001", "vol-00000009"}}, "",
			slipway.InvalidVolumeNotFound},
		"a form that is none": {kind, describe.Query{IDs: []string{"vol-00000001", "disk"}}, "",
			"InvalidVolumeID.Malformed"},
		"a filter that is none": {kind,
			describe.Query{Filters: []ec2wire.Filter{{Name: shape.Of("colour"), Values: []string{"red"}}}}, "",
			slipway.InvalidParameterValue},
		"another's that is shared":  {shared, describe.Query{IDs: []string{"vol-00000007"}}, "[7]", ""},
		"another's that is unnamed": {shared, describe.Query{}, "[ 1 2 3 4 5 6]", ""},
	} {
		got, next, err := tt.kind.List(ctx, db, tt.q)
		if err != nil || tt.code != "" {
			if slipway.CodeOf(err) != tt.code {
				t.Errorf("%s: %v %v, want %q", name, got, err, tt.code)
			}
			continue
		}
		if fmt.Sprint(got) != tt.want || (next != nil) != (tt.q.Max != nil) {
			t.Errorf("%s: %v, more %v; want %s", name, got, next != nil, tt.want)
		}
	}
}
