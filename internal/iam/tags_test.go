package iam_test

import (
	"fmt"
	"strings"
	"testing"

	"slipway/internal/apitest"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// TestTagsBindIAM: who has rights over what carries a tag makes such things and changes them, and no others.
func TestTagsBindIAM(t *testing.T) {
	w := apitest.New(t)
	const owned = `"Resource":"arn:aws:iam::*:instance-profile/*","Condition":{"StringEquals":{"aws:%s/team":"blue"}}}`
	who := w.User("karpenter", apitest.Document(
		`{"Effect":"Allow","Action":"iam:CreateInstanceProfile",`+fmt.Sprintf(owned, "RequestTag"),
		`{"Effect":"Allow","Action":["iam:AddRoleToInstanceProfile","iam:DeleteInstanceProfile"],`+
			fmt.Sprintf(owned, "ResourceTag"),
		`{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/node","Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}`,
		`{"Effect":"Allow","Action":"iam:UntagUser","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["spare"]},"StringEquals":{"iam:ResourceTag/team":"blue"}}}`))
	w.Well(w.Root(), "iam", "CreateUser", "UserName", "ann", "Tags.member.1.Key", "team", "Tags.member.1.Value", "blue")
	w.Well(w.Root(), "iam", "CreateRole", "RoleName", "node", "AssumeRolePolicyDocument", apitest.Ec2Trust)
	w.Well(w.Root(), "iam", "CreateInstanceProfile", "InstanceProfileName", "foreign")
	for _, tt := range []struct{ name, call, code string }{
		{"a profile with the tag",
			"CreateInstanceProfile InstanceProfileName own Tags.member.1.Key team Tags.member.1.Value blue", ""},
		{"with another value",
			"CreateInstanceProfile InstanceProfileName other Tags.member.1.Key team Tags.member.1.Value red", "AccessDenied"},
		{"without", "CreateInstanceProfile InstanceProfileName other", "AccessDenied"},
		{"with two values",
			"CreateInstanceProfile InstanceProfileName other Tags.member.1.Key team Tags.member.1.Value blue " +
				"Tags.member.2.Key Team Tags.member.2.Value blue",
			"InvalidInput"},
		{"a role into one's own", "AddRoleToInstanceProfile InstanceProfileName own RoleName node", ""},
		{"a role into another's", "AddRoleToInstanceProfile InstanceProfileName foreign RoleName node", "AccessDenied"},
		{"the end of another's", "DeleteInstanceProfile InstanceProfileName foreign", "AccessDenied"},
		{"a tag taken off", "UntagUser UserName ann TagKeys.member.1 spare", ""},
		{"one that must stay", "UntagUser UserName ann TagKeys.member.1 spare TagKeys.member.2 team", "AccessDenied"},
		{"of a user without", "UntagUser UserName karpenter TagKeys.member.1 spare", "AccessDenied"},
	} {
		f := strings.Fields(tt.call)
		if a := w.By(who, "iam", f[0], f[1:]...); a.Code != tt.code {
			t.Errorf("%s: %d %s %s", tt.name, a.Status, a.Code, a.Message)
		}
	}
}

// TestATagWithoutValueIsATag: a condition that asks for a tag with whatever value is met by an empty one, and not by none.
func TestATagWithoutValueIsATag(t *testing.T) {
	w := apitest.New(t)
	statement := func(action, by string) string {
		return `{"Effect":"Allow","Action":` + action + `,"Resource":"*","Condition":{"StringLike":{"aws:` + by +
			`/pool":"*"}}}`
	}
	who := w.User("pools",
		apitest.Document(statement(`["ec2:CreateLaunchTemplate","ec2:CreateTags"]`, "RequestTag"),
			statement(`"ec2:DeleteLaunchTemplate"`, "ResourceTag")))
	template := func(name string, more ...string) []string {
		return append([]string{"LaunchTemplateName", name, "LaunchTemplateData.InstanceType", "t3.micro"}, more...)
	}
	w.Must("launchTemplateId", "CreateLaunchTemplate", template("bare")...)
	for _, tt := range []struct {
		name, action string
		params       []string
		code         string
	}{
		{"made with the tag", "CreateLaunchTemplate",
			template("own", "TagSpecification.1.ResourceType", "launch-template", "TagSpecification.1.Tag.1.Key",
				"pool", "TagSpecification.1.Tag.1.Value", ""), ""},
		{"made without", "CreateLaunchTemplate", template("other"), "UnauthorizedOperation"},
		{"the end of what has it", "DeleteLaunchTemplate", []string{"LaunchTemplateName", "own"}, ""},
		{"of what has not", "DeleteLaunchTemplate", []string{"LaunchTemplateName", "bare"}, "UnauthorizedOperation"},
	} {
		if a := w.By(who, "ec2", tt.action, tt.params...); a.Code != tt.code {
			t.Errorf("%s: %d %s %s", tt.name, a.Status, a.Code, a.Message)
		}
	}
}

// TestWhatIsNamedIsJudged: a right over a thing, or its denial, holds by the thing's name too.
func TestWhatIsNamedIsJudged(t *testing.T) {
	w := apitest.New(t)
	tagged := func(kind, team string) []string {
		return []string{
			"TagSpecification.1.ResourceType", kind, "TagSpecification.1.Tag.1.Key", "team",
			"TagSpecification.1.Tag.1.Value", team,
		}
	}
	for _, team := range []string{"blue", "red"} {
		w.Must("launchTemplateId", "CreateLaunchTemplate",
			append(tagged("launch-template", team), "LaunchTemplateName", team, "LaunchTemplateData.InstanceType",
				"t3.micro")...)
		w.Must("groupId", "CreateSecurityGroup",
			append(tagged("security-group", team), "GroupName", team, "GroupDescription", team)...)
		w.Must("groupName", "CreatePlacementGroup", "GroupName", team, "Strategy", "cluster")
	}
	own := `{"Effect":"Allow","Action":["ec2:*LaunchTemplate*","ec2:*SecurityGroup*"],"Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"blue"}}}`
	blue := w.User("blue",
		apitest.Document(own,
			`{"Effect":"Allow","Action":"ec2:DeletePlacementGroup","Resource":"arn:aws:ec2:*:*:placement-group/blue"}`))
	not := w.User("not",
		apitest.Document(`{"Effect":"Allow","Action":["ec2:*","iam:*"],"Resource":"*"}`,
			`{"Effect":"Deny","Action":"ec2:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"red"}}}`))
	launch := []string{"ImageId", w.Image(), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1", "DryRun", "true"}
	rule := []string{"IpProtocol", "tcp", "FromPort", "22", "ToPort", "22", "CidrIp", "10.0.0.0/8"}
	const denied = "UnauthorizedOperation"
	for _, tt := range []struct {
		name, action string
		who          aws.Credentials
		params       []string
		code         string
	}{
		{"a version of one's template", "CreateLaunchTemplateVersion", blue,
			[]string{"LaunchTemplateName", "blue", "SourceVersion", "1", "LaunchTemplateData.KeyName", "k"}, ""},
		{"of another's", "CreateLaunchTemplateVersion", blue,
			[]string{"LaunchTemplateName", "red", "SourceVersion", "1", "LaunchTemplateData.KeyName", "k"}, denied},
		{"of one that is not there", "DeleteLaunchTemplate", blue, []string{"LaunchTemplateName", "none"}, denied},
		{"of a denied one", "DeleteLaunchTemplate", not, []string{"LaunchTemplateName", "red"}, denied},
		{"of none, for who may", "DeleteLaunchTemplate", not, []string{"LaunchTemplateName", "none"},
			"InvalidLaunchTemplateName.NotFoundException"},
		{"a rule of one's group", "AuthorizeSecurityGroupIngress", blue, append(rule, "GroupName", "blue"), ""},
		{"of another's", "AuthorizeSecurityGroupIngress", blue, append(rule, "GroupName", "red"), denied},
		{"of a denied one", "DeleteSecurityGroup", not, []string{"GroupName", "red"}, denied},
		{"a launch into a group", "RunInstances", not, append(launch, "SecurityGroup.1", "blue"), "DryRunOperation"},
		{"into a denied one", "RunInstances", not, append(launch, "SecurityGroup.1", "red"), denied},
		{"one's placement group", "DeletePlacementGroup", blue, []string{"GroupName", "blue"}, ""},
		{"another's", "DeletePlacementGroup", blue, []string{"GroupName", "red"}, denied},
		{"one's template", "DeleteLaunchTemplate", blue, []string{"LaunchTemplateName", "blue"}, ""},
		{"one's group", "DeleteSecurityGroup", blue, []string{"GroupName", "blue"}, ""},
	} {
		if a := w.By(tt.who, "ec2", tt.action, tt.params...); a.Code != tt.code {
			t.Errorf("%s: %d %s %s, want %q", tt.name, a.Status, a.Code, a.Message, tt.code)
		}
	}
}
