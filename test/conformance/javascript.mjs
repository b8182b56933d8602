// The JavaScript client's waiters and paginators, each along what it is for. A failure is an exception.
import * as ec2 from "@aws-sdk/client-ec2";
import assert from "node:assert";

const client = new ec2.EC2Client({ endpoint: process.env.ENDPOINT, region: "us-east-1" });
const call = (action, input = {}) => client.send(new ec2[action + "Command"](input));
const until = async (what, input) => {
  const { state } = await ec2["waitUntil" + what]({ client, maxWaitTime: 120, minDelay: 1, maxDelay: 1 }, input);
  assert.equal(state, "SUCCESS", what);
};
const pages = async (action, input, pageSize) => {
  const all = [];
  for await (const page of ec2["paginate" + action]({ client, pageSize }, input)) all.push(page);
  return all;
};

// Networks.
await call("CreateKeyPair", { KeyName: "js" });
await until("KeyPairExists", { KeyNames: ["js"] });
const VpcId = (await call("CreateVpc", { CidrBlock: "10.7.0.0/16" })).Vpc.VpcId;
await until("VpcExists", { VpcIds: [VpcId] });
await until("VpcAvailable", { VpcIds: [VpcId] });
const SubnetId = (await call("CreateSubnet", { VpcId, CidrBlock: "10.7.1.0/24" })).Subnet.SubnetId;
await until("SubnetAvailable", { SubnetIds: [SubnetId] });
const InternetGatewayId = (await call("CreateInternetGateway")).InternetGateway.InternetGatewayId;
await until("InternetGatewayExists", { InternetGatewayIds: [InternetGatewayId] });
await call("AttachInternetGateway", { InternetGatewayId, VpcId });
const NetworkInterfaceId = (await call("CreateNetworkInterface", { SubnetId })).NetworkInterface.NetworkInterfaceId;
await until("NetworkInterfaceAvailable", { NetworkInterfaceIds: [NetworkInterfaceId] });
const { AllocationId } = await call("AllocateAddress");
const NatGatewayId = (await call("CreateNatGateway", { SubnetId, AllocationId })).NatGateway.NatGatewayId;
await until("NatGatewayAvailable", { NatGatewayIds: [NatGatewayId] });
await call("DeleteNatGateway", { NatGatewayId });
await until("NatGatewayDeleted", { NatGatewayIds: [NatGatewayId] });
const PeerVpcId = (await call("CreateVpc", { CidrBlock: "10.8.0.0/16" })).Vpc.VpcId;
const { VpcPeeringConnectionId } = (await call("CreateVpcPeeringConnection", { VpcId, PeerVpcId })).VpcPeeringConnection;
await until("VpcPeeringConnectionExists", { VpcPeeringConnectionIds: [VpcPeeringConnectionId] });
await call("DeleteVpcPeeringConnection", { VpcPeeringConnectionId });
await until("VpcPeeringConnectionDeleted", { VpcPeeringConnectionIds: [VpcPeeringConnectionId] });

// An instance, from its launch to its end.
const [launched] = (await call("RunInstances", { ImageId: process.env.IMAGE, InstanceType: "t3.nano", MinCount: 1, MaxCount: 1 })).Instances;
const InstanceId = launched.InstanceId, InstanceIds = [InstanceId];
await until("InstanceExists", { InstanceIds });
await until("InstanceRunning", { InstanceIds });
await until("InstanceStatusOk", { InstanceIds });
await until("SystemStatusOk", { InstanceIds });
const { VolumeId } = await call("CreateVolume", { Size: 1, AvailabilityZone: launched.Placement.AvailabilityZone });
await until("VolumeAvailable", { VolumeIds: [VolumeId] });
await call("AttachVolume", { VolumeId, InstanceId, Device: "/dev/sdf" });
await until("VolumeInUse", { VolumeIds: [VolumeId] });
await call("StopInstances", { InstanceIds });
await until("InstanceStopped", { InstanceIds });
await call("DetachVolume", { VolumeId });
await until("VolumeAvailable", { VolumeIds: [VolumeId] });
const { SnapshotId } = await call("CreateSnapshot", { VolumeId });
await until("SnapshotCompleted", { SnapshotIds: [SnapshotId] });
await call("DeleteVolume", { VolumeId });
await until("VolumeDeleted", { VolumeIds: [VolumeId] });
const { ImageId } = await call("CreateImage", { InstanceId, Name: "js-made" });
await until("ImageExists", { ImageIds: [ImageId] });
await until("ImageAvailable", { ImageIds: [ImageId] });

// Pages: of what was made for it, every thing once, in as many pages as it takes.
const groups = [];
for (let i = 0; i < 11; i++) groups.push((await call("CreateSecurityGroup", { GroupName: "js" + i, Description: "js", VpcId })).GroupId);
await until("SecurityGroupExists", { GroupIds: groups });
const found = await pages("DescribeSecurityGroups", { Filters: [{ Name: "group-name", Values: ["js*"] }] }, 5);
assert.deepEqual(found.map((p) => p.SecurityGroups.length), [5, 5, 1]);
assert.deepEqual(found.flatMap((p) => p.SecurityGroups.map((g) => g.GroupId)).sort(), groups.sort());
const types = (await pages("DescribeInstanceTypes", {}, 5)).flatMap((p) => p.InstanceTypes.map((t) => t.InstanceType));
assert.equal(new Set(types).size, types.length);
assert.deepEqual(types.sort(), (await call("DescribeInstanceTypes")).InstanceTypes.map((t) => t.InstanceType).sort());

// Every other Describe that the client pages.
const needed = { DescribeLaunchTemplateVersions: { Versions: ["$Latest"] }, DescribeStaleSecurityGroups: { VpcId } };
const served = [], not = [];
for (const name of Object.keys(ec2).filter((n) => n.startsWith("paginateDescribe")).sort()) {
  const action = name.slice("paginate".length);
  try {
    await pages(action, needed[action] ?? {}, 10);
    served.push(action);
  } catch (e) {
    if (!/^The action \w+ is not supported: /.test(e.message)) throw new Error(action + ": " + e.name + ": " + e.message);
    not.push(action);
  }
}
await call("TerminateInstances", { InstanceIds });
await until("InstanceTerminated", { InstanceIds });
console.log("paged " + served.join(" "));
console.log("not served " + not.join(" "));
