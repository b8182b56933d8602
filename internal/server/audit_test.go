package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway/internal/apitest"
	"slipway/internal/audit"
)

// audited is a wire whose calls are recorded, and what reads the records of a trail.
func audited(t *testing.T) (*apitest.Wire, func(trail string) (records []audit.Record, text string)) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "audit")
	write, done, err := audit.OpenTrails(dir, audit.DefaultLimits, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { done() })
	w := apitest.NewWith(t, apitest.Options{Audit: write})
	return w, func(trail string) (records []audit.Record, text string) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, trail+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var r audit.Record
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			records = append(records, r)
		}
		return records, string(b)
	}
}

// TestCallsAreRecorded: who, what, on which ids, with what result, for each service and for what is refused.
func TestCallsAreRecorded(t *testing.T) {
	w, read := audited(t)
	id := w.Launch("t3.micro")
	w.Must("return", "CreateTags", "ResourceId.1", id, "Tag.1.Key", "a", "Tag.1.Value", "value-of-a-tag")
	w.Call("TerminateInstances", "InstanceId.1", "i-0123456789abcdef0")
	w.Call("DescribeVpcs")
	ann := w.User("ann", "")
	w.By(ann, "ec2", "StopInstances", "InstanceId.1", id)
	w.Profiled("app", apitest.Document(apitest.MaySeeVPCs))
	w.By(w.Root(), "sts", "GetCallerIdentity")
	bad := w.Root()
	bad.SecretAccessKey = "wrong"
	w.By(bad, "ec2", "DescribeVpcs")
	records, text := read("calls")
	find := func(name, code string) audit.Record {
		t.Helper()
		for _, r := range records {
			if r.EventName == name && r.ErrorCode == code {
				return r
			}
		}
		t.Errorf("no record of %s with %q in\n%s", name, code, text)
		return audit.Record{}
	}
	account := w.Keys.Account
	if r := find("RunInstances", ""); r.ResponseElements["instanceId"] != id || r.RequestParameters["ImageId"] == "" ||
		r.ReadOnly || r.EventSource != "ec2.amazonaws.com" || r.Region != "us-east-1" ||
		r.UserIdentity.Type != "Root" || r.UserIdentity.AccountID != account ||
		r.UserIdentity.AccessKeyID != w.Keys.ID || r.SourceIP != "127.0.0.1" || r.RequestID == "" ||
		r.EventID == r.RequestID || r.UserAgent == "" {
		t.Errorf("a launch: %+v", r)
	}
	if r := find("TerminateInstances",
		"InvalidInstanceID.NotFound"); r.RequestParameters["InstanceId.1"] != "i-0123456789abcdef0" ||
		!strings.Contains(r.ErrorMessage, "i-0123456789abcdef0") ||
		len(r.Resources) != 1 ||
		r.Resources[0] != (audit.Resource{
			ARN: "arn:aws:ec2:us-east-1:" + account + ":instance/i-0123456789abcdef0", AccountID: account,
			Type: "AWS::EC2::Instance",
		}) {
		t.Errorf("a refusal: %+v", r)
	}
	if r := find("DescribeVpcs", ""); !r.ReadOnly || r.ResponseElements != nil {
		t.Errorf("a list: %+v", r)
	}
	if r := find("StopInstances", "UnauthorizedOperation"); r.UserIdentity.Type != "IAMUser" ||
		r.UserIdentity.UserName != "ann" || r.UserIdentity.ARN != "arn:aws:iam::"+account+":user/ann" {
		t.Errorf("a user's: %+v", r)
	}
	if r := find("CreateAccessKey", ""); r.EventSource != "iam.amazonaws.com" ||
		r.RequestParameters["UserName"] != "ann" || r.ResponseElements["AccessKeyId"] != ann.AccessKeyID {
		t.Errorf("IAM's: %+v", r)
	}
	if r := find("GetCallerIdentity", ""); r.EventSource != "sts.amazonaws.com" || !r.ReadOnly {
		t.Errorf("STS's: %+v", r)
	}
	strangers, _ := read("strangers")
	if len(strangers) != 1 || strangers[0].ErrorCode == "" || strangers[0].UserIdentity.Type != "Unknown" ||
		strangers[0].UserIdentity.AccessKeyID != bad.AccessKeyID || strangers[0].RequestParameters != nil {
		t.Errorf("a bad signature: %+v", strangers)
	}
}

// TestNoSecretIsRecorded, of what is sent, of what is answered, and of what a refusal repeats.
func TestNoSecretIsRecorded(t *testing.T) {
	w, read := audited(t)
	data := base64.StdEncoding.EncodeToString([]byte("password=correct-horse-battery"))
	id := w.Launch("t3.micro", "UserData", data)
	w.Call("ModifyInstanceAttribute", "InstanceId", id, "UserData.Value", data)
	w.Call("RunInstances", "UserData", "not base64 but-secret-all-the-same")
	w.Call("RunInstances", "ImageId", w.Image(), "MinCount", "1", "MaxCount", "1", "InstanceType", "secret-in-a-type")
	w.Call("DescribeInstanceAttribute", "InstanceId", id, "Attribute", "userData")
	pair := apitest.First(w.Call("CreateKeyPair", "KeyName", "k").Body, "keyMaterial")
	ann := w.User("ann", apitest.Document(`{"Effect":"Allow","Action":"*","Resource":"*"}`))
	session := apitest.KeysIn(w.By(ann, "sts", "GetSessionToken").Body)
	w.By(session, "ec2", "DescribeVpcs")
	w.By(session, "ec2", "DescribeVpcs", "NextToken", "token-of-a-page")
	w.By(w.Root(), "iam", "CreateLoginProfile", "UserName", "ann", "Password", "Tr0ub4dor&3")
	w.By(w.Root(), "sts", "AssumeRole", "RoleArn", "arn:aws:iam::"+w.Keys.Account+":role/none", "RoleSessionName", "s",
		"ExternalId", "shared-between-two")
	w.By(aws.Credentials{
		AccessKeyID: ann.AccessKeyID, SecretAccessKey: ann.SecretAccessKey, SessionToken: "a-token-that-is-wrong",
	}, "ec2", "DescribeVpcs")
	_, calls := read("calls")
	_, strangers := read("strangers")
	if n := strings.Count(calls, "\n"); n < 15 || session.SessionToken == "" || pair == "" ||
		!strings.Contains(calls, "GetSessionToken") {
		t.Fatalf("%d records; the session %v", n, session.AccessKeyID)
	}
	for name, secret := range map[string]string{
		"the root's key": w.Keys.Secret, "a user's key": ann.SecretAccessKey,
		"a session's key": session.SecretAccessKey, "a session's token": session.SessionToken, "user data": data,
		"user data in plain": "correct-horse", "user data that is refused": "but-secret",
		"a type that is none": "secret-in-a-type", "a private key": pair[40:80], "a page's token": "token-of-a-page",
		"a password": "Tr0ub4dor", "an external id": "shared-between-two", "a wrong token": "a-token-that-is-wrong",
	} {
		if secret == "" || strings.Contains(calls+strangers, secret) {
			t.Errorf("%s (%q) is recorded", name, secret)
		}
	}
}
