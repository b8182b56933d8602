package conformance

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"golang.org/x/crypto/ssh"
)

// What is built of Terraform's world. Of HashiCorp's provider the Go proxy has this one version, which speaks the
// plugin protocol of Terraform 0.11. Its code stays as it is; the plugin library under it is that of 0.12, whose
// protocol OpenTofu speaks, and the SDK the one it names.
const (
	tofuVersion     = "v1.12.6"
	providerVersion = "v1.60.0"
	pluginLibrary   = "github.com/hashicorp/terraform@v0.12.29"
	providerSDK     = "github.com/aws/aws-sdk-go=github.com/aws/aws-sdk-go@v1.17.0"
)

// TestTerraform applies terraform/main.tf with nearly all that the provider has of EC2's launching world, finds a
// second plan empty, changes things in place, finds the plan empty again, and destroys everything: nothing may be left.
func TestTerraform(t *testing.T) {
	slow(t)
	tofu := fromProxy(t, "github.com/opentofu/opentofu", tofuVersion, "./cmd/tofu")
	provider := fromProxy(t, "github.com/hashicorp/terraform-provider-aws", providerVersion, ".",
		[]string{"get", pluginLibrary}, []string{"mod", "edit", "-replace", providerSDK})
	s := serve(t)
	s.record("OpenTofu with Terraform's AWS provider",
		strings.TrimPrefix(tofuVersion, "v")+", provider "+strings.TrimPrefix(providerVersion, "v"),
		"apply of about 60 kinds of resource and 30 of data, an empty plan, changes in place, an empty plan, "+
			"destroy: `test/conformance/terraform/main.tf`. The provider, of 2019, is the one version that the Go "+
			"proxy has; its code is untouched, under it is the plugin library of Terraform 0.12")

	dir := t.TempDir()
	config, err := os.ReadFile("terraform/main.tf")
	if err != nil {
		t.Fatal(err)
	}
	mirror := filepath.Join(dir, "mirror")
	place := filepath.Join(mirror, "registry.opentofu.org/hashicorp/aws", strings.TrimPrefix(providerVersion, "v"),
		"linux_amd64")
	rc := filepath.Join(dir, "rc")
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "main.tf"), config, 0o600), os.MkdirAll(place, 0o700),
		os.Symlink(provider, filepath.Join(place, "terraform-provider-aws_"+providerVersion)),
		os.WriteFile(rc,
			[]byte(fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror)),
			0o600)); err != nil {
		t.Fatal(err)
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048) // the provider is of a time before ed25519
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	env := s.env("TF_CLI_CONFIG_FILE="+rc, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_CLI_ARGS=-no-color",
		"TF_VAR_endpoint="+s.endpoint,
		"TF_VAR_public_key="+strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))))
	run := func(args ...string) string {
		t.Helper()
		t.Logf("tofu %s", strings.Join(args, " "))
		cmd := exec.Command(tofu, args...)
		cmd.Dir, cmd.Env = dir, env
		return s.command(cmd)
	}
	unchanged := func(when string, vars ...string) {
		t.Helper()
		cmd := exec.Command(tofu, append([]string{"plan", "-detailed-exitcode"}, vars...)...)
		cmd.Dir, cmd.Env = dir, env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: a second plan is not empty (%v):\n%s", when, err, out)
		}
	}
	run("init")
	run("apply", "-auto-approve")
	unchanged("after apply")
	address := strings.Trim(strings.TrimSpace(run("output", "address")), `"`)
	if got := overSSH(t, address, "admin", signer, "cat /tmp/built"); got != "built" {
		t.Errorf("the instance's user data wrote %q, want built", got)
	}

	second := []string{"-var", "label=second", "-var", "size=t3.small", "-var", "disk=5"}
	run(append([]string{"apply", "-auto-approve"}, second...)...)
	unchanged("after a change", second...)
	c := s.client()
	if in := instance(t, c, types.Filter{Name: new("tag:Name"), Values: []string{"second"}},
		types.Filter{
			Name: new("instance-type"), Values: []string{"t3.small"},
		}); in.State.Name != types.InstanceStateNameRunning {
		t.Errorf("after its change of type the instance is %s", in.State.Name)
	}

	run(append([]string{"destroy", "-auto-approve"}, second...)...)
	s.nothingIsLeft(c)
}

// fromProxy builds a program out of a module's source, once: the result is kept beside the built images. The steps are
// go commands that come before, in a copy of the source. A package that this directory has is added to the source, so
// that it is built with the module's own dependencies; as it may have changed, it is built anew, out of what go's cache keeps.
func fromProxy(t *testing.T, module, version, pkg string, steps ...[]string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(cache, "slipway", "conformance", filepath.Base(module)+"-"+version)
	_, err = os.Stat(pkg + "/main.go")
	ours := pkg != "." && err == nil
	if _, err := os.Stat(program); err == nil && !ours {
		return program
	}
	command := func(dir string, args ...string) []byte {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod -buildvcs=false", "GOWORK=off")
		out, err := cmd.Output()
		if err != nil {
			said := ""
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				said = string(exit.Stderr)
			}
			t.Fatalf("go %v: %v\n%s", args, err, said)
		}
		return out
	}
	var source struct{ Dir string }
	if err := json.Unmarshal(command(t.TempDir(), "mod", "download", "-json", module+"@"+version), &source); err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(t.TempDir(), "src")
	if out, err := exec.Command("cp", "-r", "--no-preserve=mode", source.Dir, work).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.RemoveAll(filepath.Join(work, "vendor")); err != nil {
		t.Fatal(err)
	}
	if ours {
		if err := os.CopyFS(filepath.Join(work, pkg), os.DirFS(pkg)); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range steps {
		command(work, step...)
	}
	t.Logf("building %s %s", module, version)
	command(work, "build", "-o", program+".new", pkg)
	if err := os.Rename(program+".new", program); err != nil {
		t.Fatal(err)
	}
	return program
}
