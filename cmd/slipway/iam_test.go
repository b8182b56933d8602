package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// versions are the services' own.
var versions = map[string]string{"ec2": "2016-11-15", "iam": "2010-05-08", "sts": "2011-06-15"}

// signed sends a body to a service in somebody's name.
func (w *wire) signed(who aws.Credentials, service, body string, header http.Header) answer {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodPost, w.url+"/", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	for k, v := range header {
		r.Header[k] = v
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(context.Background(), who, r, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now()); err != nil {
		w.t.Fatal(err)
	}
	return w.do(r)
}

// root are the account's own keys.
func (w *wire) root() aws.Credentials {
	return aws.Credentials{AccessKeyID: w.keys.ID, SecretAccessKey: w.keys.Secret}
}

// by sends an action of a service in somebody's name.
func (w *wire) by(who aws.Credentials, service, action string, params ...string) answer {
	w.t.Helper()
	form := url.Values{"Action": {action}, "Version": {versions[service]}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Add(params[i], params[i+1])
	}
	return w.signed(who, service, form.Encode(), nil)
}

// well is by, which has to succeed.
func (w *wire) well(who aws.Credentials, service, action string, params ...string) answer {
	w.t.Helper()
	a := w.by(who, service, action, params...)
	if a.status != http.StatusOK {
		w.t.Fatalf("%s %v: %d %s", action, params, a.status, a.body)
	}
	return a
}

func keysIn(body string) aws.Credentials {
	return aws.Credentials{AccessKeyID: first(body, "AccessKeyId"), SecretAccessKey: first(body, "SecretAccessKey"), SessionToken: first(body, "SessionToken")}
}

// user makes a user with one policy and gives its keys.
func (w *wire) user(name, policy string) aws.Credentials {
	w.t.Helper()
	w.well(w.root(), "iam", "CreateUser", "UserName", name)
	if policy != "" {
		w.well(w.root(), "iam", "PutUserPolicy", "UserName", name, "PolicyName", "p", "PolicyDocument", policy)
	}
	return keysIn(w.well(w.root(), "iam", "CreateAccessKey", "UserName", name).body)
}

const ec2Trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// profiled makes a role with a policy in an instance profile of the same name.
func (w *wire) profiled(name, policy string) {
	w.t.Helper()
	w.well(w.root(), "iam", "CreateRole", "RoleName", name, "AssumeRolePolicyDocument", ec2Trust)
	w.well(w.root(), "iam", "PutRolePolicy", "RoleName", name, "PolicyName", "p", "PolicyDocument", policy)
	w.well(w.root(), "iam", "CreateInstanceProfile", "InstanceProfileName", name)
	w.well(w.root(), "iam", "AddRoleToInstanceProfile", "InstanceProfileName", name, "RoleName", name)
}

func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// TestPoliciesBindUsers: what a policy allows goes through, everything else is UnauthorizedOperation, and nothing happens.
func TestPoliciesBindUsers(t *testing.T) {
	w := newWire(t)
	im := w.image()
	launch := func(more ...string) []string {
		return append([]string{"ImageId", im, "MinCount", "1", "MaxCount", "1"}, more...)
	}
	const allow = `{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"*"}`
	small := `{"Effect":"Deny","Action":"ec2:RunInstances","Resource":"arn:aws:ec2:*:*:instance/*","Condition":{"StringNotEquals":{"ec2:InstanceType":"t3.micro"}}}`
	tagged := `{"Effect":"Allow","Action":"ec2:TerminateInstances","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}}`
	labels := `{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"arn:aws:ec2:*:*:instance/*","Condition":{"StringEquals":{"ec2:CreateAction":"RunInstances"}}}`

	nobody := w.user("nobody", "")
	dev := w.user("dev", document(allow, small, tagged, labels))
	for _, tt := range []struct {
		name   string
		who    aws.Credentials
		action string
		params []string
		code   string
	}{
		{"a user without a policy reads nothing", nobody, "DescribeInstances", nil, "UnauthorizedOperation"},
		{"nor learns by a dry run more than that", nobody, "RunInstances", launch("DryRun", "true"), "UnauthorizedOperation"},
		{"nor by a parameter that is wrong", nobody, "RunInstances", launch("InstanceType", "t9.none"), "UnauthorizedOperation"},
		{"a dry run of what is allowed", dev, "RunInstances", launch("InstanceType", "t3.micro", "DryRun", "true"), "DryRunOperation"},
		{"a denied type", dev, "RunInstances", launch("InstanceType", "m5.large"), "UnauthorizedOperation"},
		{"a denied type that stands nowhere", dev, "RunInstances", launch(), "UnauthorizedOperation"},
		{"an action that no statement names", dev, "DescribeInstances", nil, "UnauthorizedOperation"},
		{"tags on what may be tagged", dev, "RunInstances", launch("InstanceType", "t3.micro", "TagSpecification.1.ResourceType", "instance", "TagSpecification.1.Tag.1.Key", "team", "TagSpecification.1.Tag.1.Value", "a"), ""},
		{"tags on what may not", dev, "RunInstances", launch("InstanceType", "t3.micro", "TagSpecification.1.ResourceType", "volume", "TagSpecification.1.Tag.1.Key", "team", "TagSpecification.1.Tag.1.Value", "a"), "UnauthorizedOperation"},
	} {
		if a := w.by(tt.who, "ec2", tt.action, tt.params...); a.code != tt.code {
			t.Errorf("%s: %d %s %s, want %q", tt.name, a.status, a.code, a.message, tt.code)
		}
	}

	// The type that a template brings is judged like one of the request.
	w.must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "big", "LaunchTemplateData.InstanceType", "m5.large")
	if a := w.by(dev, "ec2", "RunInstances", launch("LaunchTemplate.LaunchTemplateName", "big")...); a.code != "UnauthorizedOperation" {
		t.Errorf("a denied type out of a template: %s %s", a.code, a.message)
	}
	if a := w.by(dev, "ec2", "RunInstances", launch("LaunchTemplate.LaunchTemplateName", "big", "InstanceType", "")...); a.code == "" {
		t.Errorf("an empty type beside a template's denied one was let through")
	}

	mine := w.must("instanceId", "DescribeInstances", "Filter.1.Name", "tag:team", "Filter.1.Value.1", "a")
	other := w.launch("t3.micro")
	if a := w.by(dev, "ec2", "TerminateInstances", "InstanceId.1", other, "InstanceId.2", mine); a.code != "UnauthorizedOperation" || !strings.Contains(a.message, other) {
		t.Errorf("ending another team's instance beside one's own: %s %s", a.code, a.message)
	}
	for _, id := range []string{mine, other} {
		w.await(id, "running")
	}
	w.well(dev, "ec2", "TerminateInstances", "InstanceId.1", mine)
	w.await(mine, "shutting-down,terminated")

	// A policy that is taken away binds at once.
	w.well(w.root(), "iam", "DeleteUserPolicy", "UserName", "dev", "PolicyName", "p")
	if a := w.by(dev, "ec2", "RunInstances", launch("InstanceType", "t3.micro", "DryRun", "true")...); a.code != "UnauthorizedOperation" {
		t.Errorf("after the policy went: %s", a.code)
	}
	if a := w.by(dev, "sts", "GetCallerIdentity"); first(a.body, "Arn") != "arn:aws:iam::"+w.keys.Account+":user/dev" {
		t.Errorf("a user is %s", a.body)
	}
}

// TestConditionsOfALaunch: what a policy says of an instance's type, market, volumes and template binds, however the launch is asked for.
func TestConditionsOfALaunch(t *testing.T) {
	w := newWire(t)
	im, subnet := w.image(), w.must("subnetId", "DescribeSubnets", "Filter.1.Name", "availability-zone", "Filter.1.Value.1", "us-east-1a")
	second, root := w.must("subnetId", "DescribeSubnets", "Filter.1.Name", "availability-zone", "Filter.1.Value.1", "us-east-1b"), w.must("rootDeviceName", "DescribeImages", "ImageId.1", im)
	w.must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "golden", "LaunchTemplateData.ImageId", im, "LaunchTemplateData.InstanceType", "t3.micro")
	w.must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "other", "LaunchTemplateData.ImageId", im)
	golden := w.must("launchTemplateId", "DescribeLaunchTemplates", "LaunchTemplateName.1", "golden")
	const allow = `{"Effect":"Allow","Action":["ec2:RunInstances","ec2:RequestSpotInstances","ec2:CreateVolume"],"Resource":"*"}`
	deny := func(resource, condition string) string {
		return document(allow, `{"Effect":"Deny","Action":["ec2:RunInstances","ec2:RequestSpotInstances"],"Resource":"arn:aws:ec2:*:*:`+resource+`","Condition":{`+condition+`}}`)
	}
	run := func(more ...string) []string {
		return append([]string{"RunInstances", "DryRun", "true", "ImageId", im, "MinCount", "1", "MaxCount", "1"}, more...)
	}
	spot := func(more ...string) []string {
		return append([]string{"RequestSpotInstances", "DryRun", "true", "LaunchSpecification.ImageId", im}, more...)
	}
	templated := func(name string, more ...string) []string {
		return append([]string{"RunInstances", "DryRun", "true", "MinCount", "1", "MaxCount", "1", "LaunchTemplate.LaunchTemplateName", name}, more...)
	}
	onlyGolden := document(`{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"*","Condition":{"ArnEquals":{"ec2:LaunchTemplate":"arn:aws:ec2:us-east-1:*:launch-template/` +
		golden + `"},"Bool":{"ec2:IsLaunchTemplateResource":"true"}}}`)
	for i, tt := range []struct {
		name, policy string
		yes, no      []string
	}{
		{"the type of a spot request", deny("spot-instances-request/*", `"StringNotEquals":{"ec2:InstanceType":"t3.micro"}`),
			spot("LaunchSpecification.InstanceType", "t3.micro"), spot("LaunchSpecification.InstanceType", "m5.large")},
		{"the subnet of a spot request", deny("subnet/"+subnet, `"StringEquals":{"ec2:Region":"us-east-1"}`),
			spot("LaunchSpecification.InstanceType", "t3.micro", "LaunchSpecification.SubnetId", second), spot("LaunchSpecification.InstanceType", "t3.micro", "LaunchSpecification.SubnetId", subnet)},
		{"a subnet that a spot request may come to lie in", deny("subnet/"+second, `"StringEquals":{"ec2:Region":"us-east-1"}`),
			spot("LaunchSpecification.InstanceType", "t3.micro", "LaunchSpecification.Placement.AvailabilityZone", "us-east-1a"), spot("LaunchSpecification.InstanceType", "t3.micro")},
		{"the subnet that is chosen", deny("subnet/"+subnet, `"StringEquals":{"ec2:Region":"us-east-1"}`), run("SubnetId", second), run()},
		{"the key of a spot request", deny("key-pair/prod", `"StringEquals":{"ec2:Region":"us-east-1"}`),
			spot("LaunchSpecification.InstanceType", "t3.micro"), spot("LaunchSpecification.InstanceType", "t3.micro", "LaunchSpecification.KeyName", "prod")},
		{"no spot market", deny("instance/*", `"StringEquals":{"ec2:InstanceMarketType":"spot"}`), run(), run("InstanceMarketOptions.MarketType", "spot")},
		{"the size of each volume", deny("volume/*", `"NumericGreaterThan":{"ec2:VolumeSize":"20"}`),
			run("BlockDeviceMapping.1.DeviceName", "/dev/sdf", "BlockDeviceMapping.1.Ebs.VolumeSize", "20"),
			run("BlockDeviceMapping.1.DeviceName", "/dev/sdf", "BlockDeviceMapping.1.Ebs.VolumeSize", "9", "BlockDeviceMapping.2.DeviceName", "/dev/sdg", "BlockDeviceMapping.2.Ebs.VolumeSize", "21")},
		{"volumes that are not encrypted", deny("volume/*", `"StringNotEquals":{"ec2:Encrypted":"true"}`),
			run("BlockDeviceMapping.1.DeviceName", "/dev/sdf", "BlockDeviceMapping.1.Ebs.VolumeSize", "1", "BlockDeviceMapping.1.Ebs.Encrypted", "true", "BlockDeviceMapping.2.DeviceName", root, "BlockDeviceMapping.2.Ebs.Encrypted", "true"),
			run("BlockDeviceMapping.1.DeviceName", "/dev/sdf", "BlockDeviceMapping.1.Ebs.VolumeSize", "1", "BlockDeviceMapping.1.Ebs.Encrypted", "true")},
		{"one volume that is not encrypted", deny("volume/*", `"StringNotEquals":{"ec2:Encrypted":"true"}`),
			run("BlockDeviceMapping.1.DeviceName", root, "BlockDeviceMapping.1.Ebs.Encrypted", "true"),
			run("BlockDeviceMapping.2.DeviceName", root, "BlockDeviceMapping.2.Ebs.Encrypted", "true", "BlockDeviceMapping.1.DeviceName", "/dev/sdf", "BlockDeviceMapping.1.Ebs.VolumeSize", "1")},
		{"one template and no other", onlyGolden, templated("golden"), templated("other")},
		{"a template and no other type", onlyGolden, templated("golden"), templated("golden", "InstanceType", "m5.large")},
		{"a template and no other image", onlyGolden, templated("golden"), templated("golden", "ImageId", im)},
		{"a template and nothing beside it", onlyGolden, templated("golden"), run()},
	} {
		who := w.user("u"+strconv.Itoa(i), tt.policy)
		if a := w.by(who, "ec2", tt.yes[0], tt.yes[1:]...); a.code != "DryRunOperation" {
			t.Errorf("%s: what is allowed: %s %s", tt.name, a.code, a.message)
		}
		if a := w.by(who, "ec2", tt.no[0], tt.no[1:]...); a.code != "UnauthorizedOperation" {
			t.Errorf("%s: what is not: %s %s", tt.name, a.code, a.message)
		}
	}
}

// TestRolesAreAssumed by whom their trust names, for as long as was asked, with no more than the session's policy leaves.
func TestRolesAreAssumed(t *testing.T) {
	w := newWire(t)
	account := w.keys.Account
	alice := w.user("alice", document(`{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}`))
	mallory := w.user("mallory", document(`{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}`))
	trust := document(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:user/alice"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x1"}}}`)
	w.well(w.root(), "iam", "CreateRole", "RoleName", "reader", "Path", "/ops/", "AssumeRolePolicyDocument", trust)
	w.well(w.root(), "iam", "PutRolePolicy", "RoleName", "reader", "PolicyName", "p", "PolicyDocument", document(`{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}`))
	arn := "arn:aws:iam::" + account + ":role/ops/reader"
	assume := func(who aws.Credentials, more ...string) answer {
		return w.by(who, "sts", "AssumeRole", append([]string{"RoleArn", arn, "RoleSessionName", "s1"}, more...)...)
	}
	if a := assume(mallory, "ExternalId", "x1"); a.code != "AccessDenied" {
		t.Errorf("somebody whom the trust does not name: %s", a.body)
	}
	if a := assume(alice); a.code != "AccessDenied" {
		t.Errorf("without the external id: %s", a.body)
	}
	if a := assume(alice, "ExternalId", "x1", "DurationSeconds", "60"); a.code != "ValidationError" {
		t.Errorf("a session of a minute: %s", a.body)
	}
	session := keysIn(w.well(alice, "sts", "AssumeRole", "RoleArn", arn, "RoleSessionName", "s1", "ExternalId", "x1").body)
	w.well(session, "ec2", "DescribeInstances")
	if a := w.by(session, "sts", "GetCallerIdentity"); first(a.body, "Arn") != "arn:aws:sts::"+account+":assumed-role/reader/s1" {
		t.Errorf("the session is %s", a.body)
	}
	if a := w.by(session, "ec2", "CreateKeyPair", "KeyName", "k"); a.code != "UnauthorizedOperation" {
		t.Errorf("what the role may not: %s", a.code)
	}
	forged := session
	forged.SessionToken = "forged"
	if a := w.by(forged, "ec2", "DescribeInstances"); a.code == "" {
		t.Error("a forged token was taken")
	}
	forged.SessionToken = ""
	if a := w.by(forged, "ec2", "DescribeInstances"); a.code == "" {
		t.Error("a temporary key without its token was taken")
	}
	narrow := keysIn(assume(alice, "ExternalId", "x1", "Policy", document(`{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*"}`)).body)
	w.well(narrow, "ec2", "DescribeVpcs")
	if a := w.by(narrow, "ec2", "DescribeInstances"); a.code != "UnauthorizedOperation" {
		t.Errorf("what the session's policy leaves out: %s", a.code)
	}
	if err := w.db.UpdateAlways(t.Context(), func(tx store.Tx) error {
		return state.AccessKeys.Edit(tx, state.Global, session.AccessKeyID, func(k *slipway.AccessKey) error { k.Expires = time.Now().Add(-time.Second); return nil })
	}); err != nil {
		t.Fatal(err)
	}
	if a := w.by(session, "ec2", "DescribeInstances"); a.code != "RequestExpired" {
		t.Errorf("after the session's end: %d %s %s", a.status, a.code, a.message)
	}
}

// TestWhoMayAssumeARole: in one account a trust that names the caller is enough, one that names the account leaves it to the caller's policies;
// accounts must both agree, and a denial outweighs.
func TestWhoMayAssumeARole(t *testing.T) {
	w := newWire(t)
	const allow, deny = `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}`, `{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*"}`
	callers := map[string]aws.Credentials{
		"root": w.root(), "silent": w.user("silent", ""), "allowed": w.user("allowed", document(allow)), "denied": w.user("denied", document(allow, deny)),
	}
	iam := "arn:aws:iam::" + w.keys.Account
	trusting := func(principal string, effect ...string) string {
		statements := []string{}
		for _, e := range append([]string{"Allow"}, effect...) {
			statements = append(statements, `{"Effect":"`+e+`","Principal":{"AWS":`+principal+`},"Action":"sts:AssumeRole"}`)
		}
		return document(statements...)
	}
	w.well(w.root(), "iam", "CreateRole", "RoleName", "base", "Path", "/ops/", "AssumeRolePolicyDocument", trusting(`"*"`))
	callers["session"] = keysIn(w.well(callers["silent"], "sts", "AssumeRole", "RoleArn", iam+":role/ops/base", "RoleSessionName", "s1").body)
	callers["narrowed"] = keysIn(w.well(callers["silent"], "sts", "AssumeRole", "RoleArn", iam+":role/ops/base", "RoleSessionName", "s2",
		"Policy", document(`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`)).body)
	other, key, err := w.api.Accounts.Create(t.Context(), slipway.Account{Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	callers["stranger"] = aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
	guest := keysIn(func() string {
		w.well(callers["stranger"], "iam", "CreateUser", "UserName", "guest")
		return w.well(callers["stranger"], "iam", "CreateAccessKey", "UserName", "guest").body
	}())
	callers["guest"] = guest
	for i, tt := range []struct {
		name, trust string
		may         []string
	}{
		{"a user is named", trusting(`["` + iam + `:user/silent","` + iam + `:user/denied"]`), []string{"silent"}},
		{"a user is named and denied", trusting(`["`+iam+`:user/silent"]`, "Deny"), nil},
		{"the account is named", trusting(`"` + iam + `:root"`), []string{"allowed", "root"}},
		{"the account is named by its number", trusting(`"` + w.keys.Account + `"`), []string{"allowed", "root"}},
		{"a role is named", trusting(`"` + iam + `:role/ops/base"`), []string{"session"}},
		{"a session is named", trusting(`"arn:aws:sts::` + w.keys.Account + `:assumed-role/base/s1"`), []string{"session"}},
		{"everybody is named", trusting(`"*"`), []string{"allowed", "root", "session", "silent", "stranger"}},
		{"another account's user is named, whose own account is silent", trusting(`"arn:aws:iam::` + other.ID + `:user/guest"`), nil},
		{"another account is named", trusting(`"` + other.ID + `"`), []string{"stranger"}},
	} {
		role := "r" + strconv.Itoa(i)
		w.well(w.root(), "iam", "CreateRole", "RoleName", role, "AssumeRolePolicyDocument", tt.trust)
		var may []string
		for name, who := range callers {
			a := w.by(who, "sts", "AssumeRole", "RoleArn", iam+":role/"+role, "RoleSessionName", "s3")
			switch a.code {
			case "":
				may = append(may, name)
			case "AccessDenied":
			default:
				t.Errorf("%s: %s gets %s %s", tt.name, name, a.code, a.message)
			}
		}
		if slices.Sort(may); !slices.Equal(may, tt.may) {
			t.Errorf("%s: %v may, want %v", tt.name, may, tt.may)
		}
	}
	if a := w.by(w.root(), "sts", "AssumeRole", "RoleArn", iam+":role/base", "RoleSessionName", "s3"); a.code != "AccessDenied" {
		t.Errorf("a role by another path: %s", a.code)
	}
}

// TestAProfileGivesItsInstanceARole: credentials of the role, renewed and exchanged with the profile, and nobody hands on a role that they may not.
func TestAProfileGivesItsInstanceARole(t *testing.T) {
	w := newWire(t)
	w.profiled("app", document(`{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*"}`))
	w.profiled("other", document(`{"Effect":"Allow","Action":"ec2:DescribeSubnets","Resource":"*"}`))
	w.well(w.root(), "iam", "CreateInstanceProfile", "InstanceProfileName", "empty")

	dev := w.user("dev", document(`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`, `{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/other"}`))
	launch := func(profile string) []string {
		return []string{"ImageId", w.image(), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1", "IamInstanceProfile.Name", profile}
	}
	if a := w.by(dev, "ec2", "RunInstances", launch("app")...); a.code != "UnauthorizedOperation" || !strings.Contains(a.message, "iam:PassRole") {
		t.Errorf("handing on a role without the right to: %s %s", a.code, a.message)
	}
	for _, name := range []string{"none", "empty"} {
		if a := w.call("RunInstances", launch(name)...); a.code != "InvalidParameterValue" || !strings.Contains(a.message, name) {
			t.Errorf("the profile %s: %s %s", name, a.code, a.message)
		}
	}
	id := first(w.well(dev, "ec2", "RunInstances", launch("other")...).body, "instanceId")
	w.await(id, "running")
	credentialsOf := func(role string) aws.Credentials {
		t.Helper()
		var k *slipway.AccessKey
		w.eventually(id+" has credentials of "+role, func() bool {
			k = state.InstanceKey(w.db.Local(), slipway.InstanceID(id))
			return k != nil && strings.HasSuffix(k.Role, "/"+role)
		})
		return aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret, SessionToken: k.Token}
	}
	inside := credentialsOf("other")
	w.well(inside, "ec2", "DescribeSubnets")
	if a := w.by(inside, "ec2", "DescribeVpcs"); a.code != "UnauthorizedOperation" {
		t.Errorf("what the instance's role may not: %s", a.code)
	}
	if a := w.by(inside, "sts", "GetCallerIdentity"); !strings.HasSuffix(first(a.body, "Arn"), ":assumed-role/other/"+id) {
		t.Errorf("an instance is %s", a.body)
	}

	old := w.must("associationId", "DescribeIamInstanceProfileAssociations", "Filter.1.Name", "instance-id", "Filter.1.Value.1", id)
	if a := w.call("AssociateIamInstanceProfile", "InstanceId", id, "IamInstanceProfile.Name", "app"); a.code != "IncorrectState" {
		t.Errorf("a second profile: %s %s", a.code, a.message)
	}
	next := w.must("associationId", "ReplaceIamInstanceProfileAssociation", "AssociationId", old, "IamInstanceProfile.Name", "app")
	if next == old {
		t.Error("a replaced association keeps its id")
	}
	w.well(credentialsOf("app"), "ec2", "DescribeVpcs")
	w.must("associationId", "DisassociateIamInstanceProfile", "AssociationId", next)
	if a := w.call("DisassociateIamInstanceProfile", "AssociationId", next); a.code != "InvalidAssociationID.NotFound" {
		t.Errorf("ending it twice: %s %s", a.code, a.message)
	}
	if got := w.must("iamInstanceProfile", "DescribeInstances", "InstanceId.1", id); got != "" {
		t.Errorf("the instance still shows %s", got)
	}
	w.must("associationId", "AssociateIamInstanceProfile", "InstanceId", id, "IamInstanceProfile.Arn", "arn:aws:iam::"+w.keys.Account+":instance-profile/app")
}

// TestIAMKeepsItsRules: the refusals that clients wait for or tell apart.
func TestIAMKeepsItsRules(t *testing.T) {
	w := newWire(t)
	root := w.root()
	w.profiled("app", document(`{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*"}`))
	w.user("dev", "")
	policy := first(w.well(root, "iam", "CreatePolicy", "PolicyName", "shared", "PolicyDocument", document(`{"Effect":"Allow","Action":"*","Resource":"*"}`)).body, "Arn")
	w.well(root, "iam", "AttachUserPolicy", "UserName", "dev", "PolicyArn", policy)
	for _, tt := range []struct{ action, code, says string }{
		{"CreateUser UserName dev", "EntityAlreadyExists", "dev"},
		{"GetUser UserName none", "NoSuchEntity", "none"},
		{"DeleteUser UserName dev", "DeleteConflict", "policies"},
		{"GetRole RoleName none", "NoSuchEntity", "none"},
		{"DeleteRole RoleName app", "DeleteConflict", "policies"},
		{"DeleteInstanceProfile InstanceProfileName app", "DeleteConflict", "role"},
		{"AddRoleToInstanceProfile InstanceProfileName app RoleName app", "LimitExceeded", "InstanceSessionsPerInstanceProfile"},
		{"CreateRole RoleName r AssumeRolePolicyDocument {", "MalformedPolicyDocument", "JSON"},
		{"CreateUser", "ValidationError", "userName"},
		{"CreateUser UserName a!b", "ValidationError", "userName"},
		{"DeletePolicy PolicyArn " + policy, "DeleteConflict", "attached"},
		{"CreateVirtualMFADevice", "InvalidAction", "CreateVirtualMFADevice"},
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
		if a := w.by(root, "iam", f[0], f[1:]...); a.code != tt.code || !strings.Contains(a.message, tt.says) {
			t.Errorf("%s: %d %s %q, want %s naming %s", tt.action, a.status, a.code, a.message, tt.code, tt.says)
		}
	}
	dev := keysIn(w.well(root, "iam", "CreateAccessKey", "UserName", "dev").body)
	w.well(dev, "ec2", "DescribeVpcs")

	// A renamed user keeps keys and rights, and whoever renames needs the right to both names.
	clerk := w.user("clerk", document(`{"Effect":"Allow","Action":"iam:UpdateUser","Resource":["arn:aws:iam::*:user/dev","arn:aws:iam::*:user/ops/*"]}`))
	if a := w.by(root, "iam", "UpdateUser", "UserName", "dev", "NewUserName", "clerk"); a.code != "EntityAlreadyExists" {
		t.Errorf("a name that another user has: %s %s", a.code, a.message)
	}
	if a := w.by(clerk, "iam", "UpdateUser", "UserName", "dev", "NewUserName", "root2"); a.code != "AccessDenied" {
		t.Errorf("a name that the caller may not give: %s %s", a.code, a.message)
	}
	w.well(clerk, "iam", "UpdateUser", "UserName", "dev", "NewUserName", "dev2", "NewPath", "/ops/")
	if a := w.well(dev, "sts", "GetCallerIdentity"); !strings.HasSuffix(first(a.body, "Arn"), ":user/ops/dev2") {
		t.Errorf("the renamed user is %s", a.body)
	}
	w.well(dev, "ec2", "DescribeVpcs")
	w.well(clerk, "iam", "UpdateUser", "UserName", "dev2", "NewUserName", "dev2")
	w.well(root, "iam", "UpdateUser", "UserName", "dev2", "NewUserName", "dev")
	w.well(root, "iam", "UpdateAccessKey", "UserName", "dev", "AccessKeyId", dev.AccessKeyID, "Status", "Inactive")
	if a := w.by(dev, "ec2", "DescribeVpcs"); a.code != "AuthFailure" {
		t.Errorf("an inactive key: %s", a.code)
	}
}

// TestParametersNameImages: what Terraform and the CLI look images up by.
func TestParametersNameImages(t *testing.T) {
	w := newWire(t)
	ask := func(action, body string) answer {
		return w.signed(w.root(), "ssm", body, http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"AmazonSSM." + action}})
	}
	im, name := w.image(), ""
	a := ask("GetParametersByPath", `{"Path":"/aws/service","Recursive":true}`)
	if _, after, ok := strings.Cut(a.body, `"Name":"`); ok {
		name, _, _ = strings.Cut(after, `"`)
	}
	if a.status != 200 || name == "" || !strings.Contains(a.body, im) {
		t.Fatalf("the parameters are %s", a.body)
	}
	if a := ask("GetParameter", `{"Name":"`+name+`"}`); a.status != 200 || !strings.Contains(a.body, `"DataType":"aws:ec2:image"`) {
		t.Errorf("%s is %s", name, a.body)
	}
	if got := w.must("imageId", "RunInstances", "ImageId", "resolve:ssm:"+name, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"); !strings.Contains(a.body, got) {
		t.Errorf("a launch by the parameter took %s", got)
	}
	if a := ask("GetParameter", `{"Name":"/none"}`); a.status != 400 || !strings.Contains(a.body, `"__type":"ParameterNotFound"`) {
		t.Errorf("a parameter that is not there: %d %s", a.status, a.body)
	}
	if a := ask("GetParameters", `{"Names":["/none","`+name+`"]}`); !strings.Contains(a.body, `"InvalidParameters":["/none"]`) || !strings.Contains(a.body, im) {
		t.Errorf("one of two: %s", a.body)
	}
	if a := ask("PutParameter", `{"Name":"/mine"}`); a.status != 400 || !strings.Contains(a.body, "PutParameter") {
		t.Errorf("an action that is not here: %s", a.body)
	}
}

// TestIAMIsNoLadder: a right over oneself or over something is no right over more.
func TestIAMIsNoLadder(t *testing.T) {
	w := newWire(t)
	w.user("admin", document(`{"Effect":"Allow","Action":"*","Resource":"*"}`))
	w.well(w.root(), "iam", "CreateRole", "RoleName", "boss", "AssumeRolePolicyDocument", ec2Trust)
	w.well(w.root(), "iam", "CreateInstanceProfile", "InstanceProfileName", "p")
	self := w.user("self", document(`{"Effect":"Allow","Action":["iam:*AccessKey*","iam:GetUser"],"Resource":"arn:aws:iam::*:user/${aws:username}"}`))
	almost := w.user("almost", document(`{"Effect":"Allow","Action":"iam:*","Resource":"*"}`, `{"Effect":"Deny","Action":"iam:*","Resource":["arn:aws:iam::*:user/admin","arn:aws:iam::*:role/boss"]}`))

	second := w.well(self, "iam", "CreateAccessKey").body
	if first(second, "UserName") != "self" {
		t.Fatalf("a key made without a name is of %s", second)
	}
	if a := w.by(keysIn(second), "sts", "GetCallerIdentity"); !strings.HasSuffix(first(a.body, "Arn"), ":user/self") {
		t.Errorf("the new key speaks for %s", a.body)
	}
	if a := w.well(self, "iam", "ListAccessKeys"); strings.Count(a.body, "<UserName>self</UserName>") != 2 {
		t.Errorf("one's own keys are %s", a.body)
	}
	if a := w.well(self, "iam", "GetUser"); first(a.body, "UserName") != "self" {
		t.Errorf("one's own user is %s", a.body)
	}
	w.well(self, "iam", "DeleteAccessKey", "AccessKeyId", keysIn(second).AccessKeyID)
	w.well(self, "sts", "GetSessionToken")
	w.well(self, "iam", "CreateAccessKey") // the session's is none of the two
	for _, tt := range []struct {
		name   string
		who    aws.Credentials
		action string
	}{
		{"a key of somebody else", self, "CreateAccessKey UserName admin"},
		{"the root's key", self, "DeleteAccessKey UserName admin AccessKeyId " + w.keys.ID},
		{"a policy for oneself", self, "PutUserPolicy UserName self PolicyName p PolicyDocument {}"},
		{"what an explicit deny holds back", almost, "CreateAccessKey UserName admin"},
		{"handing on a role", almost, "AddRoleToInstanceProfile InstanceProfileName p RoleName boss"},
	} {
		f := strings.Fields(tt.action)
		if a := w.by(tt.who, "iam", f[0], f[1:]...); a.code != "AccessDenied" || a.status != 403 {
			t.Errorf("%s: %d %s %s", tt.name, a.status, a.code, a.message)
		}
	}
	if a := w.by(self, "iam", "DeleteAccessKey", "AccessKeyId", w.keys.ID); a.code != "NoSuchEntity" {
		t.Errorf("the root's key as if it were one's own: %s %s", a.code, a.message)
	}
	w.well(almost, "iam", "CreateUser", "UserName", "new")
}
