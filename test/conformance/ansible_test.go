package conformance

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"golang.org/x/crypto/ssh"
)

// TestAnsible plays ansible.yml twice: the second time must change nothing. Then it destroys, and nothing may be left.
func TestAnsible(t *testing.T) {
	s := serve(t)
	s.record("Ansible, amazon.aws and community.aws", version(t, "ansible", "--version"),
		"a playbook of 24 modules around an instance, a second run that changes nothing, and the end of it all: "+
			"`test/conformance/ansible.yml`")
	signer := newKey(t)
	playbook, err := filepath.Abs("ansible.yml")
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	play := func(tag string) string {
		t.Helper()
		t.Logf("ansible-playbook --tags %s", tag)
		cmd := exec.Command("ansible-playbook", "--tags", tag, "-e",
			`{"public_key": "`+strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))+`"}`, playbook)
		cmd.Dir, cmd.Env = home,
			s.env("HOME="+home, "AWS_URL="+s.endpoint, "ANSIBLE_NOCOLOR=1", "ANSIBLE_LOCALHOST_WARNING=False",
				"ANSIBLE_DEPRECATION_WARNINGS=False", "LC_ALL=C.UTF-8")
		return s.command(cmd)
	}
	address := regexp.MustCompile(`address=([0-9.]+)`).FindStringSubmatch(play("build"))
	if address == nil {
		t.Fatal("the play says no address")
	}
	if got := overSSH(t, address[1], "admin", signer, "cat /tmp/built"); got != "built" {
		t.Errorf("the instance's user data wrote %q, want built", got)
	}
	if again := play("build"); !strings.Contains(again, "changed=0 ") {
		t.Errorf("a second run changes something:\n%s", again)
	}
	play("destroy")
	s.nothingIsLeft(s.client())
}

// nothingIsLeft says what a client has forgotten of what it made.
func (s *service) nothingIsLeft(c *ec2.Client) {
	s.t.Helper()
	ctx := s.t.Context()
	volumes, err := c.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{})
	if err != nil {
		s.t.Fatal(err)
	}
	snapshots, err := c.DescribeSnapshots(ctx, &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}})
	if err != nil {
		s.t.Fatal(err)
	}
	vpcs, err := c.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
	if err != nil {
		s.t.Fatal(err)
	}
	addresses, err := c.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(volumes.Volumes) != 0 || len(snapshots.Snapshots) != 0 || len(vpcs.Vpcs) != 1 || len(addresses.Addresses) != 0 {
		s.t.Errorf("%d volumes, %d snapshots, %d VPCs and %d addresses are left, want none but the default VPC",
			len(volumes.Volumes), len(snapshots.Snapshots), len(vpcs.Vpcs), len(addresses.Addresses))
	}
}
