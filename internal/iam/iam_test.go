package iam_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway"
	"slipway/internal/apitest"
	"slipway/internal/state"
	"slipway/internal/store"
)

// TestPoliciesBindUsers: what a policy allows goes through, everything else is UnauthorizedOperation, and nothing happens.
func TestPoliciesBindUsers(t *testing.T) {
	w := apitest.New(t)
	im := w.Image()
	launch := func(more ...string) []string {
		return append([]string{"ImageId", im, "MinCount", "1", "MaxCount", "1"}, more...)
	}
	const allow = `{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"*"}`
	small := `{"Effect":"Deny","Action":"ec2:RunInstances","Resource":"arn:aws:ec2:*:*:instance/*","Condition":{"StringNotEquals":{"ec2:InstanceType":"t3.micro"}}}`
	tagged := `{"Effect":"Allow","Action":"ec2:TerminateInstances","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}}`
	labels := `{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"arn:aws:ec2:*:*:instance/*","Condition":{"StringEquals":{"ec2:CreateAction":"RunInstances"}}}`

	nobody := w.User("nobody", "")
	dev := w.User("dev", apitest.Document(allow, small, tagged, labels))
	for _, tt := range []struct {
		name   string
		who    aws.Credentials
		action string
		params []string
		code   string
	}{
		{"a user without a policy reads nothing", nobody, "DescribeInstances", nil, "UnauthorizedOperation"},
		{"nor learns by a dry run more than that", nobody, "RunInstances", launch("DryRun", "true"), "UnauthorizedOperation"},
		{"nor by a parameter that is wrong", nobody, "RunInstances", launch("InstanceType", "t9.none"),
			"UnauthorizedOperation"},
		{"a dry run of what is allowed", dev, "RunInstances", launch("InstanceType", "t3.micro", "DryRun", "true"),
			"DryRunOperation"},
		{"a denied type", dev, "RunInstances", launch("InstanceType", "m5.large"), "UnauthorizedOperation"},
		{"a denied type that stands nowhere", dev, "RunInstances", launch(), "UnauthorizedOperation"},
		{"an action that no statement names", dev, "DescribeInstances", nil, "UnauthorizedOperation"},
		{"tags on what may be tagged", dev, "RunInstances",
			launch("InstanceType", "t3.micro", "TagSpecification.1.ResourceType", "instance",
				"TagSpecification.1.Tag.1.Key", "team", "TagSpecification.1.Tag.1.Value", "a"), ""},
		{"tags on what may not", dev, "RunInstances",
			launch("InstanceType", "t3.micro", "TagSpecification.1.ResourceType", "volume",
				"TagSpecification.1.Tag.1.Key", "team", "TagSpecification.1.Tag.1.Value", "a"), "UnauthorizedOperation"},
	} {
		if a := w.By(tt.who, "ec2", tt.action, tt.params...); a.Code != tt.code {
			t.Errorf("%s: %d %s %s, want %q", tt.name, a.Status, a.Code, a.Message, tt.code)
		}
	}

	// The type that a template brings is judged like one of the request.
	w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "big", "LaunchTemplateData.InstanceType",
		"m5.large")
	if a := w.By(dev, "ec2", "RunInstances",
		launch("LaunchTemplate.LaunchTemplateName", "big")...); a.Code != "UnauthorizedOperation" {
		t.Errorf("a denied type out of a template: %s %s", a.Code, a.Message)
	}
	if a := w.By(dev, "ec2", "RunInstances",
		launch("LaunchTemplate.LaunchTemplateName", "big", "InstanceType", "")...); a.Code == "" {
		t.Errorf("an empty type beside a template's denied one was let through")
	}

	mine := w.Must("instanceId", "DescribeInstances", "Filter.1.Name", "tag:team", "Filter.1.Value.1", "a")
	other := w.Launch("t3.micro")
	if a := w.By(dev, "ec2", "TerminateInstances", "InstanceId.1", other, "InstanceId.2",
		mine); a.Code != "UnauthorizedOperation" || !strings.Contains(a.Message, other) {
		t.Errorf("ending another team's instance beside one's own: %s %s", a.Code, a.Message)
	}
	for _, id := range []string{mine, other} {
		w.Await(id, "running")
	}
	w.Well(dev, "ec2", "TerminateInstances", "InstanceId.1", mine)
	w.Await(mine, "shutting-down,terminated")

	// A policy that is taken away binds at once.
	w.Well(w.Root(), "iam", "DeleteUserPolicy", "UserName", "dev", "PolicyName", "p")
	if a := w.By(dev, "ec2", "RunInstances",
		launch("InstanceType", "t3.micro", "DryRun", "true")...); a.Code != "UnauthorizedOperation" {
		t.Errorf("after the policy went: %s", a.Code)
	}
	if a := w.By(dev, "sts", "GetCallerIdentity"); apitest.First(a.Body, "Arn") != "arn:aws:iam::"+w.Keys.Account+":user/dev" {
		t.Errorf("a user is %s", a.Body)
	}
}

// TestConditionsOfALaunch: what a policy says of an instance's type, market, volumes and template binds, however the
// launch is asked for.
func TestConditionsOfALaunch(t *testing.T) {
	w := apitest.New(t)
	im, subnet := w.Image(),
		w.Must("subnetId", "DescribeSubnets", "Filter.1.Name", "availability-zone", "Filter.1.Value.1", "us-east-1a")
	second, root := w.Must("subnetId", "DescribeSubnets", "Filter.1.Name", "availability-zone", "Filter.1.Value.1",
		"us-east-1b"), w.Must("rootDeviceName", "DescribeImages", "ImageId.1", im)
	w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "golden", "LaunchTemplateData.ImageId", im,
		"LaunchTemplateData.InstanceType", "t3.micro")
	w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "other", "LaunchTemplateData.ImageId", im)
	golden := w.Must("launchTemplateId", "DescribeLaunchTemplates", "LaunchTemplateName.1", "golden")
	const allow = `{"Effect":"Allow","Action":["ec2:RunInstances","ec2:RequestSpotInstances","ec2:CreateVolume"],"Resource":"*"}`
	deny := func(resource, condition string) string {
		return apitest.Document(allow,
			`{"Effect":"Deny","Action":["ec2:RunInstances","ec2:RequestSpotInstances"],"Resource":"arn:aws:ec2:*:*:`+
				resource+`","Condition":{`+condition+`}}`)
	}
	run := func(more ...string) []string {
		return append([]string{"RunInstances", "DryRun", "true", "ImageId", im, "MinCount", "1", "MaxCount", "1"}, more...)
	}
	spot := func(more ...string) []string {
		return append([]string{"RequestSpotInstances", "DryRun", "true", "LaunchSpecification.ImageId", im}, more...)
	}
	templated := func(name string, more ...string) []string {
		return append([]string{
			"RunInstances", "DryRun", "true", "MinCount", "1", "MaxCount", "1", "LaunchTemplate.LaunchTemplateName", name,
		}, more...)
	}
	onlyGolden := apitest.Document(`{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"*","Condition":{"ArnEquals":{"ec2:LaunchTemplate":"arn:aws:ec2:us-east-1:*:launch-template/` +
		golden + `"},"Bool":{"ec2:IsLaunchTemplateResource":"true"}}}`)
	for i, tt := range []struct {
		name, policy string
		yes, no      []string
	}{
		{"the type of a spot request", deny("spot-instances-request/*", `"StringNotEquals":{"ec2:InstanceType":"t3.micro"}`),
			spot("LaunchSpecification.InstanceType", "t3.micro"), spot("LaunchSpecification.InstanceType", "m5.large")},
		{"the subnet of a spot request", deny("subnet/"+subnet, `"StringEquals":{"ec2:Region":"us-east-1"}`),
			spot("LaunchSpecification.InstanceType", "t3.micro", "LaunchSpecification.SubnetId", second),
			spot("LaunchSpecification.InstanceType", "t3.micro", "LaunchSpecification.SubnetId", subnet)},
		{"a subnet that a spot request may come to lie in", deny("subnet/"+second, `"StringEquals":{"ec2:Region":"us-east-1"}`),
			spot("LaunchSpecification.InstanceType", "t3.micro", "LaunchSpecification.Placement.AvailabilityZone",
				"us-east-1a"), spot("LaunchSpecification.InstanceType", "t3.micro")},
		{"the subnet that is chosen", deny("subnet/"+subnet, `"StringEquals":{"ec2:Region":"us-east-1"}`),
			run("SubnetId", second), run()},
		{"the key of a spot request", deny("key-pair/prod", `"StringEquals":{"ec2:Region":"us-east-1"}`),
			spot("LaunchSpecification.InstanceType", "t3.micro"),
			spot("LaunchSpecification.InstanceType", "t3.micro", "LaunchSpecification.KeyName", "prod")},
		{"no spot market", deny("instance/*", `"StringEquals":{"ec2:InstanceMarketType":"spot"}`), run(),
			run("InstanceMarketOptions.MarketType", "spot")},
		{"the size of each volume", deny("volume/*", `"NumericGreaterThan":{"ec2:VolumeSize":"20"}`),
			run("BlockDeviceMapping.1.DeviceName", "/dev/sdf", "BlockDeviceMapping.1.Ebs.VolumeSize", "20"),
			run("BlockDeviceMapping.1.DeviceName", "/dev/sdf", "BlockDeviceMapping.1.Ebs.VolumeSize", "9",
				"BlockDeviceMapping.2.DeviceName", "/dev/sdg", "BlockDeviceMapping.2.Ebs.VolumeSize", "21")},
		{"volumes that are not encrypted", deny("volume/*", `"StringNotEquals":{"ec2:Encrypted":"true"}`),
			run("BlockDeviceMapping.1.DeviceName", "/dev/sdf", "BlockDeviceMapping.1.Ebs.VolumeSize", "1",
				"BlockDeviceMapping.1.Ebs.Encrypted", "true", "BlockDeviceMapping.2.DeviceName", root,
				"BlockDeviceMapping.2.Ebs.Encrypted", "true"),
			run("BlockDeviceMapping.1.DeviceName", "/dev/sdf", "BlockDeviceMapping.1.Ebs.VolumeSize", "1",
				"BlockDeviceMapping.1.Ebs.Encrypted", "true")},
		{"one volume that is not encrypted", deny("volume/*", `"StringNotEquals":{"ec2:Encrypted":"true"}`),
			run("BlockDeviceMapping.1.DeviceName", root, "BlockDeviceMapping.1.Ebs.Encrypted", "true"),
			run("BlockDeviceMapping.2.DeviceName", root, "BlockDeviceMapping.2.Ebs.Encrypted", "true",
				"BlockDeviceMapping.1.DeviceName", "/dev/sdf", "BlockDeviceMapping.1.Ebs.VolumeSize", "1")},
		{"one template and no other", onlyGolden, templated("golden"), templated("other")},
		{"a template and no other type", onlyGolden, templated("golden"), templated("golden", "InstanceType", "m5.large")},
		{"a template and no other image", onlyGolden, templated("golden"), templated("golden", "ImageId", im)},
		{"a template and nothing beside it", onlyGolden, templated("golden"), run()},
	} {
		who := w.User("u"+strconv.Itoa(i), tt.policy)
		if a := w.By(who, "ec2", tt.yes[0], tt.yes[1:]...); a.Code != "DryRunOperation" {
			t.Errorf("%s: what is allowed: %s %s", tt.name, a.Code, a.Message)
		}
		if a := w.By(who, "ec2", tt.no[0], tt.no[1:]...); a.Code != "UnauthorizedOperation" {
			t.Errorf("%s: what is not: %s %s", tt.name, a.Code, a.Message)
		}
	}
}

// TestRolesAreAssumed by whom their trust names, for as long as was asked, with no more than the session's policy leaves.
func TestRolesAreAssumed(t *testing.T) {
	w := apitest.New(t)
	account := w.Keys.Account
	alice := w.User("alice", apitest.Document(`{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}`))
	mallory := w.User("mallory", apitest.Document(`{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}`))
	trust := apitest.Document(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account +
		`:user/alice"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x1"}}}`)
	w.Well(w.Root(), "iam", "CreateRole", "RoleName", "reader", "Path", "/ops/", "AssumeRolePolicyDocument", trust)
	w.Well(w.Root(), "iam", "PutRolePolicy", "RoleName", "reader", "PolicyName", "p", "PolicyDocument",
		apitest.Document(`{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}`))
	arn := "arn:aws:iam::" + account + ":role/ops/reader"
	assume := func(who aws.Credentials, more ...string) apitest.Answer {
		return w.By(who, "sts", "AssumeRole", append([]string{"RoleArn", arn, "RoleSessionName", "s1"}, more...)...)
	}
	if a := assume(mallory, "ExternalId", "x1"); a.Code != "AccessDenied" {
		t.Errorf("somebody whom the trust does not name: %s", a.Body)
	}
	if a := assume(alice); a.Code != "AccessDenied" {
		t.Errorf("without the external id: %s", a.Body)
	}
	if a := assume(alice, "ExternalId", "x1", "DurationSeconds", "60"); a.Code != "ValidationError" {
		t.Errorf("a session of a minute: %s", a.Body)
	}
	session := apitest.KeysIn(w.Well(alice, "sts", "AssumeRole", "RoleArn", arn, "RoleSessionName", "s1", "ExternalId",
		"x1").Body)
	w.Well(session, "ec2", "DescribeInstances")
	if a := w.By(session, "sts",
		"GetCallerIdentity"); apitest.First(a.Body, "Arn") != "arn:aws:sts::"+account+":assumed-role/reader/s1" {
		t.Errorf("the session is %s", a.Body)
	}
	if a := w.By(session, "ec2", "CreateKeyPair", "KeyName", "k"); a.Code != "UnauthorizedOperation" {
		t.Errorf("what the role may not: %s", a.Code)
	}
	forged := session
	forged.SessionToken = "forged"
	if a := w.By(forged, "ec2", "DescribeInstances"); a.Code == "" {
		t.Error("a forged token was taken")
	}
	forged.SessionToken = ""
	if a := w.By(forged, "ec2", "DescribeInstances"); a.Code == "" {
		t.Error("a temporary key without its token was taken")
	}
	narrow := apitest.KeysIn(assume(alice, "ExternalId", "x1", "Policy",
		apitest.Document(`{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*"}`)).Body)
	w.Well(narrow, "ec2", "DescribeVpcs")
	if a := w.By(narrow, "ec2", "DescribeInstances"); a.Code != "UnauthorizedOperation" {
		t.Errorf("what the session's policy leaves out: %s", a.Code)
	}
	if err := w.DB.UpdateAlways(t.Context(), func(tx store.Tx) error {
		return state.AccessKeys.Edit(tx, state.Global, session.AccessKeyID, func(k *slipway.AccessKey) error {
			k.Expires = time.Now().Add(-time.Second)
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	if a := w.By(session, "ec2", "DescribeInstances"); a.Code != "RequestExpired" {
		t.Errorf("after the session's end: %d %s %s", a.Status, a.Code, a.Message)
	}
}

// TestWhoMayAssumeARole: in one account a trust that names the caller is enough, one that names the account leaves it
// to the caller's policies; accounts must both agree, and a denial outweighs.
func TestWhoMayAssumeARole(t *testing.T) {
	w := apitest.New(t)
	const allow, deny = `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}`,
		`{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*"}`
	callers := map[string]aws.Credentials{
		"root": w.Root(), "silent": w.User("silent", ""), "allowed": w.User("allowed", apitest.Document(allow)),
		"denied": w.User("denied", apitest.Document(allow, deny)),
	}
	iam := "arn:aws:iam::" + w.Keys.Account
	trusting := func(principal string, effect ...string) string {
		statements := []string{}
		for _, e := range append([]string{"Allow"}, effect...) {
			statements = append(statements, `{"Effect":"`+e+`","Principal":{"AWS":`+principal+`},"Action":"sts:AssumeRole"}`)
		}
		return apitest.Document(statements...)
	}
	w.Well(w.Root(), "iam", "CreateRole", "RoleName", "base", "Path", "/ops/", "AssumeRolePolicyDocument", trusting(`"*"`))
	callers["session"] = apitest.KeysIn(w.Well(callers["silent"], "sts", "AssumeRole", "RoleArn", iam+":role/ops/base",
		"RoleSessionName", "s1").Body)
	callers["narrowed"] = apitest.KeysIn(w.Well(callers["silent"], "sts", "AssumeRole", "RoleArn", iam+":role/ops/base",
		"RoleSessionName", "s2",
		"Policy", apitest.Document(`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`)).Body)
	other, key, err := w.API.Accounts.Create(t.Context(), slipway.Account{Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	callers["stranger"] = aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
	guest := apitest.KeysIn(func() string {
		w.Well(callers["stranger"], "iam", "CreateUser", "UserName", "guest")
		return w.Well(callers["stranger"], "iam", "CreateAccessKey", "UserName", "guest").Body
	}())
	callers["guest"] = guest
	for i, tt := range []struct {
		name, trust string
		may         []string
	}{
		{"a user is named", trusting(`["` + iam + `:user/silent","` + iam + `:user/denied"]`), []string{"silent"}},
		{"a user is named and denied", trusting(`["`+iam+`:user/silent"]`, "Deny"), nil},
		{"the account is named", trusting(`"` + iam + `:root"`), []string{"allowed", "root"}},
		{"the account is named by its number", trusting(`"` + w.Keys.Account + `"`), []string{"allowed", "root"}},
		{"a role is named", trusting(`"` + iam + `:role/ops/base"`), []string{"session"}},
		{"a session is named", trusting(`"arn:aws:sts::` + w.Keys.Account + `:assumed-role/base/s1"`), []string{"session"}},
		{"everybody is named", trusting(`"*"`), []string{"allowed", "root", "session", "silent", "stranger"}},
		{"another account's user is named, whose own account is silent",
			trusting(`"arn:aws:iam::` + other.ID + `:user/guest"`), nil},
		{"another account is named", trusting(`"` + other.ID + `"`), []string{"stranger"}},
	} {
		role := "r" + strconv.Itoa(i)
		w.Well(w.Root(), "iam", "CreateRole", "RoleName", role, "AssumeRolePolicyDocument", tt.trust)
		var may []string
		for name, who := range callers {
			a := w.By(who, "sts", "AssumeRole", "RoleArn", iam+":role/"+role, "RoleSessionName", "s3")
			switch a.Code {
			case "":
				may = append(may, name)
			case "AccessDenied":
			default:
				t.Errorf("%s: %s gets %s %s", tt.name, name, a.Code, a.Message)
			}
		}
		if slices.Sort(may); !slices.Equal(may, tt.may) {
			t.Errorf("%s: %v may, want %v", tt.name, may, tt.may)
		}
	}
	if a := w.By(w.Root(), "sts", "AssumeRole", "RoleArn", iam+":role/base", "RoleSessionName",
		"s3"); a.Code != "AccessDenied" {
		t.Errorf("a role by another path: %s", a.Code)
	}
}

// TestAProfileGivesItsInstanceARole: credentials of the role, renewed and exchanged with the profile, and nobody hands
// on a role that they may not.
func TestAProfileGivesItsInstanceARole(t *testing.T) {
	w := apitest.New(t)
	w.Profiled("app", apitest.Document(`{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*"}`))
	w.Profiled("other", apitest.Document(`{"Effect":"Allow","Action":"ec2:DescribeSubnets","Resource":"*"}`))
	w.Well(w.Root(), "iam", "CreateInstanceProfile", "InstanceProfileName", "empty")

	dev := w.User("dev",
		apitest.Document(`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`,
			`{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/other"}`))
	launch := func(profile string) []string {
		return []string{
			"ImageId", w.Image(), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1",
			"IamInstanceProfile.Name", profile,
		}
	}
	if a := w.By(dev, "ec2", "RunInstances", launch("app")...); a.Code != "UnauthorizedOperation" ||
		!strings.Contains(a.Message, "iam:PassRole") {
		t.Errorf("handing on a role without the right to: %s %s", a.Code, a.Message)
	}
	for _, name := range []string{"none", "empty"} {
		if a := w.Call("RunInstances", launch(name)...); a.Code != "InvalidParameterValue" ||
			!strings.Contains(a.Message, name) {
			t.Errorf("the profile %s: %s %s", name, a.Code, a.Message)
		}
	}
	id := apitest.First(w.Well(dev, "ec2", "RunInstances", launch("other")...).Body, "instanceId")
	w.Await(id, "running")
	credentialsOf := func(role string) aws.Credentials {
		t.Helper()
		var k *slipway.AccessKey
		w.Eventually(id+" has credentials of "+role, func() bool {
			k = state.InstanceKey(w.DB.Local(), slipway.InstanceID(id))
			return k != nil && strings.HasSuffix(k.Role, "/"+role)
		})
		return aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret, SessionToken: k.Token}
	}
	inside := credentialsOf("other")
	w.Well(inside, "ec2", "DescribeSubnets")
	if a := w.By(inside, "ec2", "DescribeVpcs"); a.Code != "UnauthorizedOperation" {
		t.Errorf("what the instance's role may not: %s", a.Code)
	}
	if a := w.By(inside, "sts", "GetCallerIdentity"); !strings.HasSuffix(apitest.First(a.Body, "Arn"),
		":assumed-role/other/"+id) {
		t.Errorf("an instance is %s", a.Body)
	}

	old := w.Must("associationId", "DescribeIamInstanceProfileAssociations", "Filter.1.Name", "instance-id",
		"Filter.1.Value.1", id)
	if a := w.Call("AssociateIamInstanceProfile", "InstanceId", id, "IamInstanceProfile.Name",
		"app"); a.Code != "IncorrectState" {
		t.Errorf("a second profile: %s %s", a.Code, a.Message)
	}
	next := w.Must("associationId", "ReplaceIamInstanceProfileAssociation", "AssociationId", old,
		"IamInstanceProfile.Name", "app")
	if next == old {
		t.Error("a replaced association keeps its id")
	}
	w.Well(credentialsOf("app"), "ec2", "DescribeVpcs")
	w.Must("associationId", "DisassociateIamInstanceProfile", "AssociationId", next)
	if a := w.Call("DisassociateIamInstanceProfile", "AssociationId", next); a.Code != "InvalidAssociationID.NotFound" {
		t.Errorf("ending it twice: %s %s", a.Code, a.Message)
	}
	if got := w.Must("iamInstanceProfile", "DescribeInstances", "InstanceId.1", id); got != "" {
		t.Errorf("the instance still shows %s", got)
	}
	w.Must("associationId", "AssociateIamInstanceProfile", "InstanceId", id, "IamInstanceProfile.Arn",
		"arn:aws:iam::"+w.Keys.Account+":instance-profile/app")
}

// TestIAMKeepsItsRules: the refusals that clients wait for or tell apart.
func TestIAMKeepsItsRules(t *testing.T) {
	w := apitest.New(t)
	root := w.Root()
	w.Profiled("app", apitest.Document(`{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*"}`))
	w.User("dev", "")
	policy := apitest.First(w.Well(root, "iam", "CreatePolicy", "PolicyName", "shared", "PolicyDocument",
		apitest.Document(`{"Effect":"Allow","Action":"*","Resource":"*"}`)).Body, "Arn")
	w.Well(root, "iam", "AttachUserPolicy", "UserName", "dev", "PolicyArn", policy)
	for _, tt := range []struct{ action, code, says string }{
		{"CreateUser UserName dev", "EntityAlreadyExists", "dev"},
		{"GetUser UserName none", "NoSuchEntity", "none"},
		{"DeleteUser UserName dev", "DeleteConflict", "policies"},
		{"GetRole RoleName none", "NoSuchEntity", "none"},
		{"DeleteRole RoleName app", "DeleteConflict", "policies"},
		{"DeleteInstanceProfile InstanceProfileName app", "DeleteConflict", "role"},
		{"AddRoleToInstanceProfile InstanceProfileName app RoleName app", "LimitExceeded",
			"InstanceSessionsPerInstanceProfile"},
		{"CreateRole RoleName r AssumeRolePolicyDocument {", "MalformedPolicyDocument", "JSON"},
		{"CreateUser", "ValidationError", "userName"},
		{"CreateUser UserName a!b", "ValidationError", "userName"},
		{"DeletePolicy PolicyArn " + policy, "DeleteConflict", "attached"},
		{"CreateVirtualMFADevice", "UnsupportedOperation", "CreateVirtualMFADevice"},
		{"CreateNothing", "InvalidAction", "CreateNothing"},
		{"TagUser UserName dev Tags.member.1.Key aws:x Tags.member.1.Value y", "ValidationError", "aws:"},
		{"TagRole RoleName none Tags.member.1.Key x Tags.member.1.Value y", "NoSuchEntity", "none"},
		{"ListUsers MaxItems 0", "ValidationError", "maxItems"},
		{"ListUsers Marker nowhere", "ValidationError", "marker"},
		{"ListGroupsForUser UserName none", "NoSuchEntity", "none"},
		{"DeleteLoginProfile UserName dev", "NoSuchEntity", "Login Profile"},
		{"SetDefaultPolicyVersion VersionId v9 PolicyArn " + policy, "NoSuchEntity", "v9"},
		{"UpdateRole RoleName app MaxSessionDuration 60", "ValidationError", "MaxSessionDuration"},
		{"ListPolicies PolicyUsageFilter PermissionsBoundary", "UnsupportedOperation", "PolicyUsageFilter"},
	} {
		f := strings.Fields(tt.action)
		if a := w.By(root, "iam", f[0], f[1:]...); a.Code != tt.code || !strings.Contains(a.Message, tt.says) {
			t.Errorf("%s: %d %s %q, want %s naming %s", tt.action, a.Status, a.Code, a.Message, tt.code, tt.says)
		}
	}
	dev := apitest.KeysIn(w.Well(root, "iam", "CreateAccessKey", "UserName", "dev").Body)
	w.Well(dev, "ec2", "DescribeVpcs")

	// A renamed user keeps keys and rights, and whoever renames needs the right to both names.
	clerk := w.User("clerk",
		apitest.Document(`{"Effect":"Allow","Action":"iam:UpdateUser","Resource":["arn:aws:iam::*:user/dev","arn:aws:iam::*:user/ops/*"]}`))
	if a := w.By(root, "iam", "UpdateUser", "UserName", "dev", "NewUserName", "clerk"); a.Code != "EntityAlreadyExists" {
		t.Errorf("a name that another user has: %s %s", a.Code, a.Message)
	}
	if a := w.By(clerk, "iam", "UpdateUser", "UserName", "dev", "NewUserName", "root2"); a.Code != "AccessDenied" {
		t.Errorf("a name that the caller may not give: %s %s", a.Code, a.Message)
	}
	w.Well(clerk, "iam", "UpdateUser", "UserName", "dev", "NewUserName", "dev2", "NewPath", "/ops/")
	if a := w.Well(dev, "sts", "GetCallerIdentity"); !strings.HasSuffix(apitest.First(a.Body, "Arn"), ":user/ops/dev2") {
		t.Errorf("the renamed user is %s", a.Body)
	}
	w.Well(dev, "ec2", "DescribeVpcs")
	w.Well(clerk, "iam", "UpdateUser", "UserName", "dev2", "NewUserName", "dev2")
	w.Well(root, "iam", "UpdateUser", "UserName", "dev2", "NewUserName", "dev")
	w.Well(root, "iam", "UpdateAccessKey", "UserName", "dev", "AccessKeyId", dev.AccessKeyID, "Status", "Inactive")
	if a := w.By(dev, "ec2", "DescribeVpcs"); a.Code != "AuthFailure" {
		t.Errorf("an inactive key: %s", a.Code)
	}
}

// TestIAMIsNoLadder: a right over oneself or over something is no right over more.
func TestIAMIsNoLadder(t *testing.T) {
	w := apitest.New(t)
	w.User("admin", apitest.Document(`{"Effect":"Allow","Action":"*","Resource":"*"}`))
	w.Well(w.Root(), "iam", "CreateRole", "RoleName", "boss", "AssumeRolePolicyDocument", apitest.Ec2Trust)
	w.Well(w.Root(), "iam", "CreateInstanceProfile", "InstanceProfileName", "p")
	self := w.User("self",
		apitest.Document(`{"Effect":"Allow","Action":["iam:*AccessKey*","iam:GetUser"],"Resource":"arn:aws:iam::*:user/${aws:username}"}`))
	almost := w.User("almost",
		apitest.Document(`{"Effect":"Allow","Action":"iam:*","Resource":"*"}`,
			`{"Effect":"Deny","Action":"iam:*","Resource":["arn:aws:iam::*:user/admin","arn:aws:iam::*:role/boss"]}`))

	second := w.Well(self, "iam", "CreateAccessKey").Body
	if apitest.First(second, "UserName") != "self" {
		t.Fatalf("a key made without a name is of %s", second)
	}
	if a := w.By(apitest.KeysIn(second), "sts", "GetCallerIdentity"); !strings.HasSuffix(apitest.First(a.Body, "Arn"),
		":user/self") {
		t.Errorf("the new key speaks for %s", a.Body)
	}
	if a := w.Well(self, "iam", "ListAccessKeys"); strings.Count(a.Body, "<UserName>self</UserName>") != 2 {
		t.Errorf("one's own keys are %s", a.Body)
	}
	if a := w.Well(self, "iam", "GetUser"); apitest.First(a.Body, "UserName") != "self" {
		t.Errorf("one's own user is %s", a.Body)
	}
	w.Well(self, "iam", "DeleteAccessKey", "AccessKeyId", apitest.KeysIn(second).AccessKeyID)
	w.Well(self, "sts", "GetSessionToken")
	w.Well(self, "iam", "CreateAccessKey") // the session's is none of the two
	for _, tt := range []struct {
		name   string
		who    aws.Credentials
		action string
	}{
		{"a key of somebody else", self, "CreateAccessKey UserName admin"},
		{"the root's key", self, "DeleteAccessKey UserName admin AccessKeyId " + w.Keys.ID},
		{"a policy for oneself", self, "PutUserPolicy UserName self PolicyName p PolicyDocument {}"},
		{"what an explicit deny holds back", almost, "CreateAccessKey UserName admin"},
		{"handing on a role", almost, "AddRoleToInstanceProfile InstanceProfileName p RoleName boss"},
	} {
		f := strings.Fields(tt.action)
		if a := w.By(tt.who, "iam", f[0], f[1:]...); a.Code != "AccessDenied" || a.Status != 403 {
			t.Errorf("%s: %d %s %s", tt.name, a.Status, a.Code, a.Message)
		}
	}
	if a := w.By(self, "iam", "DeleteAccessKey", "AccessKeyId", w.Keys.ID); a.Code != "NoSuchEntity" {
		t.Errorf("the root's key as if it were one's own: %s %s", a.Code, a.Message)
	}
	w.Well(almost, "iam", "CreateUser", "UserName", "new")
}
