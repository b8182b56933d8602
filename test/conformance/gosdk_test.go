package conformance

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// TestGoWaiters has every waiter of aws-sdk-go-v2 that is about what slipway serves see what it waits for come to be.
func TestGoWaiters(t *testing.T) {
	s := serve(t)
	v, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "github.com/aws/aws-sdk-go-v2/service/ec2").Output()
	if err != nil {
		t.Fatal(err)
	}
	s.record("aws-sdk-go-v2 waiters", "service/ec2 "+strings.TrimSpace(string(v)),
		"every waiter about what slipway serves, along two launches, their volumes, snapshots, images and networks")
	c, ctx := s.client(), t.Context()
	image := *s.image(c, "amazon", "tiny-*").ImageId
	waited := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	const limit, often = 2 * time.Minute, time.Second

	_, err = c.CreateKeyPair(ctx, &ec2.CreateKeyPairInput{KeyName: aws.String("go")})
	waited("CreateKeyPair", err)
	waited("KeyPairExists",
		ec2.NewKeyPairExistsWaiter(c).Wait(ctx, &ec2.DescribeKeyPairsInput{KeyNames: []string{"go"}}, limit))
	vpc, err := c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.7.0.0/16")})
	waited("CreateVpc", err)
	waited("VpcExists", ec2.NewVpcExistsWaiter(c).Wait(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{*vpc.Vpc.VpcId}}, limit))
	waited("VpcAvailable",
		ec2.NewVpcAvailableWaiter(c, func(o *ec2.VpcAvailableWaiterOptions) { o.MinDelay, o.MaxDelay = often, often }).
			Wait(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{*vpc.Vpc.VpcId}}, limit))
	subnet, err := c.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String("10.7.1.0/24")})
	waited("CreateSubnet", err)
	waited("SubnetAvailable",
		ec2.NewSubnetAvailableWaiter(c, func(o *ec2.SubnetAvailableWaiterOptions) { o.MinDelay, o.MaxDelay = often, often }).
			Wait(ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{*subnet.Subnet.SubnetId}}, limit))
	igw, err := c.CreateInternetGateway(ctx, &ec2.CreateInternetGatewayInput{})
	waited("CreateInternetGateway", err)
	waited("InternetGatewayExists",
		ec2.NewInternetGatewayExistsWaiter(c).Wait(ctx,
			&ec2.DescribeInternetGatewaysInput{InternetGatewayIds: []string{*igw.InternetGateway.InternetGatewayId}}, limit))
	_, err = c.AttachInternetGateway(ctx,
		&ec2.AttachInternetGatewayInput{InternetGatewayId: igw.InternetGateway.InternetGatewayId, VpcId: vpc.Vpc.VpcId})
	waited("AttachInternetGateway", err)
	group, err := c.CreateSecurityGroup(ctx,
		&ec2.CreateSecurityGroupInput{GroupName: aws.String("go"), Description: aws.String("go"), VpcId: vpc.Vpc.VpcId})
	waited("CreateSecurityGroup", err)
	waited("SecurityGroupExists",
		ec2.NewSecurityGroupExistsWaiter(c).Wait(ctx,
			&ec2.DescribeSecurityGroupsInput{GroupIds: []string{*group.GroupId}}, limit))
	eni, err := c.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: subnet.Subnet.SubnetId})
	waited("CreateNetworkInterface", err)
	waited("NetworkInterfaceAvailable",
		ec2.NewNetworkInterfaceAvailableWaiter(c, func(o *ec2.NetworkInterfaceAvailableWaiterOptions) {
			o.MinDelay, o.MaxDelay = often, often
		}).
			Wait(ctx,
				&ec2.DescribeNetworkInterfacesInput{
					NetworkInterfaceIds: []string{*eni.NetworkInterface.NetworkInterfaceId},
				}, limit))
	eip, err := c.AllocateAddress(ctx, &ec2.AllocateAddressInput{})
	waited("AllocateAddress", err)
	nat, err := c.CreateNatGateway(ctx,
		&ec2.CreateNatGatewayInput{SubnetId: subnet.Subnet.SubnetId, AllocationId: eip.AllocationId})
	waited("CreateNatGateway", err)
	nats := &ec2.DescribeNatGatewaysInput{NatGatewayIds: []string{*nat.NatGateway.NatGatewayId}}
	waited("NatGatewayAvailable",
		ec2.NewNatGatewayAvailableWaiter(c, func(o *ec2.NatGatewayAvailableWaiterOptions) {
			o.MinDelay, o.MaxDelay = often, often
		}).Wait(ctx, nats, limit))
	_, err = c.DeleteNatGateway(ctx, &ec2.DeleteNatGatewayInput{NatGatewayId: nat.NatGateway.NatGatewayId})
	waited("DeleteNatGateway", err)
	waited("NatGatewayDeleted",
		ec2.NewNatGatewayDeletedWaiter(c, func(o *ec2.NatGatewayDeletedWaiterOptions) {
			o.MinDelay, o.MaxDelay = often, often
		}).Wait(ctx, nats, limit))
	other, err := c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.8.0.0/16")})
	waited("CreateVpc", err)
	peering, err := c.CreateVpcPeeringConnection(ctx,
		&ec2.CreateVpcPeeringConnectionInput{VpcId: vpc.Vpc.VpcId, PeerVpcId: other.Vpc.VpcId})
	waited("CreateVpcPeeringConnection", err)
	peerings := &ec2.DescribeVpcPeeringConnectionsInput{
		VpcPeeringConnectionIds: []string{*peering.VpcPeeringConnection.VpcPeeringConnectionId},
	}
	waited("VpcPeeringConnectionExists", ec2.NewVpcPeeringConnectionExistsWaiter(c).Wait(ctx, peerings, limit))
	_, err = c.DeleteVpcPeeringConnection(ctx,
		&ec2.DeleteVpcPeeringConnectionInput{VpcPeeringConnectionId: peering.VpcPeeringConnection.VpcPeeringConnectionId})
	waited("DeleteVpcPeeringConnection", err)
	waited("VpcPeeringConnectionDeleted",
		ec2.NewVpcPeeringConnectionDeletedWaiter(c, func(o *ec2.VpcPeeringConnectionDeletedWaiterOptions) {
			o.MinDelay, o.MaxDelay = often, often
		}).Wait(ctx, peerings, limit))

	made, err := c.RunInstances(ctx,
		&ec2.RunInstancesInput{
			ImageId: &image, InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
			KeyName: aws.String("go"),
		})
	waited("RunInstances", err)
	id := *made.Instances[0].InstanceId
	instances := &ec2.DescribeInstancesInput{InstanceIds: []string{id}}
	status := &ec2.DescribeInstanceStatusInput{InstanceIds: []string{id}}
	waited("InstanceExists", ec2.NewInstanceExistsWaiter(c).Wait(ctx, instances, limit))
	waited("InstanceRunning", ec2.NewInstanceRunningWaiter(c, quick).Wait(ctx, instances, limit))
	waited("InstanceStatusOk",
		ec2.NewInstanceStatusOkWaiter(c, func(o *ec2.InstanceStatusOkWaiterOptions) {
			o.MinDelay, o.MaxDelay = often, often
		}).Wait(ctx, status, limit))
	waited("SystemStatusOk",
		ec2.NewSystemStatusOkWaiter(c, func(o *ec2.SystemStatusOkWaiterOptions) {
			o.MinDelay, o.MaxDelay = often, often
		}).Wait(ctx, status, limit))

	volume, err := c.CreateVolume(ctx,
		&ec2.CreateVolumeInput{Size: aws.Int32(1), AvailabilityZone: made.Instances[0].Placement.AvailabilityZone})
	waited("CreateVolume", err)
	volumes := &ec2.DescribeVolumesInput{VolumeIds: []string{*volume.VolumeId}}
	available := ec2.NewVolumeAvailableWaiter(c, func(o *ec2.VolumeAvailableWaiterOptions) {
		o.MinDelay, o.MaxDelay = often, often
	})
	waited("VolumeAvailable", available.Wait(ctx, volumes, limit))
	_, err = c.AttachVolume(ctx,
		&ec2.AttachVolumeInput{VolumeId: volume.VolumeId, InstanceId: &id, Device: aws.String("/dev/sdf")})
	waited("AttachVolume", err)
	waited("VolumeInUse",
		ec2.NewVolumeInUseWaiter(c, func(o *ec2.VolumeInUseWaiterOptions) {
			o.MinDelay, o.MaxDelay = often, often
		}).Wait(ctx, volumes, limit))
	eventually(t, limit, func() error {
		_, err := c.DetachVolume(ctx, &ec2.DetachVolumeInput{VolumeId: volume.VolumeId})
		return err
	})
	waited("VolumeAvailable", available.Wait(ctx, volumes, limit))
	snapshot, err := c.CreateSnapshot(ctx, &ec2.CreateSnapshotInput{VolumeId: volume.VolumeId})
	waited("CreateSnapshot", err)
	waited("SnapshotCompleted",
		ec2.NewSnapshotCompletedWaiter(c, func(o *ec2.SnapshotCompletedWaiterOptions) {
			o.MinDelay, o.MaxDelay = often, often
		}).
			Wait(ctx, &ec2.DescribeSnapshotsInput{SnapshotIds: []string{*snapshot.SnapshotId}}, limit))
	_, err = c.DeleteVolume(ctx, &ec2.DeleteVolumeInput{VolumeId: volume.VolumeId})
	waited("DeleteVolume", err)
	waited("VolumeDeleted",
		ec2.NewVolumeDeletedWaiter(c, func(o *ec2.VolumeDeletedWaiterOptions) {
			o.MinDelay, o.MaxDelay = often, often
		}).Wait(ctx, volumes, limit))

	_, err = c.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}})
	waited("StopInstances", err)
	waited("InstanceStopped",
		ec2.NewInstanceStoppedWaiter(c, func(o *ec2.InstanceStoppedWaiterOptions) {
			o.MinDelay, o.MaxDelay = often, often
		}).Wait(ctx, instances, limit))
	ami, err := c.CreateImage(ctx, &ec2.CreateImageInput{InstanceId: &id, Name: aws.String("go-made")})
	waited("CreateImage", err)
	images := &ec2.DescribeImagesInput{ImageIds: []string{*ami.ImageId}}
	waited("ImageExists", ec2.NewImageExistsWaiter(c).Wait(ctx, images, limit))
	waited("ImageAvailable",
		ec2.NewImageAvailableWaiter(c, func(o *ec2.ImageAvailableWaiterOptions) {
			o.MinDelay, o.MaxDelay = often, often
		}).Wait(ctx, images, limit))
	_, err = c.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}})
	waited("TerminateInstances", err)
	waited("InstanceTerminated",
		ec2.NewInstanceTerminatedWaiter(c, func(o *ec2.InstanceTerminatedWaiterOptions) {
			o.MinDelay, o.MaxDelay = often, often
		}).Wait(ctx, instances, limit))

	spot, err := c.RequestSpotInstances(ctx,
		&ec2.RequestSpotInstancesInput{
			LaunchSpecification: &types.RequestSpotLaunchSpecification{
				ImageId: ami.ImageId, InstanceType: types.InstanceTypeT3Nano,
			},
		})
	waited("RequestSpotInstances", err)
	waited("SpotInstanceRequestFulfilled",
		ec2.NewSpotInstanceRequestFulfilledWaiter(c, func(o *ec2.SpotInstanceRequestFulfilledWaiterOptions) {
			o.MinDelay, o.MaxDelay = often, often
		}).
			Wait(ctx,
				&ec2.DescribeSpotInstanceRequestsInput{
					SpotInstanceRequestIds: []string{*spot.SpotInstanceRequests[0].SpotInstanceRequestId},
				}, limit))
}
