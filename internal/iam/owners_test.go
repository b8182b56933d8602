package iam_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway"
	"slipway/internal/apitest"
	"slipway/internal/state"
	"slipway/internal/store"
)

// TestRightsEndWithTheirOwner: who takes the name of a deleted user, role or profile gets a name. The keys, trust and
// instances of the one before are not theirs, nor are their rights those keys'.
func TestRightsEndWithTheirOwner(t *testing.T) {
	w := apitest.New(t)
	root, account := w.Root(), w.Keys.Account
	dead := func(what string, who aws.Credentials) {
		t.Helper()
		if a := w.By(who, "ec2", "DescribeVpcs"); a.Code != "AuthFailure" {
			t.Errorf("%s: %d %s", what, a.Status, a.Code)
		}
		if a := w.By(who, "sts", "GetCallerIdentity"); a.Code != "InvalidClientTokenId" {
			t.Errorf("%s: its identity: %d %s", what, a.Status, a.Code)
		}
	}

	alice := w.User("alice", apitest.Document(apitest.MaySeeVPCs, `{"Effect":"Allow","Action":"sts:*","Resource":"*"}`))
	session := apitest.KeysIn(w.Well(alice, "sts", "GetSessionToken").Body)
	trust := apitest.Document(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account +
		`:user/alice"},"Action":"sts:AssumeRole"}`)
	arn := "arn:aws:iam::" + account + ":role/r"
	w.Well(root, "iam", "CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trust)
	w.Well(root, "iam", "PutRolePolicy", "RoleName", "r", "PolicyName", "p", "PolicyDocument",
		apitest.Document(apitest.MaySeeVPCs))
	assumed := apitest.KeysIn(w.Well(alice, "sts", "AssumeRole", "RoleArn", arn, "RoleSessionName", "s1").Body)
	for _, who := range []aws.Credentials{alice, session, assumed} {
		w.Well(who, "ec2", "DescribeVpcs")
	}

	// A user who is renamed is still the same, to a trust that names them too.
	w.Well(root, "iam", "UpdateUser", "UserName", "alice", "NewUserName", "alicia")
	w.Well(alice, "sts", "AssumeRole", "RoleArn", arn, "RoleSessionName", "s2")
	second := w.User("alice", apitest.Document(apitest.MaySeeVPCs, `{"Effect":"Allow","Action":"sts:*","Resource":"*"}`))
	if a := w.By(second, "sts", "AssumeRole", "RoleArn", arn, "RoleSessionName", "s3"); a.Code != "AccessDenied" {
		t.Errorf("who has the name that a trust was written for: %d %s", a.Status, a.Code)
	}
	w.Well(root, "iam", "UpdateAssumeRolePolicy", "RoleName", "r", "PolicyDocument", trust)
	w.Well(second, "sts", "AssumeRole", "RoleArn", arn, "RoleSessionName", "s4")
	if a := w.By(root, "iam", "UpdateAssumeRolePolicy", "RoleName", "r", "PolicyDocument",
		strings.Replace(trust, "alice", "nobody", 1)); a.Code != "MalformedPolicyDocument" {
		t.Errorf("a trust in nobody yet: %d %s", a.Status, a.Code)
	}

	// The user goes, the session's keys with them, whoever comes next.
	w.Well(root, "iam", "DeleteAccessKey", "UserName", "alicia", "AccessKeyId", alice.AccessKeyID)
	w.Well(root, "iam", "DeleteUserPolicy", "UserName", "alicia", "PolicyName", "p")
	w.Well(root, "iam", "DeleteUser", "UserName", "alicia")
	dead("a session of a deleted user", session)
	w.User("alicia", apitest.Document(`{"Effect":"Allow","Action":"*","Resource":"*"}`))
	dead("a session of a deleted user beside a new one of the name", session)

	// The role too.
	w.Well(root, "iam", "DeleteRolePolicy", "RoleName", "r", "PolicyName", "p")
	w.Well(root, "iam", "DeleteRole", "RoleName", "r")
	dead("a session of a deleted role", assumed)
	w.Well(root, "iam", "CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trust)
	w.Well(root, "iam", "PutRolePolicy", "RoleName", "r", "PolicyName", "p", "PolicyDocument",
		apitest.Document(apitest.MaySeeVPCs))
	dead("a session of a deleted role beside a new one of the name", assumed)

	// And the profile that an instance was launched with.
	w.Profiled("app", apitest.Document(apitest.MaySeeVPCs))
	id := w.Launch("t3.micro", "IamInstanceProfile.Name", "app")
	w.Await(id, "running")
	given := func() *slipway.AccessKey { return state.InstanceKey(w.DB.Local(), slipway.InstanceID(id)) }
	w.Eventually("the instance has credentials", func() bool { return given() != nil })
	k := given()
	inside := aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret, SessionToken: k.Token}
	w.Well(inside, "ec2", "DescribeVpcs")
	w.Well(root, "iam", "RemoveRoleFromInstanceProfile", "InstanceProfileName", "app", "RoleName", "app")
	w.Well(root, "iam", "DeleteInstanceProfile", "InstanceProfileName", "app")
	w.Well(root, "iam", "DeleteRolePolicy", "RoleName", "app", "PolicyName", "p")
	w.Well(root, "iam", "DeleteRole", "RoleName", "app")
	w.Profiled("app", apitest.Document(`{"Effect":"Allow","Action":"*","Resource":"*"}`))
	dead("an instance's credentials of a deleted role", inside)
	if err := w.API.IAM.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := given(); now.ID != k.ID {
		t.Errorf("an instance whose profile was deleted got credentials of another one of the name: %s", now.Role)
	}
}

// TestAssumeRoleTellsNobody whether another account has a role: refusals that depend on the role come after the right to it.
func TestAssumeRoleTellsNobody(t *testing.T) {
	w := apitest.New(t)
	w.Well(w.Root(), "iam", "CreateRole", "RoleName", "secret", "AssumeRolePolicyDocument", apitest.Ec2Trust)
	stranger := w.As(slipway.Account{}).Root()
	for _, tt := range []struct{ name, seconds string }{
		{"a session that no role allows", "43201"}, {"one that the role does not allow", "7200"}, {"a good one", "900"},
		{"no number", "x"},
	} {
		ask := func(role string) apitest.Answer {
			a := w.By(stranger, "sts", "AssumeRole", "RoleArn", "arn:aws:iam::"+w.Keys.Account+":role/"+role,
				"RoleSessionName", "s1", "DurationSeconds", tt.seconds)
			a.Message = strings.ReplaceAll(a.Message, role, "ROLE")
			return a
		}
		there, absent := ask("secret"), ask("absent")
		if there.Code != absent.Code || there.Message != absent.Message || there.Code == "" {
			t.Errorf("%s: of a role that is there %s %q, of one that is not %s %q", tt.name, there.Code, there.Message,
				absent.Code, absent.Message)
		}
	}
	w.Well(w.Root(), "iam", "CreateRole", "RoleName", "mine", "AssumeRolePolicyDocument",
		apitest.Document(`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}`))
	if a := w.By(w.Root(), "sts", "AssumeRole", "RoleArn", "arn:aws:iam::"+w.Keys.Account+":role/mine",
		"RoleSessionName", "s1", "DurationSeconds", "7200"); a.Code != "ValidationError" {
		t.Errorf("longer than the role allows, by who may: %d %s", a.Status, a.Code)
	}
}

// TestAProfileThatIsNoneIsRefused, however its ARN is spelt: silence would launch without it.
func TestAProfileThatIsNoneIsRefused(t *testing.T) {
	w := apitest.New(t)
	w.Profiled("app", apitest.Document(apitest.MaySeeVPCs))
	arn := "arn:aws:iam::" + w.Keys.Account + ":instance-profile/"
	idle := w.Launch("t3.micro")
	w.Await(idle, "running")
	for _, bad := range []string{arn, arn + "app/", arn + "/", arn + "ops/app", arn + "//app"} {
		if a := w.Call("RunInstances", "ImageId", w.Image(), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount",
			"1", "IamInstanceProfile.Arn", bad); a.Code != "InvalidParameterValue" {
			t.Errorf("a launch with %s: %d %s", bad, a.Status, a.Code)
		}
		if a := w.Call("AssociateIamInstanceProfile", "InstanceId", idle, "IamInstanceProfile.Arn",
			bad); a.Code != "InvalidParameterValue" {
			t.Errorf("an association with %s: %d %s", bad, a.Status, a.Code)
		}
	}
}

// TestConditionsOfEveryRequest: the keys that each request has, and those that only some callers have.
func TestConditionsOfEveryRequest(t *testing.T) {
	w := apitest.New(t)
	const allow = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	denied := func(condition string) string {
		return apitest.Document(allow, `{"Effect":"Deny","Action":"ec2:*","Resource":"*","Condition":{`+condition+`}}`)
	}
	user := w.User("user", apitest.Document(allow))
	w.Well(w.Root(), "iam", "TagUser", "UserName", "user", "Tags.member.1.Key", "Team", "Tags.member.1.Value", "red")
	w.Well(w.Root(), "iam", "CreateRole", "RoleName", "role", "AssumeRolePolicyDocument",
		apitest.Document(`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}`),
		"Tags.member.1.Key", "team", "Tags.member.1.Value", "blue")
	role := apitest.KeysIn(w.Well(w.Root(), "sts", "AssumeRole", "RoleArn", "arn:aws:iam::"+w.Keys.Account+":role/role",
		"RoleSessionName", "s1").Body)
	id := apitest.First(w.Well(w.Root(), "iam", "GetUser", "UserName", "user").Body, "UserId")
	for _, tt := range []struct {
		condition  string
		user, role bool // whether it denies
	}{
		{`"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}`, true, true},
		{`"NotIpAddress":{"aws:SourceIp":"127.0.0.0/8"}`, false, false},
		{`"NumericGreaterThan":{"aws:EpochTime":"1700000000"}`, true, true},
		{`"DateGreaterThan":{"aws:CurrentTime":"2024-01-01T00:00:00Z"}`, true, true},
		{`"StringEquals":{"aws:PrincipalType":"User"}`, true, false},
		{`"StringEquals":{"aws:PrincipalType":"AssumedRole"}`, false, true},
		{`"StringLike":{"aws:UserAgent":"tester/*"}`, true, true},
		{`"StringEquals":{"aws:Referer":"https://example.com/"}`, true, true},
		{`"Bool":{"aws:SecureTransport":"false"}`, true, true},
		{`"StringEquals":{"aws:username":"user"}`, true, false},
		{`"Null":{"aws:username":"true"}`, false, true},
		{`"StringEquals":{"aws:userid":"` + id + `"}`, true, false},
		{`"StringLike":{"aws:userid":"AROA*:s1"}`, false, true},
		{`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/user"}`, true, false},
		{`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/role"}`, false, true},
		{`"StringEquals":{"aws:PrincipalAccount":"` + w.Keys.Account + `"}`, true, true},
		{`"StringEquals":{"aws:PrincipalTag/team":"red"}`, true, false},
		{`"StringEquals":{"aws:PrincipalTag/TEAM":"blue"}`, false, true},
		{`"StringEquals":{"aws:RequestedRegion":"us-east-1"}`, true, true},
		{`"Null":{"aws:TokenIssueTime":"false"}`, false, true},
		{`"DateGreaterThan":{"aws:TokenIssueTime":"2024-01-01T00:00:00Z"}`, false, true},
		{`"Bool":{"aws:MultiFactorAuthPresent":"false"}`, false, true},
		{`"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}`, true, true},
		{`"Bool":{"aws:ViaAWSService":"false"}`, true, true},
		{`"Bool":{"aws:PrincipalIsAWSService":"false"}`, true, true},
	} {
		w.Well(w.Root(), "iam", "PutUserPolicy", "UserName", "user", "PolicyName", "p", "PolicyDocument", denied(tt.condition))
		w.Well(w.Root(), "iam", "PutRolePolicy", "RoleName", "role", "PolicyName", "p", "PolicyDocument", denied(tt.condition))
		header := http.Header{"User-Agent": {"tester/1"}, "Referer": {"https://example.com/"}}
		for _, c := range []struct {
			name string
			who  aws.Credentials
			want bool
		}{{"a user", user, tt.user}, {"a role", role, tt.role}} {
			a := w.Signed(c.who, "ec2", "Action=DescribeVpcs&Version=2016-11-15", header)
			if got := a.Code == "UnauthorizedOperation"; got != c.want || !got && a.Status != http.StatusOK {
				t.Errorf("%s for %s: %d %s, denied %v, want %v", tt.condition, c.name, a.Status, a.Code, got, c.want)
			}
		}
	}

	// Tags whose keys differ in case are one condition key with two values, and no caller picks which is meant.
	two := []string{
		"ImageId", w.Image(), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1", "DryRun", "true",
		"TagSpecification.1.ResourceType", "instance",
		"TagSpecification.1.Tag.1.Key", "team", "TagSpecification.1.Tag.1.Value", "red", "TagSpecification.1.Tag.2.Key",
		"Team", "TagSpecification.1.Tag.2.Value", "blue",
	}
	const instance = `"Action":"ec2:RunInstances","Resource":"arn:aws:ec2:*:*:instance/*","Condition":{"StringEquals":{"aws:RequestTag/team":"red"}}}`
	others := `{"Effect":"Allow","Action":"ec2:*","NotResource":"arn:aws:ec2:*:*:instance/*"},{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"*"}`
	for name, policy := range map[string]string{
		"an allowance": apitest.Document(others, `{"Effect":"Allow",`+instance),
		"a denial":     apitest.Document(allow, `{"Effect":"Deny",`+instance),
	} {
		w.Well(w.Root(), "iam", "PutUserPolicy", "UserName", "user", "PolicyName", "p", "PolicyDocument", policy)
		for range 20 {
			if a := w.By(user, "ec2", "RunInstances", two...); a.Code != "UnauthorizedOperation" {
				t.Fatalf("%s of one of two tags that are one key: %d %s", name, a.Status, a.Code)
			}
		}
	}
}

// TestAnUnreadablePolicyClosesTheDoor: what it denies nobody knows.
func TestAnUnreadablePolicyClosesTheDoor(t *testing.T) {
	w := apitest.New(t)
	who := w.User("user", apitest.Document(`{"Effect":"Allow","Action":"*","Resource":"*"}`))
	w.Well(who, "ec2", "DescribeVpcs")
	u := state.Users.See(w.DB.Local(), state.IAM(w.Keys.Account), "user")
	changed := *u
	changed.Policies.Inline = map[string]string{
		"p": u.Policies.Inline["p"], "old": `{"Statement":{"Effect":"Deny","Action":"*"}}`,
	}
	if err := w.DB.Store.Update(t.Context(), putUser(&changed)); err != nil {
		t.Fatal(err)
	}
	for service, action := range map[string]string{"ec2": "DescribeVpcs", "iam": "GetUser"} {
		if a := w.By(who, service, action); a.Status != http.StatusInternalServerError {
			t.Errorf("%s: %d %s", action, a.Status, a.Code)
		}
	}
}

func putUser(u *slipway.User) func(store.Tx) error {
	return func(tx store.Tx) error { return state.Users.Put(tx, u) }
}
