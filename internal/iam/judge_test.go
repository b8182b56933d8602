package iam

import (
	"context"
	"net/url"
	"testing"
	"time"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2query"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/memory"
)

// world is an account with a user who may do everything, and their call.
func world(t testing.TB) (*Service, state.DB, func(action string, form url.Values) context.Context) {
	t.Helper()
	db := state.DB{Store: memory.New(state.Schema())}
	s := New(db, time.Now)
	u := &slipway.User{
		Account: "000000000001", Name: "ada", ID: "AIDA1", Path: "/", Policies: slipway.Policies{Inline: map[string]string{
			"p": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/locked":"yes"}}}]}`,
		}},
	}
	k := &slipway.AccessKey{ID: "AKIA1", Account: u.Account, User: u.Name, Owner: u.ID}
	write(t, db, func(tx store.Tx) error {
		if err := state.Users.Put(tx, u); err != nil {
			return err
		}
		return state.AccessKeys.Put(tx, k)
	})
	return s, db, func(action string, form url.Values) context.Context {
		call := slipway.Call{
			Caller: slipway.Caller{Account: u.Account, ARN: u.ARN(), UserID: u.ID, AccessKey: k.ID},
			Region: "us-east-1", Action: action,
		}
		return slipway.WithCall(t.Context(), call)
	}
}

func write(t testing.TB, db state.DB, fn func(store.Tx) error) {
	t.Helper()
	if err := db.Store.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// read is a request as the front reads it.
func read(t *testing.T, declared action.Action, form url.Values) action.Request {
	t.Helper()
	reader, err := ec2query.NewMemberReader(form)
	if err != nil {
		t.Fatal(err)
	}
	request, err := declared.Read(reader)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// TestJudgedIsDone: what changes between the judgement and the deed is judged again, and the deed does not happen.
func TestJudgedIsDone(t *testing.T) {
	s, db, call := world(t)
	role := &slipway.Role{
		Account: "000000000001", Name: "r", ID: "AROA1", Path: "/",
		Trust: `{"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}`, MaxSession: 3600,
		Tags: slipway.Tags{},
	}
	write(t, db, func(tx store.Tx) error { return state.Roles.Put(tx, role) })
	form := url.Values{"RoleName": {"r"}}
	deletion := read(t, s.Actions()["DeleteRole"], form)
	ctx, err := s.AdmitOther(call("DeleteRole", form), "iam", deletion.Resources)
	if err != nil {
		t.Fatalf("a role that is open: %v", err)
	}
	locked := *role
	locked.Tags = slipway.Tags{"locked": "yes"}
	write(t, db, func(tx store.Tx) error { return state.Roles.Put(tx, &locked) })
	if _, err := deletion.Do(ctx); slipway.CodeOf(err) != slipway.AccessDenied {
		t.Errorf("a role that was locked since: %v", err)
	}
	if state.Roles.See(db.Local(), state.IAM(role.Account), "r") == nil {
		t.Error("it is gone")
	}
	if _, err := s.AdmitOther(call("DeleteRole", form), "iam", deletion.Resources); slipway.CodeOf(err) != slipway.AccessDenied {
		t.Errorf("a role that is locked: %v", err)
	}

	ask := url.Values{"RoleArn": {role.ARN()}, "RoleSessionName": {"s1"}}
	assumption := read(t, s.TokenActions()["AssumeRole"], ask)
	if _, err := assumption.Do(call("AssumeRole", ask)); slipway.CodeOf(err) != slipway.AccessDenied {
		t.Errorf("to assume a role that is locked: %v", err)
	}
}

// TestPolicyARNIsAsked: who may attach policies may be held to some.
func TestPolicyARNIsAsked(t *testing.T) {
	s, db, call := world(t)
	write(t, db, func(tx store.Tx) error {
		return state.Users.Edit(tx, state.IAM("000000000001"), "ada", func(u *slipway.User) error {
			u.Policies.Inline["p"] = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:Attach*","Resource":"*","Condition":{"ArnLike":{"iam:PolicyARN":"arn:aws:iam::aws:policy/*ReadOnlyAccess"}}}}`
			return nil
		})
	})
	for arn, want := range map[string]slipway.Code{
		awsPolicies + "AmazonEC2ReadOnlyAccess": "", awsPolicies + "AdministratorAccess": slipway.AccessDenied,
	} {
		form := url.Values{"UserName": {"ada"}, "PolicyArn": {arn}}
		attachment := read(t, s.Actions()["AttachUserPolicy"], form)
		_, err := s.AdmitOther(call("AttachUserPolicy", form), "iam", attachment.Resources)
		if got := slipway.CodeOf(err); err != nil && got != want || err == nil && want != "" {
			t.Errorf("%s: %v, want %q", arn, err, want)
		}
	}
}
