package iam

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2query"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/adversary"
)

const owner = "000000000001"

// apiUsers is the room on several servers of one state.
type apiUsers struct {
	*testing.T
	db  *adversary.Store
	ctx context.Context
}

// server is a server's actions, as the account's root calls them: the answer is written out, or the error.
func (c *apiUsers) server(db *adversary.Store) func(action string, form ...string) string {
	actions := New(state.DB{Store: db}, time.Now).Actions()
	return func(action string, form ...string) string {
		values := url.Values{}
		for i := 0; i < len(form); i += 2 {
			values.Set(form[i], form[i+1])
		}
		reader, err := ec2query.NewMemberReader(values)
		if err != nil {
			return err.Error()
		}
		return say(c.ctx, actions[action], action, reader)
	}
}

func say(ctx context.Context, declared action.Action, action string, reader *ec2query.Reader) string {
	request, err := declared.Read(reader)
	if err != nil {
		return string(slipway.CodeOf(err))
	}
	out, err := request.Do(ctx)
	if err != nil {
		return string(slipway.CodeOf(err))
	}
	return string(ec2query.MemberAnswer(action, Namespace, "r", out))
}

// TestIAMTogether: whatever order the calls of two servers take, nothing is left that one of them forbids the other.
func TestIAMTogether(t *testing.T) {
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}`
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	arn := "arn:aws:iam::" + owner + ":policy/p"
	for _, tt := range []struct {
		name     string
		before   [][]string
		together [][]string
		fault    func(r *adversary.Store) string
	}{
		{"DeleteUser beside CreateAccessKey", [][]string{{"CreateUser", "UserName", "bob"}},
			[][]string{{"DeleteUser", "UserName", "bob"}, {"CreateAccessKey", "UserName", "bob"}}, orphanKeys},
		{"three CreateAccessKey", [][]string{{"CreateUser", "UserName", "bob"}},
			[][]string{
				{"CreateAccessKey", "UserName", "bob"}, {"CreateAccessKey", "UserName", "bob"},
				{"CreateAccessKey", "UserName", "bob"},
			},
			func(s *adversary.Store) string {
				n := 0
				for range state.AccessKeys.By(newest(s), state.Global, "user/"+owner+"/bob") {
					n++
				}
				if n != 2 {
					return fmt.Sprintf("bob has %d access keys, want the two that one may have", n)
				}
				return ""
			}},
		{"DeletePolicy beside AttachUserPolicy",
			[][]string{{"CreateUser", "UserName", "bob"}, {"CreatePolicy", "PolicyName", "p", "PolicyDocument", policy}},
			[][]string{{"DeletePolicy", "PolicyArn", arn}, {"AttachUserPolicy", "UserName", "bob", "PolicyArn", arn}},
			danglingPolicies},
		{"DeletePolicy beside AttachRolePolicy",
			[][]string{
				{"CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trust},
				{"CreatePolicy", "PolicyName", "p", "PolicyDocument", policy},
			},
			[][]string{{"DeletePolicy", "PolicyArn", arn}, {"AttachRolePolicy", "RoleName", "r", "PolicyArn", arn}},
			danglingPolicies},
		{"DeleteRole beside AddRoleToInstanceProfile",
			[][]string{
				{"CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trust},
				{"CreateInstanceProfile", "InstanceProfileName", "i"},
			},
			[][]string{
				{"DeleteRole", "RoleName", "r"}, {"AddRoleToInstanceProfile", "InstanceProfileName", "i", "RoleName", "r"},
			},
			func(s *adversary.Store) string {
				for p := range state.InstanceProfiles.All(newest(s), state.IAM(owner)) {
					if p.Role != "" && state.Roles.See(newest(s), state.IAM(owner), p.Role) == nil {
						return "the profile has a role that is gone"
					}
				}
				return ""
			}},
		{"DeleteUser beside AttachUserPolicy",
			[][]string{{"CreateUser", "UserName", "bob"}, {"CreatePolicy", "PolicyName", "p", "PolicyDocument", policy}},
			[][]string{{"DeleteUser", "UserName", "bob"}, {"AttachUserPolicy", "UserName", "bob", "PolicyArn", arn}},
			func(s *adversary.Store) string {
				u := state.Users.See(newest(s), state.IAM(owner), "bob")
				if u != nil && len(u.Policies.Attached) == 0 {
					return "bob is neither deleted nor has he the policy"
				}
				return ""
			}},
		{"two CreateUser of one name", nil,
			[][]string{{"CreateUser", "UserName", "bob"}, {"CreateUser", "UserName", "bob", "Path", "/x/"}},
			func(*adversary.Store) string { return "" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seen := map[string]bool{}
			adversary.Run(t, state.Schema(), 200, func(t *testing.T, s *adversary.Store) {
				c := &apiUsers{
					t, s, slipway.WithCall(context.Background(),
						slipway.Call{
							Caller: slipway.Caller{Account: owner, ARN: "arn:aws:iam::" + owner + ":root"}, Region: "us-east-1",
						}),
				}
				first := c.server(s)
				for _, call := range tt.before {
					if got := first(call[0], call[1:]...); !strings.HasPrefix(got, "<") {
						t.Fatalf("%s: %s", call[0], got)
					}
				}
				answers := make([]string, len(tt.together))
				var callers []func()
				for i, call := range tt.together {
					on := c.server(s.Other())
					callers = append(callers, func() { answers[i] = on(call[0], call[1:]...) })
				}
				s.Together(callers...)
				if fault := tt.fault(s); fault != "" {
					t.Errorf("%s; answers %.80q", fault, answers)
				}
				for i := range answers {
					if strings.HasPrefix(answers[i], "<") {
						answers[i] = "done"
					}
				}
				seen[strings.Join(answers, " ")] = true
				if strings.Count(strings.Join(answers, " "), "InternalError") > 0 {
					t.Errorf("answers %q", answers)
				}
			})
			if len(seen) < 2 {
				t.Errorf("200 seeds have one outcome, %v: the calls never met", seen)
			}
		})
	}
}

func newest(s *adversary.Store) store.Reader {
	v, _ := s.Snapshot(context.Background()) // its error is the context's
	return v
}

func orphanKeys(s *adversary.Store) string {
	for k := range state.AccessKeys.All(newest(s), state.Global) {
		if state.Users.See(newest(s), state.IAM(k.Account), k.User) == nil {
			return "a key without its user: it signs for the next one of that name"
		}
	}
	return ""
}

func danglingPolicies(s *adversary.Store) string {
	r := newest(s)
	attached := func(p slipway.Policies) string {
		for _, arn := range p.Attached {
			if state.ManagedPolicies.See(r, state.IAM(owner), arn) == nil {
				return "a policy that is gone is attached still"
			}
		}
		return ""
	}
	for u := range state.Users.All(r, state.IAM(owner)) {
		if fault := attached(u.Policies); fault != "" {
			return fault
		}
	}
	for role := range state.Roles.All(r, state.IAM(owner)) {
		if fault := attached(role.Policies); fault != "" {
			return fault
		}
	}
	return ""
}
