package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/vishvananda/netns"
	"golang.org/x/crypto/ssh"
)

// site is a VPC of one's own, made by the calls that Terraform makes.
type site struct {
	r          *run
	c          *ec2.Client
	vpc, group string
	main       string
}

// must ends the test on an error.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newSite(r *run, c *ec2.Client, cidr string) *site {
	t, ctx := r.t, r.t.Context()
	t.Helper()
	s := &site{r: r, c: c}
	s.vpc = *must[*ec2.CreateVpcOutput](t)(c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: &cidr})).Vpc.VpcId
	of := []types.Filter{{Name: aws.String("vpc-id"), Values: []string{s.vpc}}}
	s.group = *must[*ec2.DescribeSecurityGroupsOutput](t)(c.DescribeSecurityGroups(ctx,
		&ec2.DescribeSecurityGroupsInput{Filters: of})).SecurityGroups[0].GroupId
	s.main = *must[*ec2.DescribeRouteTablesOutput](t)(c.DescribeRouteTables(ctx,
		&ec2.DescribeRouteTablesInput{Filters: of})).RouteTables[0].RouteTableId
	must[*ec2.AuthorizeSecurityGroupIngressOutput](t)(c.AuthorizeSecurityGroupIngress(ctx,
		&ec2.AuthorizeSecurityGroupIngressInput{GroupId: &s.group, IpPermissions: []types.IpPermission{
			{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(22),
				IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}},
			{IpProtocol: aws.String("icmp"), FromPort: aws.Int32(-1), ToPort: aws.Int32(-1),
				IpRanges: []types.IpRange{{CidrIp: aws.String("10.0.0.0/8")}}},
		}}))
	return s
}

func (s *site) subnet(cidr string) string {
	s.r.t.Helper()
	return *must[*ec2.CreateSubnetOutput](s.r.t)(s.c.CreateSubnet(s.r.t.Context(),
		&ec2.CreateSubnetInput{VpcId: &s.vpc, CidrBlock: &cidr, AvailabilityZone: aws.String("us-east-1a")})).Subnet.SubnetId
}

// online gives a route table a way to an internet gateway.
func (s *site) online(table string) {
	t, ctx := s.r.t, s.r.t.Context()
	t.Helper()
	gateway := must[*ec2.CreateInternetGatewayOutput](t)(s.c.CreateInternetGateway(ctx,
		&ec2.CreateInternetGatewayInput{})).InternetGateway.InternetGatewayId
	must[*ec2.AttachInternetGatewayOutput](t)(s.c.AttachInternetGateway(ctx,
		&ec2.AttachInternetGatewayInput{InternetGatewayId: gateway, VpcId: &s.vpc}))
	must[*ec2.CreateRouteOutput](t)(s.c.CreateRoute(ctx,
		&ec2.CreateRouteInput{RouteTableId: &table, DestinationCidrBlock: aws.String("0.0.0.0/0"), GatewayId: gateway}))
}

func (s *site) launch(subnet string) types.Instance {
	s.r.t.Helper()
	out := must[*ec2.RunInstancesOutput](s.r.t)(s.c.RunInstances(s.r.t.Context(), &ec2.RunInstancesInput{
		ImageId: aws.String(s.r.image()), InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1),
		MaxCount: aws.Int32(1), KeyName: aws.String("test"), SubnetId: &subnet,
	}))
	return out.Instances[0]
}

func (s *site) address() *ec2.AllocateAddressOutput {
	s.r.t.Helper()
	return must[*ec2.AllocateAddressOutput](s.r.t)(s.c.AllocateAddress(s.r.t.Context(),
		&ec2.AllocateAddressInput{Domain: types.DomainTypeVpc}))
}

func (s *site) associate(a *ec2.AllocateAddressOutput, instance *string) {
	s.r.t.Helper()
	must[*ec2.AssociateAddressOutput](s.r.t)(s.c.AssociateAddress(s.r.t.Context(),
		&ec2.AssociateAddressInput{AllocationId: a.AllocationId, InstanceId: instance}))
}

// try is sh for a command that may fail.
func try(c *ssh.Client, command string) (string, error) {
	s, err := c.NewSession()
	if err != nil {
		return "", err
	}
	defer s.Close()
	out, err := s.CombinedOutput(command)
	return strings.TrimSpace(string(out)), err
}

// TestNetworksOfOnesOwn: an elastic address leads into a VPC and moves to another guest, a network ACL closes a port, a card
// plugged into a running guest works.
func TestNetworksOfOnesOwn(t *testing.T) {
	r := real(t)
	c := r.client()
	ctx := t.Context()
	key := r.key(c)
	s := newSite(r, c, "10.0.0.0/16")
	left, right := s.subnet("10.0.1.0/24"), s.subnet("10.0.2.0/24")
	s.online(s.main)
	one, two := s.launch(left), s.launch(right)
	for _, in := range []types.Instance{one, two} {
		if got := r.waitState(c, *in.InstanceId, types.InstanceStateNameRunning); got.PublicIpAddress != nil {
			t.Errorf("%s has the address %s, which its subnet does not give", *in.InstanceId, *got.PublicIpAddress)
		}
	}
	moving, staying := s.address(), s.address()
	s.associate(moving, one.InstanceId)
	who := func(a *ec2.AllocateAddressOutput) string {
		return sh(t, dial(t, *a.PublicIp, key), "wget -qO- http://169.254.169.254/latest/meta-data/instance-id")
	}
	if got := who(moving); got != *one.InstanceId {
		t.Errorf("behind the elastic address sits %s, want %s", got, *one.InstanceId)
	}
	s.associate(moving, two.InstanceId)
	s.associate(staying, one.InstanceId)
	eventually(t, 20*time.Second, func() error {
		if got := who(moving); got != *two.InstanceId {
			return fmt.Errorf("moved, the address still leads to %s, want %s", got, *two.InstanceId)
		}
		return nil
	})
	if got := who(staying); got != *one.InstanceId {
		t.Errorf("behind the other address sits %s, want %s", got, *one.InstanceId)
	}

	guest, neighbour := dial(t, *moving.PublicIp, key), dial(t, *staying.PublicIp, key)
	eni := must[*ec2.CreateNetworkInterfaceOutput](t)(c.CreateNetworkInterface(ctx,
		&ec2.CreateNetworkInterfaceInput{SubnetId: &left})).NetworkInterface
	attached := must[*ec2.AttachNetworkInterfaceOutput](t)(c.AttachNetworkInterface(ctx,
		&ec2.AttachNetworkInterfaceInput{
			NetworkInterfaceId: eni.NetworkInterfaceId, InstanceId: two.InstanceId, DeviceIndex: aws.Int32(1),
		}))
	eventually(t, 30*time.Second, func() error {
		got, err := try(guest, "ip -4 addr show dev eth1")
		if err != nil || !strings.Contains(got, *eni.PrivateIpAddress) {
			return fmt.Errorf("the guest's second card: %v %q, want the address %s", err, got, *eni.PrivateIpAddress)
		}
		return nil
	})
	if got := sh(t, guest, "cat /sys/class/net/eth1/address"); got != *eni.MacAddress {
		t.Errorf("the second card is %s, want %s", got, *eni.MacAddress)
	}
	eventually(t, 20*time.Second, func() error {
		got, err := try(neighbour, "ping -c 1 -W 2 "+*eni.PrivateIpAddress)
		if err != nil {
			return fmt.Errorf("the second card does not answer its subnet: %v %s", err, got)
		}
		return nil
	})
	must[*ec2.DetachNetworkInterfaceOutput](t)(c.DetachNetworkInterface(ctx,
		&ec2.DetachNetworkInterfaceInput{AttachmentId: attached.AttachmentId}))
	eventually(t, 60*time.Second, func() error {
		out, err := c.DescribeNetworkInterfaces(ctx,
			&ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{*eni.NetworkInterfaceId}})
		if err != nil {
			return err
		}
		if n := out.NetworkInterfaces[0]; n.Status != types.NetworkInterfaceStatusAvailable || n.Attachment != nil {
			return fmt.Errorf("detached, the interface is %s", n.Status)
		}
		return nil
	})
	if got := sh(t, guest, "test -e /sys/class/net/eth1 && echo there || echo gone"); got != "gone" {
		t.Errorf("the detached card is still %s", got)
	}

	acls := must[*ec2.DescribeNetworkAclsOutput](t)(c.DescribeNetworkAcls(ctx,
		&ec2.DescribeNetworkAclsInput{Filters: []types.Filter{{Name: aws.String("vpc-id"), Values: []string{s.vpc}}}}))
	entry := &ec2.CreateNetworkAclEntryInput{
		NetworkAclId: acls.NetworkAcls[0].NetworkAclId, RuleNumber: aws.Int32(50), Protocol: aws.String("6"),
		RuleAction: types.RuleActionDeny, Egress: aws.Bool(false),
		CidrBlock: aws.String("0.0.0.0/0"), PortRange: &types.PortRange{From: aws.Int32(22), To: aws.Int32(22)},
	}
	reaches := func(want bool) {
		t.Helper()
		eventually(t, 20*time.Second, func() error {
			conn, err := net.DialTimeout("tcp", *moving.PublicIp+":22", time.Second)
			if err == nil {
				conn.Close()
			}
			if (err == nil) != want {
				return fmt.Errorf("port 22 of the guest: %v, want it open: %t", err, want)
			}
			return nil
		})
	}
	reaches(true)
	must[*ec2.CreateNetworkAclEntryOutput](t)(c.CreateNetworkAclEntry(ctx, entry))
	reaches(false)
	must[*ec2.DeleteNetworkAclEntryOutput](t)(c.DeleteNetworkAclEntry(ctx,
		&ec2.DeleteNetworkAclEntryInput{NetworkAclId: entry.NetworkAclId, RuleNumber: entry.RuleNumber, Egress: entry.Egress}))
	reaches(true)
}

// outside is a network beyond the host, of the test's own: a namespace with a server that greets on port 80.
func outside(t *testing.T) (server string) {
	t.Helper()
	name := fmt.Sprintf("swout%d", os.Getpid())
	command := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
	}
	command("netns", "add", name)
	t.Cleanup(func() { command("netns", "del", name) })
	host := name[:min(14, len(name))] + "h"
	command("link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", name)
	command("addr", "add", "203.0.113.1/24", "dev", host)
	command("link", "set", host, "up")
	command("-n", name, "addr", "add", "203.0.113.2/24", "dev", "eth0")
	command("-n", name, "link", "set", "eth0", "up")
	listening := make(chan error, 1)
	var l net.Listener
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		ns, err := netns.GetFromName(name)
		if err == nil {
			err = netns.Set(ns)
			ns.Close()
		}
		if err == nil {
			l, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", "203.0.113.2:80")
		}
		listening <- err
	}()
	if err := <-listening; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(conn, "hello")
			conn.Close()
		}
	}()
	return "203.0.113.2"
}

// TestGatewaysAndPeerings: a private subnet reaches out through a NAT gateway and by nothing else; a VPC answers while it is
// peered, neither before nor after.
func TestGatewaysAndPeerings(t *testing.T) {
	r := real(t)
	c := r.client()
	ctx := t.Context()
	key := r.key(c)
	server := outside(t)
	s, far := newSite(r, c, "10.1.0.0/16"), newSite(r, c, "10.2.0.0/16")
	public, private := s.subnet("10.1.1.0/24"), s.subnet("10.1.2.0/24")
	table := must[*ec2.CreateRouteTableOutput](t)(c.CreateRouteTable(ctx,
		&ec2.CreateRouteTableInput{VpcId: &s.vpc})).RouteTable.RouteTableId
	must[*ec2.AssociateRouteTableOutput](t)(c.AssociateRouteTable(ctx,
		&ec2.AssociateRouteTableInput{RouteTableId: table, SubnetId: &public}))
	s.online(*table)
	door, inner, peer := s.launch(public), s.launch(private), far.launch(far.subnet("10.2.1.0/24"))
	for _, in := range []types.Instance{door, inner, peer} {
		r.waitState(c, *in.InstanceId, types.InstanceStateNameRunning)
	}
	a := s.address()
	s.associate(a, door.InstanceId)
	guest := through(t, dial(t, *a.PublicIp, key), *inner.PrivateIpAddress, key)

	fetch := func(want bool, when string) {
		t.Helper()
		eventually(t, 30*time.Second, func() error {
			got, err := try(guest, "nc -w 2 "+server+" 80 </dev/null 2>/dev/null | head -n 1; echo end")
			if err != nil || got != "end" && got != "hello\nend" || (got != "end") != want {
				return fmt.Errorf("%s the private guest gets %q, %v; want an answer: %t", when, got, err, want)
			}
			return nil
		})
	}
	fetch(false, "without a route")
	nat := must[*ec2.CreateNatGatewayOutput](t)(c.CreateNatGateway(ctx,
		&ec2.CreateNatGatewayInput{SubnetId: &public, AllocationId: s.address().AllocationId})).NatGateway.NatGatewayId
	must[*ec2.CreateRouteOutput](t)(c.CreateRoute(ctx,
		&ec2.CreateRouteInput{RouteTableId: &s.main, DestinationCidrBlock: aws.String("0.0.0.0/0"), NatGatewayId: nat}))
	fetch(true, "through the NAT gateway")
	must[*ec2.DeleteNatGatewayOutput](t)(c.DeleteNatGateway(ctx, &ec2.DeleteNatGatewayInput{NatGatewayId: nat}))
	fetch(false, "without the gateway")

	ping := func(want bool, when string) {
		t.Helper()
		eventually(t, 30*time.Second, func() error {
			got, err := try(guest, "ping -c 1 -W 2 "+*peer.PrivateIpAddress)
			if (err == nil) != want {
				return fmt.Errorf("%s: %v %s; want an answer: %t", when, err, got, want)
			}
			return nil
		})
	}
	peering := must[*ec2.CreateVpcPeeringConnectionOutput](t)(c.CreateVpcPeeringConnection(ctx,
		&ec2.CreateVpcPeeringConnectionInput{VpcId: &s.vpc, PeerVpcId: &far.vpc})).VpcPeeringConnection.VpcPeeringConnectionId
	must[*ec2.CreateRouteOutput](t)(c.CreateRoute(ctx,
		&ec2.CreateRouteInput{
			RouteTableId: &s.main, DestinationCidrBlock: aws.String("10.2.0.0/16"), VpcPeeringConnectionId: peering,
		}))
	must[*ec2.CreateRouteOutput](t)(c.CreateRoute(ctx,
		&ec2.CreateRouteInput{
			RouteTableId: &far.main, DestinationCidrBlock: aws.String("10.1.0.0/16"), VpcPeeringConnectionId: peering,
		}))
	ping(false, "asked for and not accepted")
	must[*ec2.AcceptVpcPeeringConnectionOutput](t)(c.AcceptVpcPeeringConnection(ctx,
		&ec2.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: peering}))
	ping(true, "peered")

	// A name of the far VPC's stands for a private address, once that VPC lets it.
	must[*ec2.ModifyVpcAttributeOutput](t)(c.ModifyVpcAttribute(ctx,
		&ec2.ModifyVpcAttributeInput{VpcId: &far.vpc, EnableDnsHostnames: &types.AttributeBooleanValue{Value: aws.Bool(true)}}))
	far.online(far.main)
	far.associate(far.address(), peer.InstanceId)
	name := *must[*ec2.DescribeInstancesOutput](t)(c.DescribeInstances(ctx,
		&ec2.DescribeInstancesInput{InstanceIds: []string{*peer.InstanceId}})).Reservations[0].Instances[0].PublicDnsName
	if got, err := try(guest, "ping -c 1 -W 2 "+name); err == nil {
		t.Errorf("the name %s leads through the peering unasked: %s", name, got)
	}
	must[*ec2.ModifyVpcPeeringConnectionOptionsOutput](t)(c.ModifyVpcPeeringConnectionOptions(ctx,
		&ec2.ModifyVpcPeeringConnectionOptionsInput{
			VpcPeeringConnectionId: peering,
			AccepterPeeringConnectionOptions: &types.PeeringConnectionOptionsRequest{
				AllowDnsResolutionFromRemoteVpc: aws.Bool(true),
			},
		}))
	eventually(t, 30*time.Second, func() error {
		if got, err := try(guest, "ping -c 1 -W 2 "+name); err != nil || !strings.Contains(got, *peer.PrivateIpAddress) {
			return fmt.Errorf("the name %s does not lead to %s: %v %s", name, *peer.PrivateIpAddress, err, got)
		}
		return nil
	})
	must[*ec2.DeleteVpcPeeringConnectionOutput](t)(c.DeleteVpcPeeringConnection(ctx,
		&ec2.DeleteVpcPeeringConnectionInput{VpcPeeringConnectionId: peering}))
	ping(false, "no longer peered")
}

// through logs in to a guest by way of another.
func through(t *testing.T, by *ssh.Client, ip string, key ssh.Signer) *ssh.Client {
	t.Helper()
	var c *ssh.Client
	eventually(t, 90*time.Second, func() error {
		conn, err := by.Dial("tcp", ip+":22")
		if err != nil {
			return err
		}
		cc, chans, reqs, err := ssh.NewClientConn(conn, ip,
			&ssh.ClientConfig{
				User: "admin", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
			})
		if err != nil {
			conn.Close()
			return err
		}
		c = ssh.NewClient(cc, chans, reqs)
		return nil
	})
	t.Cleanup(func() { c.Close() })
	return c
}
