package policy

import (
	"strings"
	"testing"
)

// TestParseRefuses what the grammar does not have, and says what that is.
func TestParseRefuses(t *testing.T) {
	const rest = `"Action":"*","Resource":"*"`
	statement := func(parts string) string { return `{"Version":"2012-10-17","Statement":{` + parts + `}}` }
	condition := func(c string) string { return statement(`"Effect":"Allow",` + rest + `,"Condition":{` + c + `}`) }
	trust := func(parts string) string { return statement(`"Effect":"Allow","Action":"sts:AssumeRole"` + parts) }
	for _, tt := range []struct {
		kind       Kind
		text, want string
	}{
		{Identity, ``, "empty"},
		{Identity, `  `, "empty"},
		{Identity, `{}`, "no statement"},
		{Identity, `[]`, "no object"},
		{Identity, `"*"`, "no object"},
		{Identity, `{"Statement":[]}`, "no statement"},
		{Identity, `{"Statement":"x"}`, "no object"},
		{Identity, `{"Statement":[[]]}`, "no object"},
		{Identity, `{"Statement":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "too deep"},
		{Identity, "{\"Id\":\"\xff\"}", "UTF-8"},
		{Identity, `{"Version":"2012-10-17"`, "no JSON"},
		{Identity, statement(`"Effect":"Allow",`+rest) + `{}`, "behind"},
		{Identity, statement(`"Effect":"Allow",`+rest) + `x`, "behind"},
		{Identity, statement(`"Effect":"Allow",`+rest) + statement(`"Effect":"Deny",`+rest), "behind"},
		{Identity, `{"Version":"2020-01-01","Statement":{"Effect":"Allow",` + rest + `}}`, "2020-01-01"},
		{Identity, `{"Version":2012,"Statement":{"Effect":"Allow",` + rest + `}}`, "Version"},
		{Identity, `{"version":"2012-10-17","Statement":{"Effect":"Allow",` + rest + `}}`, `"version"`},
		{Identity, `{"Version":"2012-10-17","Version":"2008-10-17","Statement":{"Effect":"Allow",` + rest + `}}`,
			`"Version" stands twice`},
		{Identity, `{"Statement":{"Effect":"Allow",` + rest + `},"Statement":{"Effect":"Deny",` + rest + `}}`,
			`"Statement" stands twice`},
		{Identity, statement(`"Effect":"Permit",` + rest), "Permit"},
		{Identity, statement(`"Effect":"allow",` + rest), "allow"},
		{Identity, statement(`"Effect":["Allow"],` + rest), "Effect"},
		{Identity, statement(rest), "neither Allow nor Deny"},
		{Identity, statement(`"Effect":"Deny","Effect":"Allow",` + rest), `"Effect" stands twice`},
		{Identity, statement(`"Effect":"Deny","effect":"Allow",` + rest), `"effect"`},
		{Identity, statement(`"Effect":"Allow","action":"*","Resource":"*"`), `"action"`},
		{Identity, statement(`"Effect":"Allow","Actoin":"*","Resource":"*"`), "Actoin"},
		{Identity, statement(`"Effect":"Allow","Resource":"*"`), "Action"},
		{Identity, statement(`"Effect":"Allow","Action":[],"Resource":"*"`), "Action"},
		{Identity, statement(`"Effect":"Allow","Action":[],"NotAction":"ec2:*","Resource":"*"`), "Action"},
		{Identity, statement(`"Effect":"Allow","Action":"ec2:*","NotAction":"iam:*","Resource":"*"`), "Action"},
		{Identity, statement(`"Effect":"Allow","Action":"RunInstances","Resource":"*"`), "RunInstances"},
		{Identity, statement(`"Effect":"Allow","Action":"","Resource":"*"`), "action"},
		{Identity, statement(`"Effect":"Allow","Action":"e*:Run","Resource":"*"`), "e*:Run"},
		{Identity, statement(`"Effect":"Allow","Action":{"a":1},"Resource":"*"`), "Action"},
		{Identity, statement(`"Effect":"Allow","Action":7,"Resource":"*"`), "Action"},
		{Identity, statement(`"Effect":"Allow","Action":"*"`), "Resource"},
		{Identity, statement(`"Effect":"Allow","Action":"*","Resource":[]`), "Resource"},
		{Identity, statement(`"Effect":"Allow","Action":"*","Resource":"*","NotResource":"*"`), "Resource"},
		{Identity, statement(`"Effect":"Allow","Action":"*","Resource":"instance/*"`), "instance/*"},
		{Identity, statement(`"Effect":"Allow","Action":"*","Resource":""`), "resource"},
		{Identity, statement(`"Effect":"Allow","Action":"*","Resource":null`), "Resource"},
		{Identity, statement(`"Effect":"Allow",` + rest + `,"Principal":"*"`), "Principal"},
		{Identity, statement(`"Effect":"Allow",` + rest + `,"Sid":"a b"`), "a b"},
		{Identity, `{"Statement":[{"Sid":"a","Effect":"Allow",` + rest + `},{"Sid":"a","Effect":"Deny",` + rest + `}]}`,
			`"a" is another's`},
		{Identity, condition(`"StringEqual":{"a:b":"c"}`), "StringEqual"},
		{Identity, condition(`"stringequals":{"a:b":"c"}`), "stringequals"},
		{Identity, condition(`"NullIfExists":{"a:b":"true"}`), "NullIfExists"},
		{Identity, condition(`"ForAllValues:ForAnyValue:StringEquals":{"a:b":"c"}`), "ForAllValues:ForAnyValue"},
		{Identity, condition(`"ForSomeValues:StringEquals":{"a:b":"c"}`), "ForSomeValues"},
		{Identity, condition(`"Null":{"a:b":"maybe"}`), "maybe"},
		{Identity, condition(`"StringEquals":{"a:b":"c","A:B":"d"}`), "twice"},
		{Identity, condition(`"StringEquals":{"a:b":"c"},"StringEquals":{"a:c":"d"}`), "twice"},
		{Identity, condition(`"StringEquals":{"ab":"c"}`), `"ab"`},
		{Identity, condition(`"StringEquals":{"a:b":null}`), "a:b"},
		{Identity, condition(`"StringEquals":{"a:b":[["c"]]}`), "a:b"},
		{Identity, condition(`"StringEquals":"a:b"`), "StringEquals"},
		{Identity, statement(`"Effect":"Allow",` + rest + `,"Condition":[]`), "Condition"},
		{Identity, `{"Id":"` + strings.Repeat("x", maxDocument) + `"}`, "too large"},
		{Trust, trust(``), "Principal"},
		{Trust, trust(`,"Principal":"*","Resource":"*"`), "Resource"},
		{Trust, trust(`,"Principal":"*","NotPrincipal":{"AWS":"1"}`), "Principal"},
		{Trust, trust(`,"NotPrincipal":{"AWS":"1"}`), "NotPrincipal"},
		{Trust, trust(`,"Principal":"ada"`), "ada"},
		{Trust, trust(`,"Principal":{}`), "principal"},
		{Trust, trust(`,"Principal":{"AWS":[]}`), "principal"},
		{Trust, trust(`,"Principal":{"Aws":"*"}`), "Aws"},
		{Trust, trust(`,"Principal":{"AWS":"arn:aws:iam::1:user/*"}`), "wildcard"},
		{Trust, statement(`"Effect":"Allow","Principal":"*","Action":"ec2:RunInstances"`), "STS"},
	} {
		if _, err := Parse(tt.text, tt.kind); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.200s: got %v, want it to name %q", tt.text, err, tt.want)
		}
	}
}

// FuzzParse: no document and no value makes the evaluator fail or go on without end.
func FuzzParse(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"a:b":"true"}}}]}`,
		"v")
	f.Add(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ec2:*","NotResource":"arn:aws:ec2:*:${a:b, 'x'}","Condition":{"ForAllValues:ArnLike":{"a:b":"${a:b}*"}}}}`,
		"${a:b}")
	f.Add(`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"1"}}}`, "*")
	f.Fuzz(func(t *testing.T, text, value string) {
		for _, kind := range []Kind{Identity, Trust} {
			if d, err := Parse(text, kind); err == nil {
				Evaluate([]*Document{d},
					Request{Action: "ec2:RunInstances", Resource: "*", Context: map[string][]string{"a:b": {value}}})
			}
		}
	})
}
