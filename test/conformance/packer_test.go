package conformance

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"golang.org/x/crypto/ssh"
)

// TestPacker builds an AMI out of Debian's with the amazon-ebs builder and launches what was built. The tiny image
// would not do: Packer copies its scripts by scp or sftp, of which that image has neither.
func TestPacker(t *testing.T) {
	s := serve(t)
	s.record("Packer, amazon-ebs builder", version(t, "packer", "version"),
		"an AMI built over ssh out of debian-12 with a temporary key pair and group, what it needed removed, and "+
			"the AMI launched: `test/conformance/packer.json`")
	template, err := filepath.Abs("packer.json")
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	build := exec.Command("packer", "build", "-color=false", "-machine-readable", "-var", "endpoint="+s.endpoint, template)
	build.Dir, build.Env = home, s.env("HOME="+home, "CHECKPOINT_DISABLE=1")
	out := s.command(build)
	_, artifact, found := strings.Cut(out, "artifact,0,id,us-east-1:")
	if !found {
		t.Fatalf("packer names no AMI:\n%s", out)
	}
	ami, _, _ := strings.Cut(artifact, "\n")

	c, ctx := s.client(), t.Context()
	made := s.image(c, "self", "packed")
	if got := aws.ToString(made.ImageId); got != ami || made.State != types.ImageStateAvailable {
		t.Errorf("the image is %s and %s, want %s and available", got, made.State, ami)
	}
	snaps, err := c.DescribeSnapshots(ctx,
		&ec2.DescribeSnapshotsInput{
			OwnerIds: []string{"self"}, Filters: []types.Filter{{Name: aws.String("tag:Made"), Values: []string{"by packer"}}},
		})
	if err != nil {
		t.Fatal(err)
	}
	if len(snaps.Snapshots) != 1 || *snaps.Snapshots[0].SnapshotId != *made.BlockDeviceMappings[0].Ebs.SnapshotId {
		t.Errorf("%d snapshots with packer's tag, want the image's", len(snaps.Snapshots))
	}
	builder := instance(t, c, types.Filter{Name: aws.String("tag:Name"), Values: []string{"packer"}})
	if builder.State.Name != types.InstanceStateNameTerminated {
		t.Errorf("the builder is %s, want terminated", builder.State.Name)
	}
	keys, err := c.DescribeKeyPairs(ctx, &ec2.DescribeKeyPairsInput{})
	if err != nil || len(keys.KeyPairs) != 0 {
		t.Errorf("%d key pairs are left, want none (%v)", len(keys.KeyPairs), err)
	}
	groups, err := c.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{})
	if err != nil || len(groups.SecurityGroups) != 1 {
		t.Errorf("%d security groups are left, want the default one (%v)", len(groups.SecurityGroups), err)
	}

	signer := newKey(t)
	if _, err := c.ImportKeyPair(ctx,
		&ec2.ImportKeyPairInput{
			KeyName: aws.String("test"), PublicKeyMaterial: ssh.MarshalAuthorizedKey(signer.PublicKey()),
		}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{
		GroupName: aws.String("default"), IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(22),
		CidrIp: aws.String("0.0.0.0/0"),
	}); err != nil {
		t.Fatal(err)
	}
	launched, err := c.RunInstances(ctx,
		&ec2.RunInstancesInput{
			ImageId: &ami, InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
			KeyName: aws.String("test"),
		})
	if err != nil {
		t.Fatal(err)
	}
	id := *launched.Instances[0].InstanceId
	if err := ec2.NewInstanceRunningWaiter(c, quick).Wait(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}},
		time.Minute); err != nil {
		t.Fatal(err)
	}
	in := instance(t, c, types.Filter{Name: aws.String("image-id"), Values: []string{ami}})
	if got := overSSH(t, *in.PublicIpAddress, "debian", signer, "cat /etc/packed"); got != *builder.InstanceId {
		t.Errorf("the file that packer wrote says %q, want the builder's id %s", got, *builder.InstanceId)
	}
}

func quick(o *ec2.InstanceRunningWaiterOptions) { o.MinDelay, o.MaxDelay = time.Second, time.Second }

// instance is the one that the filters find.
func instance(t *testing.T, c *ec2.Client, f ...types.Filter) types.Instance {
	t.Helper()
	out, err := c.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{Filters: f})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Reservations) != 1 {
		t.Fatalf("%d reservations, want 1", len(out.Reservations))
	}
	return out.Reservations[0].Instances[0]
}

// overSSH runs a command in a guest as soon as it lets its user in.
func overSSH(t *testing.T, ip, user string, key ssh.Signer, command string) string {
	t.Helper()
	answer := ""
	eventually(t, 4*time.Minute, func() error {
		conn, err := net.DialTimeout("tcp", ip+":22", 2*time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		cc, chans, reqs, err := ssh.NewClientConn(conn, ip,
			&ssh.ClientConfig{
				User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
			})
		if err != nil {
			return err
		}
		c := ssh.NewClient(cc, chans, reqs)
		defer c.Close()
		session, err := c.NewSession()
		if err != nil {
			return err
		}
		out, err := session.CombinedOutput(command)
		if err != nil {
			return fmt.Errorf("%s: %w: %s", command, err, out)
		}
		answer = strings.TrimSpace(string(out))
		return nil
	})
	return answer
}
