package iamwire_test

import (
	"net/url"
	"testing"
	"time"

	"slipway"
	"slipway/internal/ec2query"
	"slipway/internal/iamwire"
)

// TestShapesFollowTheProtocol: lists are "member"s both ways, times have no fractions, and what is not taken is unknown.
func TestShapesFollowTheProtocol(t *testing.T) {
	read := func(form url.Values) (*iamwire.CreateUserRequest, error) {
		r, err := ec2query.NewMemberReader(form)
		if err != nil {
			t.Fatal(err)
		}
		in := &iamwire.CreateUserRequest{}
		in.DecodeQuery(r)
		return in, r.Err()
	}
	in, err := read(url.Values{"UserName": {"ann"}, "Tags.member.1.Key": {"k"}, "Tags.member.1.Value": {""}})
	if err != nil || *in.UserName != "ann" || in.Path != nil || len(in.Tags) != 1 || *in.Tags[0].Key != "k" {
		t.Errorf("%+v %v", in, err)
	}
	if _, err := read(url.Values{"PermissionsBoundary": {"x"}}); slipway.CodeOf(err) != slipway.UnknownParameter {
		t.Errorf("what is not taken: %v", err)
	}
	at := time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.UTC)
	out := &iamwire.User{UserName: in.UserName, CreateDate: &at, Tags: in.Tags}
	w := &ec2query.Writer{}
	out.EncodeXML(w)
	want := "<UserName>ann</UserName><CreateDate>2026-03-04T05:06:07Z</CreateDate>" +
		"<Tags><member><Key>k</Key>"
	if got := string(w.Bytes()); len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("%s, want it to begin %s", got, want)
	}
}

// TestActionsAreKnown: those that are served and those that are not.
func TestActionsAreKnown(t *testing.T) {
	if !iamwire.KnownActions["CreateUser"] || !iamwire.KnownActions["CreateGroup"] || iamwire.KnownActions["RunInstances"] {
		t.Errorf("%d actions", len(iamwire.KnownActions))
	}
}
