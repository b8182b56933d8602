package conformance

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"os"
	"os/exec"
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

// What is built of Karpenter's world: the newest provider that this toolchain builds. A module that only its own tests use is not to be had in
// the version it names.
const (
	karpenterVersion = "v1.13.1"
	karpenterMetrics = "github.com/aws/aws-sdk-go-v2/service/timestreamwrite=github.com/aws/aws-sdk-go-v2/service/timestreamwrite@v1.35.25"
)

// TestKarpenter runs testdata/karpenter, which is Karpenter's AWS provider with its controllers: nodes on demand, for spot and out of a
// reservation must come to be and to go, and nothing of them may be left.
func TestKarpenter(t *testing.T) {
	slow(t)
	program := fromProxy(t, "github.com/aws/karpenter-provider-aws", karpenterVersion, "./testdata/karpenter", []string{"mod", "edit", "-replace", karpenterMetrics})
	s := serve(t)
	s.record("Karpenter's AWS provider", strings.TrimPrefix(karpenterVersion, "v"), "its operator, node class and node claims: instance types and prices, a class made ready with its dry runs, "+
		"nodes on demand, for spot and out of a capacity reservation by CreateFleet, tags, drift, one without capacity, their termination and garbage collection: `test/conformance/testdata/karpenter`")
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
	found, err := c.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []types.Filter{{Name: aws.String("default-for-az"), Values: []string{"true"}}}})
	must("DescribeSubnets", err)
	for _, sn := range found.Subnets {
		subnets[*sn.AvailabilityZone] = *sn.SubnetId
	}
	_, err = c.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{subnets["us-east-1a"], subnets["us-east-1b"]}, Tags: discovery})
	must("CreateTags", err)
	group, err := c.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String("nodes"), Description: aws.String("nodes"),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeSecurityGroup, Tags: discovery}}})
	must("CreateSecurityGroup", err)
	_, err = c.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: group.GroupId, IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(22), CidrIp: aws.String("0.0.0.0/0")})
	must("AuthorizeSecurityGroupIngress", err)
	reservation, err := c.CreateCapacityReservation(ctx, &ec2.CreateCapacityReservationInput{
		InstanceType: aws.String("t3.micro"), InstancePlatform: types.CapacityReservationInstancePlatformLinuxUnix, AvailabilityZone: aws.String("us-east-1a"),
		InstanceCount: aws.Int32(1), InstanceMatchCriteria: types.InstanceMatchCriteriaTargeted,
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeCapacityReservation, Tags: discovery}}})
	must("CreateCapacityReservation", err)
	who := iam.New(iam.Options{Region: "us-east-1", BaseEndpoint: &s.endpoint, Credentials: credentials.NewStaticCredentialsProvider(s.keys.AccessKeyID, s.keys.SecretAccessKey, "")})
	_, err = who.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("node"), AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
	must("CreateRole", err)

	_, private, err := ed25519.GenerateKey(rand.Reader)
	must("GenerateKey", err)
	signer, err := ssh.NewSignerFromKey(private)
	must("NewSignerFromKey", err)
	cmd := exec.Command(program)
	cmd.Env = s.env("CLUSTER_NAME=conformance", "CLUSTER_ENDPOINT=https://cluster.test", "CLUSTER_CA_BUNDLE=Y2EK", "LOG_LEVEL=debug", "LOG_OUTPUT_PATHS=stderr",
		"IMAGE="+*image.ImageId, "IMAGE_NAME="+*image.Name, "IMAGE_PARAMETER=/aws/service/slipway/tiny/latest", "ROOT_DEVICE="+*image.RootDeviceName,
		"SUBNET="+subnets["us-east-1c"], "GROUP_NAME=default", "ROLE=node",
		"USER_DATA=#!/bin/sh\necho '"+strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))+"' >/root/.ssh/authorized_keys\nchmod 600 /root/.ssh/authorized_keys\n")
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
		if t.Failed() || os.Getenv("KARPENTER_LOG") != "" {
			t.Logf("karpenter said:\n%s", log.String())
		}
	})
	var nodes []struct{ Claim, ID, Name, Type, Zone, CapacityType string }
	must("what karpenter has launched", json.NewDecoder(out).Decode(&nodes))
	kinds := map[string]string{}
	for _, n := range nodes {
		t.Logf("%s is %s, a %s in %s, %s", n.Claim, n.ID, n.Type, n.Zone, n.CapacityType)
		kinds[n.Claim] = n.CapacityType
		must(n.Claim, ec2.NewInstanceRunningWaiter(c, quick).Wait(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{n.ID}}, time.Minute))
		got := instance(t, c, types.Filter{Name: aws.String("instance-id"), Values: []string{n.ID}})
		if string(got.InstanceType) != n.Type || *got.Placement.AvailabilityZone != n.Zone || (got.InstanceLifecycle == types.InstanceLifecycleTypeSpot) != (n.CapacityType == "spot") {
			t.Errorf("%s is a %s in %s, lifecycle %q", n.Claim, got.InstanceType, *got.Placement.AvailabilityZone, got.InstanceLifecycle)
		}
		tags := map[string]string{}
		for _, tag := range got.Tags {
			tags[*tag.Key] = *tag.Value
		}
		for key, want := range map[string]string{"Name": n.Name, "karpenter.sh/nodeclaim": n.Claim, "karpenter.sh/nodepool": "general", "eks:eks-cluster-name": "conformance", "team": "blue"} {
			if tags[key] != want {
				t.Errorf("%s has the tag %s %q, want %q", n.Claim, key, tags[key], want)
			}
		}
	}
	if kinds["demand"] != "on-demand" || kinds["any"] != "spot" || kinds["reserved"] != "reserved" {
		t.Errorf("capacity types %v", kinds)
	}
	first := instance(t, c, types.Filter{Name: aws.String("instance-id"), Values: []string{nodes[0].ID}})
	if got := overSSH(t, *first.PublicIpAddress, "root", signer, "/lib/slipway/imds meta-data/iam/security-credentials/ /tmp/role && cat /tmp/role"); got != "node" {
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
	alive, err := c.DescribeInstances(ctx, &ec2.DescribeInstancesInput{Filters: []types.Filter{{Name: aws.String("instance-state-name"), Values: []string{"pending", "running", "stopping", "stopped", "shutting-down"}}}})
	must("DescribeInstances", err)
	if len(templates.LaunchTemplates) != 0 || len(profiles.InstanceProfiles) != 0 || len(alive.Reservations) != 0 {
		t.Errorf("%d launch templates, %d instance profiles and %d reservations are left", len(templates.LaunchTemplates), len(profiles.InstanceProfiles), len(alive.Reservations))
	}
	_, err = who.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("node")})
	must("DeleteRole", err)
	_, err = c.CancelCapacityReservation(ctx, &ec2.CancelCapacityReservationInput{CapacityReservationId: reservation.CapacityReservation.CapacityReservationId})
	must("CancelCapacityReservation", err)
	_, err = c.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: group.GroupId})
	must("DeleteSecurityGroup", err)
	s.nothingIsLeft(c)
}
