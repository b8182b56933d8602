package controlplane_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway"
	"slipway/internal/apitest"
	"slipway/internal/state"
	"slipway/internal/store"
)

// What a caller can make has an end: in length, in number, in time.
func TestTextsHaveLimits(t *testing.T) {
	w := apitest.New(t)
	volume := []string{"CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1"}
	for _, tt := range []struct {
		name, code string
		call       []string
	}{
		{"a token of a megabyte", "InvalidClientToken", append(volume, "ClientToken", strings.Repeat("x", 1<<20))},
		{"a token of 129 characters", "InvalidClientToken", append(volume, "ClientToken", strings.Repeat("x", 129))},
		{"a token that is not ASCII", "InvalidClientToken", append(volume, "ClientToken", "tökën")},
		{"a launch's token of 65 characters", "InvalidClientToken",
			[]string{
				"RunInstances", "ImageId", w.Image(), "MinCount", "1", "MaxCount", "1", "ClientToken", strings.Repeat("x", 65),
			}},
		{"a reservation's token", "InvalidClientToken",
			[]string{
				"CreateCapacityReservation", "InstanceType", "t3.nano", "InstancePlatform", "Linux/UNIX",
				"AvailabilityZone", "us-east-1a", "InstanceCount", "1",
				"ClientToken", strings.Repeat("x", 500),
			}},
		{"a host's token", "InvalidClientToken",
			[]string{
				"AllocateHosts", "InstanceType", "m5.large", "AvailabilityZone", "us-east-1a", "Quantity", "1",
				"ClientToken", strings.Repeat("x", 500),
			}},
		{"a description", "InvalidParameterValue",
			[]string{"CreateSecurityGroup", "GroupName", "long", "GroupDescription", strings.Repeat("x", 5000)}},
		{"a filter's value", "FilterLimitExceeded",
			[]string{"DescribeInstances", "Filter.1.Name", "tag:Name", "Filter.1.Value.1", strings.Repeat("x", 5000)}},
	} {
		if a := w.Call(tt.call[0], tt.call[1:]...); a.Code != tt.code {
			t.Errorf("%s: %q, want %s", tt.name, a.Code, tt.code)
		}
	}
	w.Must("volumeId", volume[0], append(volume[1:], "ClientToken", strings.Repeat("x", 64))...)
}

func TestWhatHasEndedGoesHoweverMuchItIs(t *testing.T) {
	w := apitest.New(t)
	scope := state.Scope{Account: w.Keys.Account, Region: "us-east-1"}
	now := time.Now()
	const many = 2300
	err := w.DB.Update(t.Context(), func(tx store.Tx) error {
		for i := range many {
			for _, v := range []error{
				state.Tokens.Put(tx,
					&state.Token{Scope: scope, ID: fmt.Sprintf("old/%d", i), Created: now.AddDate(0, 0, -4-i%300)}),
				state.Timelines.Put(tx,
					&state.Timeline{Scope: scope, ID: fmt.Sprintf("r-%d", i), Day: state.Day(now.AddDate(0, 0, -9-i%300))}),
				state.AccessKeys.Put(tx,
					&slipway.AccessKey{
						ID: fmt.Sprintf("ASIAOLD%d", i), Account: w.Keys.Account, Token: "x",
						Expires: now.AddDate(0, 0, -1-i%300),
					}),
			} {
				if v != nil {
					return v
				}
			}
		}
		live := slipway.NewInstanceID()
		return state.Instances.Put(tx,
			&slipway.Instance{
				InstanceIdentity:   slipway.InstanceIdentity{ID: live, Account: scope.Account, Region: scope.Region},
				InstanceStatus:     slipway.InstanceStatus{State: slipway.Stopped},
				InstanceAssignment: slipway.InstanceAssignment{Host: "elsewhere"},
			})
	})
	if err != nil {
		t.Fatal(err)
	}
	var living slipway.InstanceID
	for in := range state.Instances.All(w.DB.Local(), scope) {
		living = in.ID
	}
	put := func(tok *state.Token) {
		t.Helper()
		if err := w.DB.Update(t.Context(), func(tx store.Tx) error { return state.Tokens.Put(tx, tok) }); err != nil {
			t.Fatal(err)
		}
	}
	put(&state.Token{Scope: scope, ID: "young", Created: now.Add(-47 * time.Hour)})
	put(&state.Token{Scope: scope, ID: "living", Created: now.AddDate(0, 0, -20), Instances: []slipway.InstanceID{living}})
	for range 2 { // a second time, the living one's is not due
		if err := w.API.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := w.DB.Local()
		var left []string
		for tok := range state.Tokens.All(r, scope) {
			left = append(left, tok.ID)
		}
		for tl := range state.Timelines.All(r, scope) {
			left = append(left, tl.ID)
		}
		for k := range state.AccessKeys.All(r, state.Global) {
			if k.Token != "" {
				left = append(left, k.ID)
			}
		}
		if fmt.Sprint(left) != "[living young]" {
			t.Fatalf("%d are left, want a young token and a living instance's: %.200v", len(left), left)
		}
	}
	if got := state.Tokens.See(w.DB.Local(), scope, "living").Due(); got <= state.Day(now) {
		t.Errorf("a living instance's token is looked at again on %s, and would be every minute", got)
	}
}

func TestSessionsHaveAnEnd(t *testing.T) {
	w := apitest.New(t)
	err := w.DB.Update(t.Context(), func(tx store.Tx) error {
		for i := range 5000 {
			if err := state.AccessKeys.Put(tx,
				&slipway.AccessKey{
					ID: fmt.Sprintf("ASIA%d", i), Account: w.Keys.Account, Token: "x", Expires: time.Now().Add(time.Hour),
				}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if a := w.By(aws.Credentials{AccessKeyID: w.Keys.ID, SecretAccessKey: w.Keys.Secret}, "sts",
		"GetSessionToken"); a.Code != "Throttling" {
		t.Errorf("one session too many: %d %q", a.Status, a.Code)
	}
}
