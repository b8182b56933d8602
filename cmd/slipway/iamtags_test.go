package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestTagsBindIAM: who has rights over what carries a tag makes such things and changes them, and no others.
func TestTagsBindIAM(t *testing.T) {
	w := newWire(t)
	const owned = `"Resource":"arn:aws:iam::*:instance-profile/*","Condition":{"StringEquals":{"aws:%s/team":"blue"}}}`
	who := w.user("karpenter", document(
		`{"Effect":"Allow","Action":"iam:CreateInstanceProfile",`+fmt.Sprintf(owned, "RequestTag"),
		`{"Effect":"Allow","Action":["iam:AddRoleToInstanceProfile","iam:DeleteInstanceProfile"],`+fmt.Sprintf(owned, "ResourceTag"),
		`{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/node","Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}`,
		`{"Effect":"Allow","Action":"iam:UntagUser","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["spare"]},"StringEquals":{"iam:ResourceTag/team":"blue"}}}`))
	w.well(w.root(), "iam", "CreateUser", "UserName", "ann", "Tags.member.1.Key", "team", "Tags.member.1.Value", "blue")
	w.well(w.root(), "iam", "CreateRole", "RoleName", "node", "AssumeRolePolicyDocument", ec2Trust)
	w.well(w.root(), "iam", "CreateInstanceProfile", "InstanceProfileName", "foreign")
	for _, tt := range []struct{ name, call, code string }{
		{"a profile with the tag", "CreateInstanceProfile InstanceProfileName own Tags.member.1.Key team Tags.member.1.Value blue", ""},
		{"with another value", "CreateInstanceProfile InstanceProfileName other Tags.member.1.Key team Tags.member.1.Value red", "AccessDenied"},
		{"without", "CreateInstanceProfile InstanceProfileName other", "AccessDenied"},
		{"with two values", "CreateInstanceProfile InstanceProfileName other Tags.member.1.Key team Tags.member.1.Value blue Tags.member.2.Key Team Tags.member.2.Value blue", "InvalidInput"},
		{"a role into one's own", "AddRoleToInstanceProfile InstanceProfileName own RoleName node", ""},
		{"a role into another's", "AddRoleToInstanceProfile InstanceProfileName foreign RoleName node", "AccessDenied"},
		{"the end of another's", "DeleteInstanceProfile InstanceProfileName foreign", "AccessDenied"},
		{"a tag taken off", "UntagUser UserName ann TagKeys.member.1 spare", ""},
		{"one that must stay", "UntagUser UserName ann TagKeys.member.1 spare TagKeys.member.2 team", "AccessDenied"},
		{"of a user without", "UntagUser UserName karpenter TagKeys.member.1 spare", "AccessDenied"},
	} {
		f := strings.Fields(tt.call)
		if a := w.by(who, "iam", f[0], f[1:]...); a.code != tt.code {
			t.Errorf("%s: %d %s %s", tt.name, a.status, a.code, a.message)
		}
	}
}

// TestParametersAreResources: a right may be over some parameters; the public ones are of no account.
func TestParametersAreResources(t *testing.T) {
	w := newWire(t)
	who := w.user("reader", document(`{"Effect":"Allow","Action":"ssm:*","Resource":"arn:aws:ssm:us-east-1::parameter/aws/service/slipway/*"}`))
	const tiny, debian = "/aws/service/slipway/tiny/latest", "/aws/service/debian/release/12/latest/amd64"
	for _, tt := range []struct {
		action, body string
		allowed      bool
	}{
		{"GetParameter", `{"Name":"` + tiny + `"}`, true},
		{"GetParameter", `{"Name":"` + debian + `"}`, false},
		{"GetParameter", `{"Name":"/mine"}`, false},
		{"GetParameters", `{"Names":["` + tiny + `"]}`, true},
		{"GetParameters", `{"Names":["` + tiny + `","` + debian + `"]}`, false},
		{"GetParametersByPath", `{"Path":"/aws/service/slipway/tiny"}`, true},
		{"GetParametersByPath", `{"Path":"/aws/service","Name":"` + tiny + `"}`, false},
		{"GetParametersByPath", `{"Recursive":true}`, false},
	} {
		a := w.signed(who, "ssm", tt.body, http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"AmazonSSM." + tt.action}})
		if refused := strings.Contains(a.body, `"__type":"AccessDeniedException"`); refused == tt.allowed || tt.allowed && a.status != http.StatusOK {
			t.Errorf("%s %s: %d %s", tt.action, tt.body, a.status, a.body)
		}
	}
}
