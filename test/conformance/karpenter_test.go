package conformance

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"maps"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"golang.org/x/crypto/ssh"
)

// What is built of Karpenter's world: the newest provider that this toolchain builds. A module that only its own tests
// use is not to be had in the version it names.
const (
	karpenterVersion = "v1.13.1"
	karpenterMetrics = "github.com/aws/aws-sdk-go-v2/service/timestreamwrite=github.com/aws/aws-sdk-go-v2/service/timestreamwrite@v1.35.25"
)

// TestKarpenter runs testdata/karpenter, which is Karpenter's AWS provider with its controllers, with no more rights
// than its documentation gives it: nodes on demand, for spot, out of a reservation and in a placement group must come
// to be and to go, and nothing may be left.
func TestKarpenter(t *testing.T) {
	slow(t)
	program := fromProxy(t, "github.com/aws/karpenter-provider-aws", karpenterVersion, "./testdata/karpenter",
		[]string{"mod", "edit", "-replace", karpenterMetrics})
	s := serve(t)
	s.record("Karpenter's AWS provider", strings.TrimPrefix(karpenterVersion, "v"),
		"its operator and controllers, bound by the policy of its documentation: instance types and prices, two "+
			"node classes made ready with their dry runs, "+
			"six nodes on demand, for spot, out of a capacity reservation and in a partition placement group, one "+
			"for which there is no capacity, tags, drift, termination, garbage collection: `test/conformance/testdata/karpenter`")
	c, ctx := s.client(), t.Context()
	image := s.image(c, "amazon", "tiny-*")
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	discovery := []types.Tag{{Key: aws.String("karpenter.sh/discovery"), Value: aws.String("conformance")}}
	subnets := map[string]string{}
	found, err := c.DescribeSubnets(ctx,
		&ec2.DescribeSubnetsInput{Filters: []types.Filter{{Name: aws.String("default-for-az"), Values: []string{"true"}}}})
	must("DescribeSubnets", err)
	for _, sn := range found.Subnets {
		subnets[*sn.AvailabilityZone] = *sn.SubnetId
	}
	_, err = c.CreateTags(ctx,
		&ec2.CreateTagsInput{Resources: []string{subnets["us-east-1a"], subnets["us-east-1b"]}, Tags: discovery})
	must("CreateTags", err)
	group, err := c.CreateSecurityGroup(ctx,
		&ec2.CreateSecurityGroupInput{GroupName: aws.String("nodes"), Description: aws.String("nodes"),
			TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeSecurityGroup, Tags: discovery}}})
	must("CreateSecurityGroup", err)
	_, err = c.AuthorizeSecurityGroupIngress(ctx,
		&ec2.AuthorizeSecurityGroupIngressInput{
			GroupId: group.GroupId, IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(22),
			CidrIp: aws.String("0.0.0.0/0"),
		})
	must("AuthorizeSecurityGroupIngress", err)
	reservation, err := c.CreateCapacityReservation(ctx, &ec2.CreateCapacityReservationInput{
		InstanceType: aws.String("t3.micro"), InstancePlatform: types.CapacityReservationInstancePlatformLinuxUnix,
		AvailabilityZone: aws.String("us-east-1a"),
		InstanceCount:    aws.Int32(1), InstanceMatchCriteria: types.InstanceMatchCriteriaTargeted,
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeCapacityReservation, Tags: discovery}}})
	must("CreateCapacityReservation", err)
	who := iam.New(iam.Options{
		Region: "us-east-1", BaseEndpoint: &s.endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(s.keys.AccessKeyID, s.keys.SecretAccessKey, ""),
	})
	_, err = who.CreateRole(ctx,
		&iam.CreateRoleInput{
			RoleName:                 aws.String("node"),
			AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`),
		})
	must("CreateRole", err)

	_, err = c.CreatePlacementGroup(ctx,
		&ec2.CreatePlacementGroupInput{
			GroupName: aws.String("dense"), Strategy: types.PlacementStrategyPartition, PartitionCount: aws.Int32(3),
		})
	must("CreatePlacementGroup", err)
	user := aws.String("karpenter")
	_, err = who.CreateUser(ctx, &iam.CreateUserInput{UserName: user})
	must("CreateUser", err)
	policy, err := who.CreatePolicy(ctx,
		&iam.CreatePolicyInput{
			PolicyName: user, PolicyDocument: aws.String(karpentersRights(t, s.keys.AccountID, "conformance", "node")),
		})
	must("CreatePolicy", err)
	_, err = who.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: user, PolicyArn: policy.Policy.Arn})
	must("AttachUserPolicy", err)
	key, err := who.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: user})
	must("CreateAccessKey", err)

	_, private, err := ed25519.GenerateKey(rand.Reader)
	must("GenerateKey", err)
	signer, err := ssh.NewSignerFromKey(private)
	must("NewSignerFromKey", err)
	cmd := exec.Command(program)
	cmd.Env = s.env("AWS_ACCESS_KEY_ID="+*key.AccessKey.AccessKeyId,
		"AWS_SECRET_ACCESS_KEY="+*key.AccessKey.SecretAccessKey, "CLUSTER_NAME=conformance",
		"CLUSTER_ENDPOINT=https://cluster.test", "CLUSTER_CA_BUNDLE=Y2EK", "LOG_LEVEL=debug", "LOG_OUTPUT_PATHS=stderr",
		"IMAGE="+*image.ImageId, "IMAGE_NAME="+*image.Name, "IMAGE_PARAMETER=/aws/service/slipway/tiny/latest",
		"ROOT_DEVICE="+*image.RootDeviceName,
		"SUBNET="+subnets["us-east-1c"], "GROUP_NAME=default", "ROLE=node", "PLACEMENT_GROUP=dense",
		"USER_DATA=#!/bin/sh\necho '"+strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))+
			"' >/root/.ssh/authorized_keys\nchmod 600 /root/.ssh/authorized_keys\n")
	var log strings.Builder
	cmd.Stderr = &log
	in, err := cmd.StdinPipe()
	must("StdinPipe", err)
	out, err := cmd.StdoutPipe()
	must("StdoutPipe", err)
	must("Start", cmd.Start())
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
		if t.Failed() {
			t.Logf("karpenter said:\n%s", log.String())
		}
	})
	var nodes []struct{ Claim, ID, Name, Type, Zone, CapacityType, Partition string }
	must("what karpenter has launched", json.NewDecoder(out).Decode(&nodes))
	kinds := map[string]string{}
	for _, n := range nodes {
		t.Logf("%s is %s, a %s in %s, %s", n.Claim, n.ID, n.Type, n.Zone, n.CapacityType)
		kinds[n.Claim] = n.CapacityType
		must(n.Claim,
			ec2.NewInstanceRunningWaiter(c, quick).Wait(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{n.ID}},
				time.Minute))
		got := instance(t, c, types.Filter{Name: aws.String("instance-id"), Values: []string{n.ID}})
		if string(got.InstanceType) != n.Type || *got.Placement.AvailabilityZone != n.Zone ||
			(got.InstanceLifecycle == types.InstanceLifecycleTypeSpot) != (n.CapacityType == "spot") {
			t.Errorf("%s is a %s in %s, lifecycle %q", n.Claim, got.InstanceType, *got.Placement.AvailabilityZone,
				got.InstanceLifecycle)
		}
		if partition := strconv.Itoa(int(aws.ToInt32(got.Placement.PartitionNumber))); n.Partition != "" &&
			n.Partition != partition || n.Claim == "placed" && partition != "2" {
			t.Errorf("%s is in partition %s and said to be in %q", n.Claim, partition, n.Partition)
		}
		if n.Partition != "" &&
			(len(got.NetworkInterfaces) != 2 || len(got.NetworkInterfaces[0].Ipv4Prefixes) != 1 ||
				len(got.NetworkInterfaces[1].Ipv4Prefixes) != 1) {
			t.Errorf("%s has %d interfaces, want two with a prefix each", n.Claim, len(got.NetworkInterfaces))
		}
		if got.InstanceLifecycle == types.InstanceLifecycleTypeSpot {
			asked, err := c.DescribeSpotInstanceRequests(ctx,
				&ec2.DescribeSpotInstanceRequestsInput{SpotInstanceRequestIds: []string{*got.SpotInstanceRequestId}})
			must("DescribeSpotInstanceRequests", err)
			if tags := tagsOf(asked.SpotInstanceRequests[0].Tags); tags["team"] != "blue" {
				t.Errorf("the spot request's tags are %v", tags)
			}
		}
		volumes, err := c.DescribeVolumes(ctx,
			&ec2.DescribeVolumesInput{
				Filters: []types.Filter{{Name: aws.String("attachment.instance-id"), Values: []string{n.ID}}},
			})
		must("DescribeVolumes", err)
		if v := volumes.Volumes; len(v) != 1 || *v[0].Size != 2 || !*v[0].Encrypted ||
			v[0].VolumeType != types.VolumeTypeGp3 || tagsOf(v[0].Tags)["team"] != "blue" {
			t.Errorf("%s has %d volumes, want an encrypted one of 2 GiB gp3 with the tags: %+v", n.Claim, len(v), v)
		}
		cards, err := c.DescribeNetworkInterfaces(ctx,
			&ec2.DescribeNetworkInterfacesInput{
				Filters: []types.Filter{
					{Name: aws.String("attachment.instance-id"), Values: []string{n.ID}},
					{Name: aws.String("tag:team"), Values: []string{"blue"}},
				},
			})
		must("DescribeNetworkInterfaces", err)
		if len(cards.NetworkInterfaces) != len(got.NetworkInterfaces) {
			t.Errorf("%d of the %d interfaces of %s have the tags", len(cards.NetworkInterfaces),
				len(got.NetworkInterfaces), n.Claim)
		}
		tags := tagsOf(got.Tags)
		for key, want := range map[string]string{
			"Name": n.Name, "karpenter.sh/nodeclaim": n.Claim, "kubernetes.io/cluster/conformance": "owned",
			"eks:eks-cluster-name": "conformance", "team": "blue",
		} {
			if tags[key] != want {
				t.Errorf("%s has the tag %s %q, want %q", n.Claim, key, tags[key], want)
			}
		}
	}
	if len(nodes) != 6 || kinds["demand"] != "on-demand" || kinds["any"] != "spot" || kinds["reserved"] != "reserved" {
		t.Errorf("capacity types %v", kinds)
	}
	used, err := c.DescribeCapacityReservations(ctx,
		&ec2.DescribeCapacityReservationsInput{
			CapacityReservationIds: []string{*reservation.CapacityReservation.CapacityReservationId},
		})
	must("DescribeCapacityReservations", err)
	if left := *used.CapacityReservations[0].AvailableInstanceCount; left != 0 {
		t.Errorf("the reservation has %d instances left, want none", left)
	}
	first := instance(t, c, types.Filter{Name: aws.String("instance-id"), Values: []string{nodes[0].ID}})
	if got := overSSH(t, *first.PublicIpAddress, "root", signer,
		"/lib/slipway/imds meta-data/iam/security-credentials/ /tmp/role && cat /tmp/role"); got != "node" {
		t.Errorf("the node finds the credentials of %q, want its role's", got)
	}
	must("go on", in.Close())
	if err := cmd.Wait(); err != nil {
		t.Fatalf("karpenter: %v", err)
	}

	templates, err := c.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{})
	must("DescribeLaunchTemplates", err)
	profiles, err := who.ListInstanceProfiles(ctx, &iam.ListInstanceProfilesInput{})
	must("ListInstanceProfiles", err)
	alive, err := c.DescribeInstances(ctx,
		&ec2.DescribeInstancesInput{
			Filters: []types.Filter{
				{Name: aws.String("instance-state-name"),
					Values: []string{"pending", "running", "stopping", "stopped", "shutting-down"}},
			},
		})
	must("DescribeInstances", err)
	if len(templates.LaunchTemplates) != 0 || len(profiles.InstanceProfiles) != 0 || len(alive.Reservations) != 0 {
		t.Errorf("%d launch templates, %d instance profiles and %d reservations are left",
			len(templates.LaunchTemplates), len(profiles.InstanceProfiles), len(alive.Reservations))
	}
	_, err = c.DeletePlacementGroup(ctx, &ec2.DeletePlacementGroupInput{GroupName: aws.String("dense")})
	must("DeletePlacementGroup", err)
	_, err = who.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("node")})
	must("DeleteRole", err)
	_, err = c.CancelCapacityReservation(ctx,
		&ec2.CancelCapacityReservationInput{CapacityReservationId: reservation.CapacityReservation.CapacityReservationId})
	must("CancelCapacityReservation", err)
	_, err = c.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: group.GroupId})
	must("DeleteSecurityGroup", err)
	s.nothingIsLeft(c)
}

func tagsOf(all []types.Tag) map[string]string {
	out := map[string]string{}
	for _, tag := range all {
		out[*tag.Key] = *tag.Value
	}
	return out
}

// karpentersRights are those that Karpenter's documentation has for its controller: it launches from templates of its
// cluster's and only what gets its cluster's tags, tags and ends only what has them, and passes no other role than the nodes'.
func karpentersRights(t *testing.T, account, cluster, role string) string {
	t.Helper()
	type condition = map[string]map[string]any
	type statement struct {
		Effect           string
		Action, Resource []string
		Condition        condition `json:",omitempty"`
	}
	var all []statement
	allow := func(actions, resources string, when condition) {
		s := statement{"Allow", strings.Fields(actions), nil, when}
		for _, r := range strings.Fields(resources) {
			switch service := strings.Split(s.Action[0], ":")[0]; {
			case service == "ec2" && r != "*":
				r = "arn:aws:ec2:us-east-1:*:" + r + "/*"
				if strings.Contains(r, ":image/") || strings.Contains(r, ":snapshot/") {
					r = strings.Replace(r, ":*:", "::", 1)
				}
			case service == "iam" && r != "*":
				r = "arn:aws:iam::" + account + ":" + r
			case service == "ssm":
				r = "arn:aws:ssm:us-east-1::" + r
			}
			s.Resource = append(s.Resource, r)
		}
		all = append(all, s)
	}
	// owned are the tags that the request gives or the resource has.
	owned := func(by, also string, equal map[string]any) condition {
		out := condition{
			"StringEquals": {"aws:" + by + "/kubernetes.io/cluster/" + cluster: "owned"},
			"StringLike":   {"aws:" + by + "/" + also: "*"},
		}
		if by == "RequestTag" {
			out["StringEquals"]["aws:RequestTag/eks:eks-cluster-name"] = cluster
		}
		maps.Copy(out["StringEquals"], equal)
		return out
	}
	const pool, class, made = "karpenter.sh/nodepool", "karpenter.k8s.aws/ec2nodeclass",
		"fleet instance volume network-interface launch-template spot-instances-request"
	allow("ec2:RunInstances ec2:CreateFleet", "image snapshot security-group subnet capacity-reservation placement-group", nil)
	allow("ec2:RunInstances ec2:CreateFleet", "launch-template", owned("ResourceTag", pool, nil))
	allow("ec2:RunInstances ec2:CreateFleet ec2:CreateLaunchTemplate", made, owned("RequestTag", pool, nil))
	allow("ec2:CreateTags", made,
		owned("RequestTag", pool,
			map[string]any{"ec2:CreateAction": []string{"RunInstances", "CreateFleet", "CreateLaunchTemplate"}}))
	later := owned("ResourceTag", pool, nil)
	later["StringEqualsIfExists"] = map[string]any{"aws:RequestTag/eks:eks-cluster-name": cluster}
	later["ForAllValues:StringEquals"] = map[string]any{
		"aws:TagKeys": []string{"eks:eks-cluster-name", "karpenter.sh/nodeclaim", "Name"},
	}
	allow("ec2:CreateTags", "instance", later)
	allow("ec2:TerminateInstances ec2:DeleteLaunchTemplate", "instance launch-template", owned("ResourceTag", pool, nil))
	allow("ec2:DescribeCapacityReservations ec2:DescribeImages ec2:DescribeInstances ec2:DescribeInstanceStatus "+
		"ec2:DescribeInstanceTypeOfferings ec2:DescribeInstanceTypes "+
		"ec2:DescribeLaunchTemplates ec2:DescribePlacementGroups ec2:DescribeSecurityGroups "+
		"ec2:DescribeSpotPriceHistory ec2:DescribeSubnets",
		"*",
		condition{"StringEquals": {"aws:RequestedRegion": "us-east-1"}})
	allow("ssm:GetParameter", "parameter/aws/service/*", nil)
	allow("pricing:GetProducts", "*", nil)
	allow("iam:PassRole", "role/"+role+"*", condition{"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}})
	region := map[string]any{"aws:RequestTag/topology.kubernetes.io/region": "us-east-1"}
	allow("iam:CreateInstanceProfile", "instance-profile/*", owned("RequestTag", class, region))
	allow("iam:AddRoleToInstanceProfile iam:RemoveRoleFromInstanceProfile iam:DeleteInstanceProfile",
		"instance-profile/*",
		owned("ResourceTag", class, map[string]any{"aws:ResourceTag/topology.kubernetes.io/region": "us-east-1"}))
	allow("iam:ListInstanceProfiles", "*", nil)
	allow("iam:GetInstanceProfile", "instance-profile/*", nil)
	out, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": all})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
