package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

const unitFile = "../../packaging/systemd/slipway.service"

// unit is what the service's file sets, by name.
func unit(t *testing.T) map[string][]string {
	t.Helper()
	f, err := os.Open(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	set := map[string][]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok && !strings.HasPrefix(key, "#") {
			set[key] = append(set[key], value)
		}
	}
	return set
}

// ownView are the settings that give a service a mount namespace of its own, in which the networks' namespaces would
// end with it.
var ownView = []string{
	"ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateMounts", "ProtectKernelTunables",
	"ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups",
	"ProtectProc", "ProcSubset", "ProtectHostname", "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ExecPaths",
	"NoExecPaths", "TemporaryFileSystem", "BindPaths", "BindReadOnlyPaths", "RootDirectory",
	"RootImage", "MountFlags", "MountAPIVFS", "DynamicUser", "PrivateUsers", "PrivateNetwork", "CacheDirectory",
	"RuntimeDirectory",
}

// TestTheUnitKeepsGuestsRunning: a restart of the service ends neither the guests nor their networks, nor stops QEMU
// from translating.
func TestTheUnitKeepsGuestsRunning(t *testing.T) {
	set := unit(t)
	for _, key := range append(slices.Clone(ownView), "MemoryDenyWriteExecute", "RestrictNamespaces") {
		if v, there := set[key]; there {
			t.Errorf("the unit sets %s=%v", key, v)
		}
	}
	for key, want := range map[string]string{
		"KillMode": "process", "NoNewPrivileges": "yes", "UMask": "0077", "StateDirectoryMode": "0700",
	} {
		if !slices.Equal(set[key], []string{want}) {
			t.Errorf("the unit sets %s to %v, want %s", key, set[key], want)
		}
	}
	if start := set["ExecStart"]; len(start) != 1 || !strings.Contains(start[0], " --keep") {
		t.Errorf("it starts %v, which ends the guests when it is stopped", start)
	}
}

// TestSystemdTakesTheUnit: systemd itself finds no fault in it.
func TestSystemdTakesTheUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is missing: it comes with systemd")
	}
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "slipway.service") // verify asks for the program, which is not installed
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "/usr/bin/slipway", bin)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput()
	var ours []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, filepath.Base(file)) {
			ours = append(ours, line)
		}
	}
	if len(ours) > 0 {
		t.Errorf("systemd-analyze: %v\n%s", err, strings.Join(ours, ""))
	}
}

// TestWhatTheUnitKeepsOfRootIsEnough: a guest is launched, reached and ended with no more of root than the unit leaves.
func TestWhatTheUnitKeepsOfRootIsEnough(t *testing.T) {
	needReal(t)
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip("setpriv is missing: it comes with util-linux")
	}
	kept := "-all"
	for _, c := range strings.Fields(strings.Join(unit(t)["CapabilityBoundingSet"], " ")) {
		kept += ",+" + strings.ToLower(strings.TrimPrefix(c, "CAP_"))
	}
	r := startUnder(t, []string{setpriv, "--bounding-set", kept, "--inh-caps", "-all", "--no-new-privs"}, "--accel", "tcg")
	c := r.client()
	key := r.key(c)
	r.openSSH(c)
	out, err := c.RunInstances(t.Context(),
		&ec2.RunInstancesInput{
			ImageId: aws.String(r.image()), InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1),
			MaxCount: aws.Int32(1), KeyName: aws.String("test"),
		})
	if err != nil {
		t.Fatal(err)
	}
	id := *out.Instances[0].InstanceId
	dial(t, *r.waitState(c, id, types.InstanceStateNameRunning).PublicIpAddress, key).Close()
	if _, err := c.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}}); err != nil {
		t.Fatal(err)
	}
	r.waitState(c, id, types.InstanceStateNameTerminated)
}
