package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// TestNetworksAreReal: groups decide who reaches whom, and two accounts' VPCs with the same addresses do not meet.
func TestNetworksAreReal(t *testing.T) {
	r := real(t)
	c := r.client()
	ctx := t.Context()
	key := r.key(c)
	r.openSSH(c)
	web, err := c.CreateSecurityGroup(ctx,
		&ec2.CreateSecurityGroupInput{GroupName: aws.String("web"), Description: aws.String("web")})
	if err != nil {
		t.Fatal(err)
	}
	def, err := c.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{GroupNames: []string{"default"}})
	if err != nil {
		t.Fatal(err)
	}
	launch := func(c *ec2.Client, group, ip string) types.Instance {
		in := &ec2.RunInstancesInput{
			ImageId: aws.String(r.image()), InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1),
			MaxCount: aws.Int32(1), KeyName: aws.String("test"),
			SecurityGroups: []string{group},
		}
		if ip != "" {
			in.PrivateIpAddress, in.Placement = aws.String(ip), &types.Placement{AvailabilityZone: aws.String("us-east-1a")}
		}
		out, err := c.RunInstances(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		return r.waitState(c, *out.Instances[0].InstanceId, types.InstanceStateNameRunning)
	}
	const same = "172.31.7.7"
	client := launch(c, "default", same)
	server := launch(c, "web", "")
	if *client.PrivateIpAddress != same {
		t.Errorf("the client has %s, asked for %s", *client.PrivateIpAddress, same)
	}
	from := dial(t, *client.PublicIpAddress, key)
	try := func() string {
		return sh(t, from, "nc -w 2 "+*server.PrivateIpAddress+" 22 </dev/null 2>/dev/null | head -c 4; echo")
	}
	if got := try(); got != "" {
		t.Fatalf("the server answers %q though its group lets nobody in", got)
	}
	allow := &ec2.AuthorizeSecurityGroupIngressInput{GroupId: web.GroupId, IpPermissions: []types.IpPermission{{
		IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(22),
		UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: def.SecurityGroups[0].GroupId}},
	}}}
	if _, err := c.AuthorizeSecurityGroupIngress(ctx, allow); err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, func() error {
		if got := try(); !strings.HasPrefix(got, "SSH") {
			return fmt.Errorf("members of the group that the rule names get %q", got)
		}
		return nil
	})
	// What a group does not let out does not leave.
	_, err = c.RevokeSecurityGroupEgress(ctx,
		&ec2.RevokeSecurityGroupEgressInput{GroupId: def.SecurityGroups[0].GroupId, IpPermissions: []types.IpPermission{{
			IpProtocol: aws.String("-1"), FromPort: aws.Int32(0), ToPort: aws.Int32(0),
			IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}},
		}}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, func() error {
		if got := try(); got != "" {
			return fmt.Errorf("without an egress rule the client still reaches %q", got)
		}
		return nil
	})

	t.Run("another account's VPC has the same addresses and is another network", func(t *testing.T) {
		bin, err := binary()
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(bin, "account", "create", "--state", r.state, "--json").Output()
		if err != nil {
			t.Fatal(err)
		}
		var other struct{ AccountID, AccessKeyID, SecretAccessKey string }
		if err := json.Unmarshal(out, &other); err != nil {
			t.Fatal(err)
		}
		c2 := r.clientOf(other.AccessKeyID, other.SecretAccessKey)
		key2 := r.key(c2)
		r.openSSH(c2)
		twin := launch(c2, "default", same)
		guest := dial(t, *twin.PublicIpAddress, key2)
		if got := sh(t, guest, "wget -qO- http://169.254.169.254/latest/meta-data/instance-id"); got != *twin.InstanceId {
			t.Errorf("at %s of the second account sits %s, want %s", same, got, *twin.InstanceId)
		}
		if got := sh(t, guest,
			"ping -c 1 -W 1 "+*server.PrivateIpAddress+" >/dev/null 2>&1 && echo reached || echo not"); got != "not" {
			t.Errorf("one account's guest reaches the other's")
		}
		_, err = c2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{*client.InstanceId}})
		if codeOf(err) != "InvalidInstanceID.NotFound" {
			t.Errorf("another account's instance: %s", codeOf(err))
		}
	})
}

// TestGuestsOutliveSlipway: killed at any moment, it finds its guests running, and their connections hold.
func TestGuestsOutliveSlipway(t *testing.T) {
	r := real(t)
	c := r.client()
	ctx := t.Context()
	key := r.key(c)
	r.openSSH(c)
	run := func(n int32) []types.Instance {
		out, err := c.RunInstances(ctx,
			&ec2.RunInstancesInput{
				ImageId: aws.String(r.image()), InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(n),
				MaxCount: aws.Int32(n), KeyName: aws.String("test"),
			})
		if err != nil {
			t.Fatal(err)
		}
		return out.Instances
	}
	first := r.waitState(c, *run(1)[0].InstanceId, types.InstanceStateNameRunning)
	guest := dial(t, *first.PublicIpAddress, key)
	boot := sh(t, guest, "cat /proc/sys/kernel/random/boot_id")
	second := run(1)[0] // half way when the power goes
	r.kill()
	if got := sh(t, guest, "cat /proc/sys/kernel/random/boot_id"); got != boot {
		t.Errorf("without slipway the ssh session sees boot %s, was %s", got, boot)
	}
	r.begin()
	c = r.client()
	for _, id := range []string{*first.InstanceId, *second.InstanceId} {
		r.waitState(c, id, types.InstanceStateNameRunning)
	}
	if got := sh(t, guest, "cat /proc/sys/kernel/random/boot_id"); got != boot {
		t.Errorf("taken over, the session sees boot %s, was %s", got, boot)
	}
	if got := sh(t, guest, "wget -qO- http://169.254.169.254/latest/meta-data/instance-id"); got != *first.InstanceId {
		t.Errorf("metadata after the restart says %q", got)
	}
	for _, id := range []string{*first.InstanceId, *second.InstanceId} {
		out, err := exec.Command("pgrep", "-f", "-c", "-- "+"guest="+id).CombinedOutput()
		if n := strings.TrimSpace(string(out)); err == nil && n != "1" {
			t.Errorf("%s processes run %s", n, id)
		}
	}
}

// TestClassicIsAFlatNetwork: an account with EC2-Classic gets a real instance without a VPC, at an address that all
// such accounts share a range of.
func TestClassicIsAFlatNetwork(t *testing.T) {
	r := real(t)
	out, err := exec.Command(r.cmd.Path, "account", "create", "--state", r.state, "--json", "--classic").Output()
	if err != nil {
		t.Fatal(err)
	}
	var keys struct{ AccountID, AccessKeyID, SecretAccessKey string }
	if err := json.Unmarshal(out, &keys); err != nil {
		t.Fatal(err)
	}
	c := r.clientOf(keys.AccessKeyID, keys.SecretAccessKey)
	key := r.key(c)
	if _, err := c.CreateSecurityGroup(t.Context(),
		&ec2.CreateSecurityGroupInput{GroupName: aws.String("ssh"), Description: aws.String("ssh")}); err != nil {
		t.Fatal(err)
	}
	_, err = c.AuthorizeSecurityGroupIngress(t.Context(),
		&ec2.AuthorizeSecurityGroupIngressInput{
			GroupName: aws.String("ssh"), IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(22),
			CidrIp: aws.String("0.0.0.0/0"),
		})
	if err != nil {
		t.Fatal(err)
	}
	made, err := c.RunInstances(t.Context(), &ec2.RunInstancesInput{
		ImageId: aws.String(r.image()), InstanceType: types.InstanceTypeT1Micro, MinCount: aws.Int32(1),
		MaxCount: aws.Int32(1), KeyName: aws.String("test"), SecurityGroups: []string{"ssh"},
	})
	if err != nil {
		t.Fatal(err)
	}
	in := r.waitState(c, *made.Instances[0].InstanceId, types.InstanceStateNameRunning)
	guest := dial(t, *in.PublicIpAddress, key)
	if got := sh(t, guest, "ip -4 addr show eth0"); !strings.Contains(got, *in.PrivateIpAddress+"/8") {
		t.Errorf("eth0 has not %s of 10.0.0.0/8: %s", *in.PrivateIpAddress, got)
	}
	if got := sh(t, guest, "cat /etc/resolv.conf"); !strings.Contains(got, "172.16.0.23") {
		t.Errorf("EC2-Classic's resolver is not named: %s", got)
	}
	if got := sh(t, guest, "nslookup "+*in.PrivateDnsName); !strings.Contains(got, *in.PrivateIpAddress) {
		t.Errorf("its resolver does not know %s: %s", *in.PrivateDnsName, got)
	}
	macs := "wget -qO- http://169.254.169.254/latest/meta-data/network/interfaces/macs/"
	if got := sh(t, guest, macs+"$("+macs+")"); strings.Contains(got, "vpc-id") || !strings.Contains(got, "local-ipv4s") {
		t.Errorf("the card's metadata are %q; cloud-init knows EC2-Classic by the absence of vpc-id", got)
	}
}

// TestIPv6: a guest gets its address by itself, reaches another in the VPC, and its metadata where the launch asked for that.
func TestIPv6(t *testing.T) {
	r := real(t)
	c := r.client()
	ctx := t.Context()
	key := r.key(c)
	r.openSSH(c)
	subnets, err := c.DescribeSubnets(ctx,
		&ec2.DescribeSubnetsInput{
			Filters: []types.Filter{{Name: aws.String("availability-zone"), Values: []string{"us-east-1a"}}},
		})
	if err != nil {
		t.Fatal(err)
	}
	sub := subnets.Subnets[0]
	ranges, err := c.AssociateVpcCidrBlock(ctx,
		&ec2.AssociateVpcCidrBlockInput{VpcId: sub.VpcId, AmazonProvidedIpv6CidrBlock: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	block := strings.TrimSuffix(*ranges.Ipv6CidrBlockAssociation.Ipv6CidrBlock, "/56") + "/64"
	if _, err := c.AssociateSubnetCidrBlock(ctx,
		&ec2.AssociateSubnetCidrBlockInput{SubnetId: sub.SubnetId, Ipv6CidrBlock: &block}); err != nil {
		t.Fatal(err)
	}
	out, err := c.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: aws.String(r.image()), InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(2),
		MaxCount: aws.Int32(2), KeyName: aws.String("test"),
		SubnetId: sub.SubnetId, Ipv6AddressCount: aws.Int32(1),
		MetadataOptions: &types.InstanceMetadataOptionsRequest{HttpProtocolIpv6: types.InstanceMetadataProtocolStateEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	a, b := r.waitState(c, *out.Instances[0].InstanceId, types.InstanceStateNameRunning),
		r.waitState(c, *out.Instances[1].InstanceId, types.InstanceStateNameRunning)
	guest := dial(t, *a.PublicIpAddress, key)
	dial(t, *b.PublicIpAddress, key).Close()
	eventually(t, 60*time.Second, func() error {
		if got := sh(t, guest, "ip -6 addr show eth0; ip -6 route"); !strings.Contains(got, *a.Ipv6Address) ||
			!strings.Contains(got, "default via fe80::1") {
			return fmt.Errorf("the guest has %s", got)
		}
		return nil
	})
	eventually(t, 60*time.Second, func() error {
		if got := sh(t, guest,
			"ping -6 -c 1 -W 2 "+*b.Ipv6Address+" >/dev/null 2>&1 && echo reached || echo not"); got != "reached" {
			return fmt.Errorf("its neighbour at %s is %s", *b.Ipv6Address, got)
		}
		return nil
	})
	if got := sh(t, guest,
		"printf 'GET /latest/meta-data/instance-id HTTP/1.0\\r\\n\\r\\n' | nc fd00:ec2::254 80 | tail -n 1"); got != *a.InstanceId {
		t.Errorf("metadata over IPv6 say %q", got)
	}
}
