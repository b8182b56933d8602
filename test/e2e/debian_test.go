package e2e

import (
	"encoding/base64"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// debianPatience is for a boot under emulation on a machine that has other work.
const debianPatience = 4 * time.Minute

// TestDebianGuest launches Debian 12 into the smallest memory it must do with and sees its own cloud-init, of which we set
// nothing, find EC2 here. It is the slowest test: measured on 2 cores without KVM, the first run makes the image in 55 s; then
// ssh answers after 35 to 56 s, cloud-init is done after 48 to 75 s, and the power button works in 4 to 8 s.
func TestDebianGuest(t *testing.T) {
	needReal(t)
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(bin, "image", "build", "debian-12").CombinedOutput(); err != nil {
		if _, missing := exec.LookPath("mmdebstrap"); missing != nil {
			t.Skipf("the image is made by mmdebstrap: `make test-deps` installs it: %s", out)
		}
		t.Fatalf("image build: %v: %s", err, out)
	}
	r := real(t)
	c := r.client()
	key := r.key(c)
	r.openSSH(c)
	ctx := t.Context()
	userData := "#!/bin/sh\necho \"$(id -un) $(cloud-id)\" >> /root/user-data-ran\n"
	made, err := c.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId:      aws.String("resolve:ssm:/aws/service/debian/release/12/latest/amd64"),
		InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), KeyName: aws.String("test"),
		UserData: aws.String(base64.StdEncoding.EncodeToString([]byte(userData))),
		MetadataOptions: &types.InstanceMetadataOptionsRequest{
			HttpTokens: types.HttpTokensStateRequired, InstanceMetadataTags: types.InstanceMetadataTagsStateEnabled,
		},
		TagSpecifications: []types.TagSpecification{
			{ResourceType: types.ResourceTypeInstance,
				Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("debian")}}},
		},
		BlockDeviceMappings: []types.BlockDeviceMapping{
			{DeviceName: aws.String("/dev/xvda"), Ebs: &types.EbsBlockDevice{VolumeSize: aws.Int32(5)}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	id := *made.Instances[0].InstanceId
	in := r.waitState(c, id, types.InstanceStateNameRunning)
	images, err := c.DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{*in.ImageId}})
	if err != nil {
		t.Fatal(err)
	}
	_, user, _ := strings.Cut(aws.ToString(images.Images[0].Description), "log in as ")
	if len(images.Images[0].Tags) > 0 {
		t.Errorf("the image has tags that nobody gave it: %v", images.Images[0].Tags)
	}
	began := time.Now()
	guest := login(t, user, aws.ToString(in.PublicIpAddress), key, debianPatience)
	t.Logf("ssh answers after %v", time.Since(began).Round(time.Second))

	if got := sh(t, guest, "cloud-init status --wait --long"); !strings.Contains(got, "status: done") ||
		!strings.Contains(got, "DataSourceEc2") {
		t.Errorf("cloud-init status = %s", got)
	}
	t.Logf("cloud-init is done after %v; %s", time.Since(began).Round(time.Second), sh(t, guest, "systemd-analyze time"))
	host, _, _ := strings.Cut(*in.PrivateDnsName, ".")
	for _, tt := range []struct{ name, command, want string }{
		{"cloud-init knows the cloud", "cloud-id", "aws"},
		{"it knows the instance", "cloud-init query instance_id", id},
		{"it read the metadata of a version that has tags", "sudo cloud-init query ds.meta_data.tags.instance.Name", "debian"},
		{"its settings are the distribution's", "dpkg --verify cloud-init; ls /etc/cloud/cloud.cfg.d",
			"05_logging.cfg\nREADME"},
		{"its warnings are none", "sudo grep WARNING /var/log/cloud-init.log; true", ""},
		{"the host name is the private one", "hostname", host},
		{"so is its full form", "hostname -f", *in.PrivateDnsName},
		{"user data ran, as root", "sudo cat /root/user-data-ran", "root aws"},
		{"the root fills the volume", "df -BM --output=size / | tail -n 1 | awk '{ print ($1 > 4700) }'", "1"},
		{"no service failed", "systemctl --failed --quiet --no-legend", ""},
		{"the serial port has a login", "systemctl is-active serial-getty@ttyS0", "active"},
		{"names are resolved", "getent hosts " + *in.PrivateDnsName + " | cut -d' ' -f1", *in.PrivateIpAddress},
		{"memory is left in 512 MiB", "free -m | awk '/^Mem/ { print ($7 > 200) }'", "1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := sh(t, guest, tt.command); got != tt.want {
				t.Errorf("%s = %q, want %q", tt.command, got, tt.want)
			}
		})
	}
	t.Run("asked to stop, it shuts down by itself", func(t *testing.T) {
		guest.Close()
		began := time.Now()
		if _, err := c.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}}); err != nil {
			t.Fatal(err)
		}
		r.waitState(c, id, types.InstanceStateNameStopped)
		t.Logf("stopped after %v", time.Since(began).Round(time.Second))
		out, err := c.GetConsoleOutput(ctx, &ec2.GetConsoleOutputInput{InstanceId: &id})
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := base64.StdEncoding.DecodeString(aws.ToString(out.Output)); !strings.Contains(string(text),
			"reboot: Power down") {
			t.Errorf("the console does not end with the guest's own power down: %q", text)
		}
	})
	r.stop()
	out, err := exec.Command(bin, "image", "list", "--state", r.state).Output()
	if err != nil || !strings.Contains(string(out), *in.ImageId) || !strings.Contains(string(out), "\t"+user+"\n") {
		t.Errorf("image list = %q, %v, want %s with user %s", out, err, *in.ImageId, user)
	}
}
