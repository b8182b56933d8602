package policy

import (
	"strings"
	"testing"
)

func TestEvaluate(t *testing.T) {
	const (
		run      = "ec2:RunInstances"
		instance = "arn:aws:ec2:us-east-1:000000000001:instance/*"
	)
	ctx := map[string][]string{"ec2:instancetype": {"t3.micro"}, "ec2:region": {"us-east-1"}, "aws:requesttag/team": {"red"}, "aws:tagkeys": {"team", "Name"}, "aws:sourceip": {"127.0.0.1"}, "aws:username": {"ada"}, "aws:currenttime": {"2026-03-04T12:00:00Z"}}
	for _, tt := range []struct {
		name, statement, action, resource string
		want                              Decision
	}{
		{"everything", `{"Effect":"Allow","Action":"*","Resource":"*"}`, run, instance, Allow},
		{"nothing said", `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`, run, instance, ImplicitDeny},
		{"actions in any case", `{"Effect":"Allow","Action":["ec2:runinstances"],"Resource":"*"}`, run, instance, Allow},
		{"wildcards in actions", `{"Effect":"Allow","Action":"ec2:Run*","Resource":"*"}`, run, instance, Allow},
		{"all but", `{"Effect":"Allow","NotAction":"ec2:Terminate*","Resource":"*"}`, run, instance, Allow},
		{"all but this", `{"Effect":"Allow","NotAction":"ec2:Run*","Resource":"*"}`, run, instance, ImplicitDeny},
		{"a resource", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:ec2:*:*:instance/*"}`, run, instance, Allow},
		{"another resource", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:ec2:*:*:volume/*"}`, run, instance, ImplicitDeny},
		{"all but a resource", `{"Effect":"Allow","Action":"*","NotResource":"arn:aws:ec2:*:*:instance/*"}`, run, instance, ImplicitDeny},
		{"a denial outweighs", `[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"ec2:RunInstances","Resource":"*"}]`, run, instance, ExplicitDeny},
		{"a condition that holds", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"ec2:InstanceType":["t3.nano","t3.micro"]}}}`, run, instance, Allow},
		{"one that does not", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"ec2:InstanceType":"m5.large"}}}`, run, instance, ImplicitDeny},
		{"two conditions, one fails", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"ec2:Region":"us-east-1"},"StringLike":{"ec2:InstanceType":"m5.*"}}}`, run, instance, ImplicitDeny},
		{"must differ, and does", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"ec2:InstanceType":["m5.large","c5.large"]}}}`, run, instance, Allow},
		{"must differ, absent", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"ec2:Absent":"x"}}}`, run, instance, Allow},
		{"must be, absent", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"ec2:Absent":"x"}}}`, run, instance, ImplicitDeny},
		{"must be if there, absent", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEqualsIfExists":{"ec2:Absent":"x"}}}`, run, instance, Allow},
		{"a request tag", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"red"}}}`, run, instance, Allow},
		{"only these tag keys", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["team","Name","cost"]}}}`, run, instance, Allow},
		{"only this tag key", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}}`, run, instance, ImplicitDeny},
		{"any of these tag keys", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}}}`, run, instance, Allow},
		{"a tag must be there", `{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Null":{"aws:RequestTag/cost":"true"}}}`, run, instance, ExplicitDeny},
		{"from an address", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}`, run, instance, Allow},
		{"not from an address", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}`, run, instance, ImplicitDeny},
		{"after a date", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}}}`, run, instance, Allow},
		{"a variable", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::1:user/${aws:username}"}`, "iam:GetUser", "arn:aws:iam::1:user/ada", Allow},
		{"a variable of another", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::1:user/${aws:username}"}`, "iam:GetUser", "arn:aws:iam::1:user/bob", ImplicitDeny},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Parse(`{"Version":"2012-10-17","Statement":` + tt.statement + `}`)
			if err != nil {
				t.Fatal(err)
			}
			if got := Evaluate([]*Document{d}, Request{Action: tt.action, Resource: tt.resource, Context: ctx}); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestPrincipals(t *testing.T) {
	for trust, want := range map[string]struct{ all, direct Decision }{
		`"*"`: {Allow, Allow},
		`{"AWS":"arn:aws:iam::000000000001:root"}`:   {Allow, ImplicitDeny},
		`{"AWS":"000000000001"}`:                     {Allow, ImplicitDeny},
		`{"AWS":"arn:aws:iam::000000000001:user/a"}`: {Allow, Allow},
		`{"AWS":"arn:aws:iam::000000000001:role/r"}`: {Allow, Allow},
		`{"AWS":"arn:aws:iam::000000000001:role/s"}`: {ImplicitDeny, ImplicitDeny},
		`{"AWS":"arn:aws:iam::000000000002:root"}`:   {ImplicitDeny, ImplicitDeny},
		`{"Service":"ec2.amazonaws.com"}`:            {ImplicitDeny, ImplicitDeny},
	} {
		d, err := Parse(`{"Statement":{"Effect":"Allow","Principal":` + trust + `,"Action":"sts:AssumeRole"}}`)
		if err != nil {
			t.Fatal(err)
		}
		r := Request{Action: "sts:AssumeRole", Principals: []string{"arn:aws:iam::000000000001:user/a", "arn:aws:iam::000000000001:role/r"}}
		if got := Evaluate([]*Document{d}, r); got != want.all {
			t.Errorf("%s: got %v, want %v", trust, got, want.all)
		}
		r.Direct = true
		if got := Evaluate([]*Document{d}, r); got != want.direct {
			t.Errorf("%s: directly %v, want %v", trust, got, want.direct)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		``:                 "empty",
		`{}`:               "empty",
		`{"Statement":[]}`: "no statement",
		`{"Statement":{"Effect":"Permit","Action":"*","Resource":"*"}}`:                                      "Permit",
		`{"Statement":{"Effect":"Allow","Actoin":"*","Resource":"*"}}`:                                       "Actoin",
		`{"Statement":{"Effect":"Allow","Resource":"*"}}`:                                                    "Action",
		`{"Version":"2020-01-01","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`:                "2020-01-01",
		`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEqual":{"a":"b"}}}}`: "StringEqual",
		`{"Statement":{"Effect":"Allow","Action":{"a":1},"Resource":"*"}}`:                                   "",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want it to name %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"a":"true"}}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := Parse(text); err == nil {
			Evaluate([]*Document{d}, Request{Action: "ec2:RunInstances", Resource: "*", Context: map[string][]string{"a": {"b"}}})
		}
	})
}
