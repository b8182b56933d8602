package iam

import (
	"fmt"
	"strings"
	"testing"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/state"
	"slipway/internal/store"
)

// BenchmarkJudge is a launch's dozen resources under a policy of 20 statements.
func BenchmarkJudge(b *testing.B) {
	s, db, ctx := world(b)
	var statements []string
	for i := range 20 {
		statements = append(statements,
			fmt.Sprintf(`{"Effect":"Allow","Action":["ec2:RunInstances","ec2:CreateFleet"],"Resource":["arn:aws:ec2:*:*:instance/*","arn:aws:ec2:*:*:volume/*"],"Condition":{"StringEquals":{"aws:RequestTag/k%d":"${aws:username}"},"StringLike":{"aws:RequestTag/n":"*"}}}`,
				i))
	}
	statements = append(statements, `{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`)
	write(b, db, func(tx store.Tx) error {
		return state.Users.Edit(tx, state.IAM("000000000001"), "ada", func(u *slipway.User) error {
			u.Policies.Inline["p"] = `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
			return nil
		})
	})
	call := slipway.CallFrom(ctx("RunInstances", nil))
	var resources []action.Resource
	for range 12 {
		resources = append(resources,
			action.Resource{
				Kind: "instance", ID: action.New, Given: slipway.Tags{"n": "x"},
				Keys: map[string]string{"ec2:InstanceType": "t3.micro"},
			})
	}
	r := db.Local()
	b.ReportAllocs()
	for b.Loop() {
		if err := s.judge(r, call, resources); err != nil {
			b.Fatal(err)
		}
	}
}
