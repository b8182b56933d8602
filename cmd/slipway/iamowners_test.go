package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

const maySeeVPCs = `{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*"}`

// TestRightsEndWithTheirOwner: who takes the name of a deleted user, role or profile gets a name. The keys, trust and instances of the one
// before are not theirs, nor are their rights those keys'.
func TestRightsEndWithTheirOwner(t *testing.T) {
	w := newWire(t)
	root, account := w.root(), w.keys.Account
	dead := func(what string, who aws.Credentials) {
		t.Helper()
		if a := w.by(who, "ec2", "DescribeVpcs"); a.code != "AuthFailure" {
			t.Errorf("%s: %d %s", what, a.status, a.code)
		}
		if a := w.by(who, "sts", "GetCallerIdentity"); a.code != "InvalidClientTokenId" {
			t.Errorf("%s: its identity: %d %s", what, a.status, a.code)
		}
	}

	alice := w.user("alice", document(maySeeVPCs, `{"Effect":"Allow","Action":"sts:*","Resource":"*"}`))
	session := keysIn(w.well(alice, "sts", "GetSessionToken").body)
	trust := document(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:user/alice"},"Action":"sts:AssumeRole"}`)
	arn := "arn:aws:iam::" + account + ":role/r"
	w.well(root, "iam", "CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trust)
	w.well(root, "iam", "PutRolePolicy", "RoleName", "r", "PolicyName", "p", "PolicyDocument", document(maySeeVPCs))
	assumed := keysIn(w.well(alice, "sts", "AssumeRole", "RoleArn", arn, "RoleSessionName", "s1").body)
	for _, who := range []aws.Credentials{alice, session, assumed} {
		w.well(who, "ec2", "DescribeVpcs")
	}

	// A user who is renamed is still the same, to a trust that names them too.
	w.well(root, "iam", "UpdateUser", "UserName", "alice", "NewUserName", "alicia")
	w.well(alice, "sts", "AssumeRole", "RoleArn", arn, "RoleSessionName", "s2")
	second := w.user("alice", document(maySeeVPCs, `{"Effect":"Allow","Action":"sts:*","Resource":"*"}`))
	if a := w.by(second, "sts", "AssumeRole", "RoleArn", arn, "RoleSessionName", "s3"); a.code != "AccessDenied" {
		t.Errorf("who has the name that a trust was written for: %d %s", a.status, a.code)
	}
	w.well(root, "iam", "UpdateAssumeRolePolicy", "RoleName", "r", "PolicyDocument", trust)
	w.well(second, "sts", "AssumeRole", "RoleArn", arn, "RoleSessionName", "s4")
	if a := w.by(root, "iam", "UpdateAssumeRolePolicy", "RoleName", "r", "PolicyDocument", strings.Replace(trust, "alice", "nobody", 1)); a.code != "MalformedPolicyDocument" {
		t.Errorf("a trust in nobody yet: %d %s", a.status, a.code)
	}

	// The user goes, the session's keys with them, whoever comes next.
	w.well(root, "iam", "DeleteAccessKey", "UserName", "alicia", "AccessKeyId", alice.AccessKeyID)
	w.well(root, "iam", "DeleteUserPolicy", "UserName", "alicia", "PolicyName", "p")
	w.well(root, "iam", "DeleteUser", "UserName", "alicia")
	dead("a session of a deleted user", session)
	w.user("alicia", document(`{"Effect":"Allow","Action":"*","Resource":"*"}`))
	dead("a session of a deleted user beside a new one of the name", session)

	// The role too.
	w.well(root, "iam", "DeleteRolePolicy", "RoleName", "r", "PolicyName", "p")
	w.well(root, "iam", "DeleteRole", "RoleName", "r")
	dead("a session of a deleted role", assumed)
	w.well(root, "iam", "CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trust)
	w.well(root, "iam", "PutRolePolicy", "RoleName", "r", "PolicyName", "p", "PolicyDocument", document(maySeeVPCs))
	dead("a session of a deleted role beside a new one of the name", assumed)

	// And the profile that an instance was launched with.
	w.profiled("app", document(maySeeVPCs))
	id := w.launch("t3.micro", "IamInstanceProfile.Name", "app")
	w.await(id, "running")
	given := func() *slipway.AccessKey { return state.InstanceKey(w.db.Local(), slipway.InstanceID(id)) }
	w.eventually("the instance has credentials", func() bool { return given() != nil })
	k := given()
	inside := aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret, SessionToken: k.Token}
	w.well(inside, "ec2", "DescribeVpcs")
	w.well(root, "iam", "RemoveRoleFromInstanceProfile", "InstanceProfileName", "app", "RoleName", "app")
	w.well(root, "iam", "DeleteInstanceProfile", "InstanceProfileName", "app")
	w.well(root, "iam", "DeleteRolePolicy", "RoleName", "app", "PolicyName", "p")
	w.well(root, "iam", "DeleteRole", "RoleName", "app")
	w.profiled("app", document(`{"Effect":"Allow","Action":"*","Resource":"*"}`))
	dead("an instance's credentials of a deleted role", inside)
	if err := w.api.IAM.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := given(); now.ID != k.ID {
		t.Errorf("an instance whose profile was deleted got credentials of another one of the name: %s", now.Role)
	}
}

// TestAssumeRoleTellsNobody whether another account has a role: refusals that depend on the role come after the right to it.
func TestAssumeRoleTellsNobody(t *testing.T) {
	w := newWire(t)
	w.well(w.root(), "iam", "CreateRole", "RoleName", "secret", "AssumeRolePolicyDocument", ec2Trust)
	stranger := w.as(slipway.Account{}).root()
	for _, tt := range []struct{ name, seconds string }{{"a session that no role allows", "43201"}, {"one that the role does not allow", "7200"}, {"a good one", "900"}, {"no number", "x"}} {
		ask := func(role string) answer {
			a := w.by(stranger, "sts", "AssumeRole", "RoleArn", "arn:aws:iam::"+w.keys.Account+":role/"+role, "RoleSessionName", "s1", "DurationSeconds", tt.seconds)
			a.message = strings.ReplaceAll(a.message, role, "ROLE")
			return a
		}
		there, absent := ask("secret"), ask("absent")
		if there.code != absent.code || there.message != absent.message || there.code == "" {
			t.Errorf("%s: of a role that is there %s %q, of one that is not %s %q", tt.name, there.code, there.message, absent.code, absent.message)
		}
	}
	w.well(w.root(), "iam", "CreateRole", "RoleName", "mine", "AssumeRolePolicyDocument", document(`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}`))
	if a := w.by(w.root(), "sts", "AssumeRole", "RoleArn", "arn:aws:iam::"+w.keys.Account+":role/mine", "RoleSessionName", "s1", "DurationSeconds", "7200"); a.code != "ValidationError" {
		t.Errorf("longer than the role allows, by who may: %d %s", a.status, a.code)
	}
}

// TestPendingPeeringsKeepRanges: who asks for a peering learns the other side's ranges when that has agreed, by no answer and no filter before.
func TestPendingPeeringsKeepRanges(t *testing.T) {
	w := newWire(t)
	other := w.as(slipway.Account{})
	mine := w.must("vpcId", "CreateVpc", "CidrBlock", "10.1.0.0/16")
	theirs := other.must("vpcId", "CreateVpc", "CidrBlock", "10.77.0.0/16", "AmazonProvidedIpv6CidrBlock", "true")
	ask := func() answer {
		return w.call("CreateVpcPeeringConnection", "VpcId", mine, "PeerVpcId", theirs, "PeerOwnerId", other.keys.Account)
	}
	made := ask()
	id := first(made.body, "vpcPeeringConnectionId")
	shown := func(who *wire) string { return who.call("DescribeVpcPeeringConnections").body }
	hidden := func(when string) {
		t.Helper()
		for name, body := range map[string]string{"created": made.body, "the asker": shown(w), "the asked": shown(other)} {
			if strings.Contains(body, "10.77.") || strings.Contains(body, "ipv6CidrBlockSet") {
				t.Errorf("%s, %s sees the accepter's ranges: %s", when, name, body)
			}
			if !strings.Contains(body, "10.1.0.0/16") {
				t.Errorf("%s, %s sees no ranges of the requester: %s", when, name, body)
			}
		}
		if a := w.call("DescribeVpcPeeringConnections", "Filter.1.Name", "accepter-vpc-info.cidr-block", "Filter.1.Value.1", "10.77.0.0/16"); strings.Contains(a.body, id) {
			t.Errorf("%s, a filter finds the accepter's range", when)
		}
	}
	hidden("pending")
	other.must("return", "RejectVpcPeeringConnection", "VpcPeeringConnectionId", id)
	hidden("rejected")
	id = first(ask().body, "vpcPeeringConnectionId")
	other.must("vpcPeeringConnectionId", "AcceptVpcPeeringConnection", "VpcPeeringConnectionId", id)
	if body := shown(w); !strings.Contains(body, "10.77.0.0/16") {
		t.Errorf("active, the asker sees %s", body)
	}
}

// TestAProfileThatIsNoneIsRefused, however its ARN is spelt: silence would launch without it.
func TestAProfileThatIsNoneIsRefused(t *testing.T) {
	w := newWire(t)
	w.profiled("app", document(maySeeVPCs))
	arn := "arn:aws:iam::" + w.keys.Account + ":instance-profile/"
	idle := w.launch("t3.micro")
	w.await(idle, "running")
	for _, bad := range []string{arn, arn + "app/", arn + "/", arn + "ops/app", arn + "//app"} {
		if a := w.call("RunInstances", "ImageId", w.image(), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1", "IamInstanceProfile.Arn", bad); a.code != "InvalidParameterValue" {
			t.Errorf("a launch with %s: %d %s", bad, a.status, a.code)
		}
		if a := w.call("AssociateIamInstanceProfile", "InstanceId", idle, "IamInstanceProfile.Arn", bad); a.code != "InvalidParameterValue" {
			t.Errorf("an association with %s: %d %s", bad, a.status, a.code)
		}
	}
}

// TestConditionsOfEveryRequest: the keys that each request has, and those that only some callers have.
func TestConditionsOfEveryRequest(t *testing.T) {
	w := newWire(t)
	const allow = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	denied := func(condition string) string {
		return document(allow, `{"Effect":"Deny","Action":"ec2:*","Resource":"*","Condition":{`+condition+`}}`)
	}
	user := w.user("user", document(allow))
	w.well(w.root(), "iam", "TagUser", "UserName", "user", "Tags.member.1.Key", "Team", "Tags.member.1.Value", "red")
	w.well(w.root(), "iam", "CreateRole", "RoleName", "role", "AssumeRolePolicyDocument", document(`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}`),
		"Tags.member.1.Key", "team", "Tags.member.1.Value", "blue")
	role := keysIn(w.well(w.root(), "sts", "AssumeRole", "RoleArn", "arn:aws:iam::"+w.keys.Account+":role/role", "RoleSessionName", "s1").body)
	id := first(w.well(w.root(), "iam", "GetUser", "UserName", "user").body, "UserId")
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
		{`"StringEquals":{"aws:PrincipalAccount":"` + w.keys.Account + `"}`, true, true},
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
		w.well(w.root(), "iam", "PutUserPolicy", "UserName", "user", "PolicyName", "p", "PolicyDocument", denied(tt.condition))
		w.well(w.root(), "iam", "PutRolePolicy", "RoleName", "role", "PolicyName", "p", "PolicyDocument", denied(tt.condition))
		header := http.Header{"User-Agent": {"tester/1"}, "Referer": {"https://example.com/"}}
		for _, c := range []struct {
			name string
			who  aws.Credentials
			want bool
		}{{"a user", user, tt.user}, {"a role", role, tt.role}} {
			a := w.signed(c.who, "ec2", "Action=DescribeVpcs&Version=2016-11-15", header)
			if got := a.code == "UnauthorizedOperation"; got != c.want || !got && a.status != http.StatusOK {
				t.Errorf("%s for %s: %d %s, denied %v, want %v", tt.condition, c.name, a.status, a.code, got, c.want)
			}
		}
	}

	// Tags whose keys differ in case are one condition key with two values, and no caller picks which is meant.
	two := []string{"ImageId", w.image(), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1", "DryRun", "true", "TagSpecification.1.ResourceType", "instance",
		"TagSpecification.1.Tag.1.Key", "team", "TagSpecification.1.Tag.1.Value", "red", "TagSpecification.1.Tag.2.Key", "Team", "TagSpecification.1.Tag.2.Value", "blue"}
	const instance = `"Action":"ec2:RunInstances","Resource":"arn:aws:ec2:*:*:instance/*","Condition":{"StringEquals":{"aws:RequestTag/team":"red"}}}`
	others := `{"Effect":"Allow","Action":"ec2:*","NotResource":"arn:aws:ec2:*:*:instance/*"},{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"*"}`
	for name, policy := range map[string]string{"an allowance": document(others, `{"Effect":"Allow",`+instance), "a denial": document(allow, `{"Effect":"Deny",`+instance)} {
		w.well(w.root(), "iam", "PutUserPolicy", "UserName", "user", "PolicyName", "p", "PolicyDocument", policy)
		for range 20 {
			if a := w.by(user, "ec2", "RunInstances", two...); a.code != "UnauthorizedOperation" {
				t.Fatalf("%s of one of two tags that are one key: %d %s", name, a.status, a.code)
			}
		}
	}
}

// TestAnUnreadablePolicyClosesTheDoor: what it denies nobody knows.
func TestAnUnreadablePolicyClosesTheDoor(t *testing.T) {
	w := newWire(t)
	who := w.user("user", document(`{"Effect":"Allow","Action":"*","Resource":"*"}`))
	w.well(who, "ec2", "DescribeVpcs")
	u := state.Users.See(w.db.Local(), state.IAM(w.keys.Account), "user")
	changed := *u
	changed.Policies.Inline = map[string]string{"p": u.Policies.Inline["p"], "old": `{"Statement":{"Effect":"Deny","Action":"*"}}`}
	if err := w.db.Store.Update(t.Context(), putUser(&changed)); err != nil {
		t.Fatal(err)
	}
	for service, action := range map[string]string{"ec2": "DescribeVpcs", "iam": "GetUser"} {
		if a := w.by(who, service, action); a.status != http.StatusInternalServerError {
			t.Errorf("%s: %d %s", action, a.status, a.code)
		}
	}
}

func putUser(u *slipway.User) func(store.Tx) error {
	return func(tx store.Tx) error { return state.Users.Put(tx, u) }
}
