package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sdkVersion is the JavaScript client's, the one whose schema slipway's shapes are generated from.
const sdkVersion = "3.1169.0"

func (r *run) env() []string {
	return append(os.Environ(), "AWS_ENDPOINT_URL="+r.endpoint, "AWS_ACCESS_KEY_ID="+r.keys.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+r.keys.SecretAccessKey,
		"AWS_DEFAULT_REGION=us-east-1", "AWS_REGION=us-east-1", "AWS_PAGER=", "ENDPOINT="+r.endpoint, "IMAGE="+r.image())
}

const program = `
const input = { ImageId: process.env.IMAGE, InstanceType: "t3.nano", MinCount: 1, MaxCount: 1 };
const client = new EC2Client({ endpoint: process.env.ENDPOINT, region: "us-east-1" });
const command = new RunInstancesCommand(input);
if (command.input.ImageId !== input.ImageId || typeof command.middlewareStack.add !== "function") throw new Error("the command is not as documented");
const answer = await client.send(command);
const id = answer.Instances[0].InstanceId;
await waitUntilInstanceRunning({ client, maxWaitTime: 60, minDelay: 1, maxDelay: 2 }, { InstanceIds: [id] });
try {
  await client.send(new RunInstancesCommand({ ...input, DryRun: true }));
  throw new Error("a dry run launched");
} catch (e) {
  if (e.name !== "DryRunOperation") throw e;
}
console.log("running " + id);
await client.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
`

// TestJavaScriptClient runs the program that the project began with, in both module forms, against a real launch.
func TestJavaScriptClient(t *testing.T) {
	for _, p := range []string{"node", "npm"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("the JavaScript client needs %s: make test-deps installs it", p)
		}
	}
	r := real(t)
	dir := t.TempDir()
	install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--no-save", "--prefix", dir,
		"@aws-sdk/client-ec2@"+sdkVersion)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm install: %v: %s", err, out)
	}
	names := "{ EC2Client, RunInstancesCommand, TerminateInstancesCommand, waitUntilInstanceRunning }"
	for file, source := range map[string]string{
		"es.mjs": "import " + names + ` from "@aws-sdk/client-ec2";` + program,
		"common.cjs": "const " + names + ` = require("@aws-sdk/client-ec2"); (async () => {` + program +
			"})().catch((e) => { console.error(e); process.exit(1); });",
	} {
		t.Run(file, func(t *testing.T) {
			path := filepath.Join(dir, file)
			if err := os.WriteFile(path, []byte(source), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("node", path)
			cmd.Env = r.env()
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "running i-") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// TestAWSCommandLine drives the AWS CLI as it comes.
func TestAWSCommandLine(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the AWS CLI is not installed: `make test-deps` installs it")
	}
	r := simulated(t)
	env := r.env()
	endpoint := "--endpoint-url=" + r.endpoint // the Debian release's CLI does not read it from the environment
	aws := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("aws", append([]string{endpoint, "--output", "text"}, args...)...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("aws %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if got := aws("sts", "get-caller-identity", "--query", "Account"); got != r.keys.AccountID {
		t.Errorf("get-caller-identity says %s, want %s", got, r.keys.AccountID)
	}
	ids := strings.Fields(aws("ec2", "run-instances", "--image-id", r.image(), "--instance-type", "t3.micro", "--count",
		"2:3", "--user-data", "#!/bin/sh",
		"--tag-specifications", "ResourceType=instance,Tags=[{Key=Name,Value=cli}]", "--query", "Instances[].InstanceId"))
	if len(ids) != 3 {
		t.Fatalf("launched %v, want 3", ids)
	}
	aws(append([]string{"ec2", "wait", "instance-running", "--instance-ids"}, ids...)...)
	if got := strings.Fields(aws("ec2", "describe-instances", "--filters", "Name=tag:Name,Values=c?i",
		"Name=instance-state-name,Values=running", "--query", "Reservations[].Instances[].InstanceId")); len(got) != 3 {
		t.Errorf("the filter finds %v", got)
	}
	aws("ec2", "create-tags", "--resources", ids[0], "--tags", "Key=Role,Value=db")
	if got := aws("ec2", "describe-tags", "--filters", "Name=resource-id,Values="+ids[0], "Name=key,Values=Role",
		"--query", "Tags[].Value"); got != "db" {
		t.Errorf("describe-tags says %q", got)
	}
	for _, read := range [][]string{
		{"describe-regions"}, {"describe-availability-zones"}, {"describe-account-attributes"}, {"describe-vpcs"},
		{"describe-subnets"}, {"describe-security-groups"},
		{"describe-images"}, {"describe-instance-types", "--instance-types", "t3.micro"},
		{"describe-instance-type-offerings"}, {"describe-volumes"},
		{"describe-network-interfaces"}, {"describe-key-pairs"}, {"describe-instance-status"},
		{"describe-instance-attribute", "--instance-id", ids[0], "--attribute", "userData"},
		{"describe-instance-credit-specifications", "--instance-ids", ids[0]}, {"get-console-output", "--instance-id", ids[0]},
	} {
		aws(append([]string{"ec2"}, read...)...)
	}
	aws(append([]string{"ec2", "terminate-instances", "--instance-ids"}, ids...)...)
	aws(append([]string{"ec2", "wait", "instance-terminated", "--instance-ids"}, ids...)...)
}

// TestTheREADMEShowsWhatRuns: the launch that a newcomer reads first is the program above.
func TestTheREADMEShowsWhatRuns(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "```js\n")
	shown, _, _ := strings.Cut(after, "```")
	n := 0
	for line := range strings.Lines(shown) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "import ") {
			continue
		}
		if n++; !strings.Contains(program, line) {
			t.Errorf("the README shows a line that no test runs: %s", line)
		}
	}
	if n < 5 {
		t.Errorf("the README shows %d lines of the program", n)
	}
}
