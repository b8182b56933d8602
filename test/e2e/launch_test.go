package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// TestOneInstanceThroughItsLife launches a real virtual machine and takes it through everything that happens to one.
func TestOneInstanceThroughItsLife(t *testing.T) {
	whole := t // connections live as long as the whole test
	r := real(t)
	c := r.client()
	key := r.key(c)
	ctx := t.Context()
	userData := "#!/bin/sh\necho it ran >> /root/user-data-ran\n"
	made, err := c.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: aws.String(r.image()), InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1),
		MaxCount: aws.Int32(1), KeyName: aws.String("test"),
		UserData: aws.String(base64.StdEncoding.EncodeToString([]byte(userData))),
		MetadataOptions: &types.InstanceMetadataOptionsRequest{
			HttpTokens: types.HttpTokensStateRequired, InstanceMetadataTags: types.InstanceMetadataTagsStateEnabled,
		},
		TagSpecifications: []types.TagSpecification{
			{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("web")}}},
		},
		BlockDeviceMappings: []types.BlockDeviceMapping{
			{DeviceName: aws.String("/dev/xvda"), Ebs: &types.EbsBlockDevice{VolumeSize: aws.Int32(3)}},
			{DeviceName: aws.String("/dev/sdf"),
				Ebs: &types.EbsBlockDevice{VolumeSize: aws.Int32(2), VolumeType: types.VolumeTypeGp3}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	first := made.Instances[0]
	id := *first.InstanceId
	if first.State.Name != types.InstanceStateNamePending || len(first.BlockDeviceMappings) != 0 ||
		first.PublicIpAddress != nil {
		t.Errorf("the launch's answer shows %s, %d devices, address %v; EC2's shows pending and neither",
			first.State.Name, len(first.BlockDeviceMappings), first.PublicIpAddress)
	}
	in := r.waitState(c, id, types.InstanceStateNameRunning)
	ip := aws.ToString(in.PublicIpAddress)

	t.Run("a port that no group opens is closed, and one that a group opens is open", func(t *testing.T) {
		if conn, err := net.DialTimeout("tcp", ip+":22", 1500*time.Millisecond); err == nil {
			conn.Close()
			t.Error("port 22 answers though the default group lets nobody in")
		}
		r.openSSH(c)
	})
	guest := dial(t, ip, key)
	const imds = `T=$(printf 'PUT /latest/api/token HTTP/1.0\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n' | nc 169.254.169.254 80 | tail -n 1); wget -qO- --header "X-aws-ec2-metadata-token: $T" http://169.254.169.254/latest/`
	t.Run("a role's credentials reach the guest, and are good", func(t *testing.T) {
		for _, form := range []url.Values{
			{"Action": {"CreateRole"}, "RoleName": {"app"},
				"AssumeRolePolicyDocument": {`{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}`}},
			{"Action": {"PutRolePolicy"}, "RoleName": {"app"}, "PolicyName": {"p"},
				"PolicyDocument": {`{"Statement":{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*"}}`}},
			{"Action": {"CreateInstanceProfile"}, "InstanceProfileName": {"app"}},
			{"Action": {"AddRoleToInstanceProfile"}, "InstanceProfileName": {"app"}, "RoleName": {"app"}},
		} {
			if got := r.to("iam", "2010-05-08", form); strings.Contains(got, "<Error>") {
				t.Fatalf("%v: %s", form, got)
			}
		}
		profile := &types.IamInstanceProfileSpecification{Name: aws.String("app")}
		must[*ec2.AssociateIamInstanceProfileOutput](t)(c.AssociateIamInstanceProfile(t.Context(),
			&ec2.AssociateIamInstanceProfileInput{InstanceId: &id, IamInstanceProfile: profile}))
		var given struct{ Code, AccessKeyId, SecretAccessKey, Token string }
		eventually(t, 30*time.Second, func() error {
			out, err := try(guest, imds+"meta-data/iam/security-credentials/app")
			if err != nil {
				return err
			}
			return json.Unmarshal([]byte(out), &given)
		})
		keys := credentials.NewStaticCredentialsProvider(given.AccessKeyId, given.SecretAccessKey, given.Token)
		within := ec2.New(ec2.Options{Region: "us-east-1", BaseEndpoint: &r.endpoint, Credentials: keys, RetryMaxAttempts: 1})
		if _, err := within.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{}); given.Code != "Success" || err != nil {
			t.Errorf("%s, and what the role may: %v", given.Code, err)
		}
		if _, err := within.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{}); err == nil ||
			!strings.Contains(err.Error(), "UnauthorizedOperation") {
			t.Errorf("what the role may not: %v", err)
		}
	})
	t.Run("the guest knows itself", func(t *testing.T) {
		for path, want := range map[string]string{
			"meta-data/instance-id": id, "meta-data/local-ipv4": *in.PrivateIpAddress, "meta-data/public-ipv4": ip,
			"meta-data/tags/instance/Name":          "web",
			"meta-data/placement/availability-zone": *in.Placement.AvailabilityZone,
			"user-data":                             strings.TrimSpace(userData), "meta-data/instance-type": "t3.nano",
		} {
			if got := sh(t, guest, imds+path); got != want {
				t.Errorf("%s = %q, want %q", path, got, want)
			}
		}
		if got := sh(t, guest,
			"wget -qO- http://169.254.169.254/latest/meta-data/instance-id || echo refused"); !strings.Contains(got,
			"refused") {
			t.Errorf("metadata without a token answered %q though tokens are required", got)
		}
		if got := sh(t, guest, "ip -4 addr show eth0"); !strings.Contains(got, *in.PrivateIpAddress) {
			t.Errorf("eth0 has not the private address: %s", got)
		}
		if got := sh(t, guest, "cat /sys/class/dmi/id/product_uuid"); !strings.HasPrefix(strings.ToLower(got), "ec2") {
			t.Errorf("the system UUID is %s; cloud-init looks for one that begins with ec2", got)
		}
		if got := sh(t, guest, "nslookup "+*in.PrivateDnsName); !strings.Contains(got, *in.PrivateIpAddress) {
			t.Errorf("the VPC's resolver does not know %s: %s", *in.PrivateDnsName, got)
		}
	})
	t.Run("its disks are as asked for", func(t *testing.T) {
		for dev, want := range map[string]string{"vda": fmt.Sprint(3 << 30), "vdb": fmt.Sprint(2 << 30)} {
			if got := sh(t, guest, "echo $(( $(cat /sys/block/"+dev+"/size) * 512 ))"); got != want {
				t.Errorf("%s has %s bytes, want %s", dev, got, want)
			}
		}
		eventually(t, 20*time.Second, func() error {
			if got := sh(t, guest, "sudo cat /root/user-data-ran; true"); got != "it ran" {
				return fmt.Errorf("user data left %q", got)
			}
			return nil
		})
	})
	t.Run("its status checks pass and its console can be read", func(t *testing.T) {
		eventually(t, 30*time.Second, func() error {
			out, err := c.DescribeInstanceStatus(ctx, &ec2.DescribeInstanceStatusInput{InstanceIds: []string{id}})
			if err != nil {
				return err
			}
			if len(out.InstanceStatuses) != 1 || out.InstanceStatuses[0].InstanceStatus.Status != types.SummaryStatusOk {
				return fmt.Errorf("statuses %v", out.InstanceStatuses)
			}
			return nil
		})
		out, err := c.GetConsoleOutput(ctx, &ec2.GetConsoleOutputInput{InstanceId: &id})
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := base64.StdEncoding.DecodeString(aws.ToString(out.Output)); !strings.Contains(string(text),
			"ssh-ed25519 ") {
			t.Errorf("the console does not show the host key: %q", text)
		}
		shot, err := c.GetConsoleScreenshot(ctx, &ec2.GetConsoleScreenshotInput{InstanceId: &id})
		if err != nil {
			t.Fatal(err)
		}
		if picture, _ := base64.StdEncoding.DecodeString(aws.ToString(shot.ImageData)); len(picture) < 100 ||
			picture[0] != 0xff || picture[1] != 0xd8 {
			t.Errorf("the screenshot is no JPEG: %d bytes", len(picture))
		}
	})
	t.Run("nobody speaks under another's address", func(t *testing.T) {
		got := sh(t, guest,
			"sudo ip addr add 172.31.99.99/32 dev eth0; ping -c 1 -W 1 -I 172.31.99.99 172.31.0.2 >/dev/null 2>&1 "+
				"&& echo passed || echo dropped; sudo ip addr del 172.31.99.99/32 dev eth0")
		if !strings.HasSuffix(got, "dropped") {
			t.Errorf("a packet with a foreign source address %s", got)
		}
	})
	t.Run("a reboot keeps it running", func(t *testing.T) {
		before := sh(t, guest, "cat /proc/sys/kernel/random/boot_id")
		if _, err := c.RebootInstances(ctx, &ec2.RebootInstancesInput{InstanceIds: []string{id}}); err != nil {
			t.Fatal(err)
		}
		guest.Close()
		eventually(t, 90*time.Second, func() error {
			guest = dial(whole, ip, key)
			after, err := try(guest, "cat /proc/sys/kernel/random/boot_id") // it may go down under the question
			if err == nil && after == before {
				err = fmt.Errorf("still the same boot")
			}
			return err
		})
		if s := r.describe(c, id).State.Name; s != types.InstanceStateNameRunning {
			t.Errorf("it is %s after a reboot", s)
		}
	})
	t.Run("stop and start keep disk and private address", func(t *testing.T) {
		sh(t, guest, "echo kept | sudo tee /root/kept; sync")
		guest.Close()
		if _, err := c.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}}); err != nil {
			t.Fatal(err)
		}
		stopped := r.waitState(c, id, types.InstanceStateNameStopped)
		if stopped.PublicIpAddress != nil || aws.ToString(stopped.StateReason.Code) != "Client.UserInitiatedShutdown" {
			t.Errorf("stopped, it has address %v and reason %s", stopped.PublicIpAddress,
				aws.ToString(stopped.StateReason.Code))
		}
		if _, err := c.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: []string{id}}); err != nil {
			t.Fatal(err)
		}
		again := r.waitState(c, id, types.InstanceStateNameRunning)
		if *again.PrivateIpAddress != *in.PrivateIpAddress {
			t.Errorf("its private address became %s, was %s", *again.PrivateIpAddress, *in.PrivateIpAddress)
		}
		guest = dial(whole, *again.PublicIpAddress, key)
		if got := sh(t, guest, "sudo cat /root/kept /root/user-data-ran"); got != "kept\nit ran" {
			t.Errorf("its disk says %q after a stop and a start", got)
		}
	})
	t.Run("a guest that switches itself off is stopped", func(t *testing.T) {
		s, err := guest.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		s.Start("sudo poweroff")
		off := r.waitState(c, id, types.InstanceStateNameStopped)
		if code := aws.ToString(off.StateReason.Code); code != "Client.InstanceInitiatedShutdown" {
			t.Errorf("its reason is %s", code)
		}
	})
	t.Run("terminated, it stays visible and leaves no volume", func(t *testing.T) {
		if _, err := c.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}}); err != nil {
			t.Fatal(err)
		}
		gone := r.waitState(c, id, types.InstanceStateNameTerminated)
		if len(gone.NetworkInterfaces) != 0 || gone.PrivateIpAddress != nil {
			t.Errorf("terminated, it still has %d interfaces and address %v", len(gone.NetworkInterfaces),
				gone.PrivateIpAddress)
		}
		vols, err := c.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{})
		if err != nil {
			t.Fatal(err)
		}
		// The root goes with its instance; a further volume stays, as in EC2.
		if len(vols.Volumes) != 1 || vols.Volumes[0].State != types.VolumeStateAvailable {
			t.Errorf("volumes left: %v", vols.Volumes)
		}
	})
}

// TestAQEMUThatCannotStartEndsTheLaunch: the call has succeeded, so the instance itself says what went wrong.
func TestAQEMUThatCannotStartEndsTheLaunch(t *testing.T) {
	needReal(t)
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Fatal(err)
	}
	broken, err := os.MkdirTemp("/var/tmp", "sw") // where machines' own users can run it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(broken) })
	os.Chmod(broken, 0o755)
	script := "#!/bin/sh\ncase \"$*\" in *-name*) echo 'no machine today' >&2; exit 1;; esac\nexec " + qemu + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(broken, "qemu-system-x86_64"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", broken+":"+os.Getenv("PATH"))
	r := real(t)
	c := r.client()
	out, err := c.RunInstances(t.Context(),
		&ec2.RunInstancesInput{
			ImageId: aws.String(r.image()), InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1),
			MaxCount: aws.Int32(1),
		})
	if err != nil {
		t.Fatal(err)
	}
	in := r.waitState(c, *out.Instances[0].InstanceId, types.InstanceStateNameTerminated)
	if !strings.Contains(reason(in), "no machine today") || aws.ToString(in.StateReason.Code) != "Server.InternalError" {
		t.Errorf("its reason is %s: %q", aws.ToString(in.StateReason.Code), reason(in))
	}
	if len(in.NetworkInterfaces)+len(in.BlockDeviceMappings) != 0 {
		t.Errorf("it still holds %v %v", in.NetworkInterfaces, in.BlockDeviceMappings)
	}
}
