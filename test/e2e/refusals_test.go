package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// TestEveryRefusalHasEC2sCode provokes refusals over the wire; each launches nothing.
func TestEveryRefusalHasEC2sCode(t *testing.T) {
	r := simulated(t)
	c := r.client()
	ctx := t.Context()
	image := r.image()
	subnets, err := c.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{})
	if err != nil {
		t.Fatal(err)
	}
	subnet := *subnets.Subnets[0].SubnetId
	zone := *subnets.Subnets[0].AvailabilityZone
	other := "us-east-1a"
	if zone == other {
		other = "us-east-1b"
	}
	eni := func(n types.InstanceNetworkInterfaceSpecification) []types.InstanceNetworkInterfaceSpecification {
		return []types.InstanceNetworkInterfaceSpecification{n}
	}
	disk := func(e types.EbsBlockDevice) []types.BlockDeviceMapping {
		return []types.BlockDeviceMapping{{DeviceName: aws.String("/dev/sdf"), Ebs: &e}}
	}
	for _, tt := range []struct {
		name, code string
		change     func(*ec2.RunInstancesInput)
	}{
		{"a dry run", "DryRunOperation", func(in *ec2.RunInstancesInput) { in.DryRun = aws.Bool(true) }},
		{"no image", "MissingParameter", func(in *ec2.RunInstancesInput) { in.ImageId = nil }},
		{"a malformed image", "InvalidAMIID.Malformed", func(in *ec2.RunInstancesInput) { in.ImageId = aws.String("ami-xyz") }},
		{"an unknown image", "InvalidAMIID.NotFound",
			func(in *ec2.RunInstancesInput) { in.ImageId = aws.String("ami-0123456789abcdef0") }},
		{"an unknown type", "InvalidParameterValue", func(in *ec2.RunInstancesInput) { in.InstanceType = "t9.huge" }},
		{"another architecture", "InvalidParameterValue", func(in *ec2.RunInstancesInput) { in.InstanceType = "t4g.micro" }},
		{"no instance", "InvalidParameterValue", func(in *ec2.RunInstancesInput) { in.MinCount = aws.Int32(0) }},
		{"more at least than at most", "InvalidParameterValue", func(in *ec2.RunInstancesInput) { in.MinCount = aws.Int32(3) }},
		{"more than one call launches", "ResourceCountExceeded",
			func(in *ec2.RunInstancesInput) { in.MinCount, in.MaxCount = aws.Int32(1001), aws.Int32(1001) }},
		{"an unknown key pair", "InvalidKeyPair.NotFound",
			func(in *ec2.RunInstancesInput) { in.KeyName = aws.String("nobody") }},
		{"an unknown zone", "InvalidParameterValue", func(in *ec2.RunInstancesInput) {
			in.Placement = &types.Placement{AvailabilityZone: aws.String("us-east-1z")}
		}},
		{"an unknown subnet", "InvalidSubnetID.NotFound",
			func(in *ec2.RunInstancesInput) { in.SubnetId = aws.String("subnet-0123456789abcdef0") }},
		{"a malformed subnet", "InvalidSubnetID.Malformed",
			func(in *ec2.RunInstancesInput) { in.SubnetId = aws.String("sub") }},
		{"a subnet of another zone", "InvalidParameterValue", func(in *ec2.RunInstancesInput) {
			in.SubnetId, in.Placement = aws.String(subnet), &types.Placement{AvailabilityZone: aws.String(other)}
		}},
		{"an unknown group", "InvalidGroup.NotFound",
			func(in *ec2.RunInstancesInput) { in.SecurityGroupIds = []string{"sg-0123456789abcdef0"} }},
		{"a malformed group", "InvalidGroupId.Malformed",
			func(in *ec2.RunInstancesInput) { in.SecurityGroupIds = []string{"web"} }},
		{"an unknown group name", "InvalidGroup.NotFound",
			func(in *ec2.RunInstancesInput) { in.SecurityGroups = []string{"web"} }},
		{"a group name with a subnet", "InvalidParameterCombination", func(in *ec2.RunInstancesInput) {
			in.SubnetId, in.SecurityGroups = aws.String(subnet), []string{"default"}
		}},
		{"a foreign address", "InvalidParameterValue",
			func(in *ec2.RunInstancesInput) { in.PrivateIpAddress = aws.String("10.9.9.9") }},
		{"a reserved address", "InvalidParameterValue", func(in *ec2.RunInstancesInput) {
			in.SubnetId, in.PrivateIpAddress = aws.String(subnet),
				aws.String(strings.TrimSuffix(*subnets.Subnets[0].CidrBlock, "0/20")+"1")
		}},
		{"one address for two", "InvalidParameterCombination", func(in *ec2.RunInstancesInput) {
			in.MaxCount, in.PrivateIpAddress = aws.Int32(2), aws.String("172.31.0.9")
		}},
		{"interfaces and a subnet", "InvalidParameterCombination", func(in *ec2.RunInstancesInput) {
			in.SubnetId, in.NetworkInterfaces = aws.String(subnet),
				eni(types.InstanceNetworkInterfaceSpecification{DeviceIndex: aws.Int32(0)})
		}},
		{"an interface without an index", "MissingParameter", func(in *ec2.RunInstancesInput) {
			in.NetworkInterfaces = eni(types.InstanceNetworkInterfaceSpecification{SubnetId: aws.String(subnet)})
		}},
		{"no interface at index 0", "InvalidParameterValue", func(in *ec2.RunInstancesInput) {
			in.NetworkInterfaces = eni(types.InstanceNetworkInterfaceSpecification{
				DeviceIndex: aws.Int32(1), SubnetId: aws.String(subnet),
			})
		}},
		{"an unknown interface", "InvalidNetworkInterfaceID.NotFound", func(in *ec2.RunInstancesInput) {
			in.NetworkInterfaces = eni(types.InstanceNetworkInterfaceSpecification{
				DeviceIndex: aws.Int32(0), NetworkInterfaceId: aws.String("eni-0123456789abcdef0"),
			})
		}},
		{"user data that is no base64", "InvalidUserData.Malformed",
			func(in *ec2.RunInstancesInput) { in.UserData = aws.String("!!") }},
		{"too much user data", "InvalidParameterValue",
			func(in *ec2.RunInstancesInput) { in.UserData = aws.String(strings.Repeat("AAAA", 5462)) }},
		{"an unknown shutdown behaviour", "InvalidParameterValue",
			func(in *ec2.RunInstancesInput) { in.InstanceInitiatedShutdownBehavior = "explode" }},
		{"a hop limit of 65", "InvalidParameterValue", func(in *ec2.RunInstancesInput) {
			in.MetadataOptions = &types.InstanceMetadataOptionsRequest{HttpPutResponseHopLimit: aws.Int32(65)}
		}},
		{"a reserved tag", "InvalidParameterValue", func(in *ec2.RunInstancesInput) {
			in.TagSpecifications = []types.TagSpecification{
				{ResourceType: "instance", Tags: []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("")}}},
			}
		}},
		{"tags on a vpc", "InvalidParameterValue", func(in *ec2.RunInstancesInput) {
			in.TagSpecifications = []types.TagSpecification{
				{ResourceType: "vpc", Tags: []types.Tag{{Key: aws.String("x"), Value: aws.String("")}}},
			}
		}},
		{"a root smaller than its snapshot", "InvalidBlockDeviceMapping", func(in *ec2.RunInstancesInput) {
			in.BlockDeviceMappings = []types.BlockDeviceMapping{{DeviceName: aws.String("/dev/xvda"), NoDevice: aws.String("")}}
		}},
		{"a device twice", "InvalidBlockDeviceMapping", func(in *ec2.RunInstancesInput) {
			in.BlockDeviceMappings = append(disk(types.EbsBlockDevice{VolumeSize: aws.Int32(1)}),
				disk(types.EbsBlockDevice{VolumeSize: aws.Int32(1)})...)
		}},
		{"a disk without a size", "MissingParameter",
			func(in *ec2.RunInstancesInput) { in.BlockDeviceMappings = disk(types.EbsBlockDevice{}) }},
		{"IOPS on gp2", "InvalidParameterCombination", func(in *ec2.RunInstancesInput) {
			in.BlockDeviceMappings = disk(types.EbsBlockDevice{
				VolumeSize: aws.Int32(9), VolumeType: "gp2", Iops: aws.Int32(500),
			})
		}},
		{"io1 without IOPS", "MissingParameter", func(in *ec2.RunInstancesInput) {
			in.BlockDeviceMappings = disk(types.EbsBlockDevice{VolumeSize: aws.Int32(9), VolumeType: "io1"})
		}},
		{"an unknown volume type", "UnknownVolumeType", func(in *ec2.RunInstancesInput) {
			in.BlockDeviceMappings = disk(types.EbsBlockDevice{VolumeSize: aws.Int32(9), VolumeType: "gp9"})
		}},
		{"an unknown snapshot", "InvalidSnapshot.NotFound", func(in *ec2.RunInstancesInput) {
			in.BlockDeviceMappings = disk(types.EbsBlockDevice{SnapshotId: aws.String("snap-0123456789abcdef0")})
		}},
		{"an unknown placement group", "InvalidPlacementGroup.Unknown",
			func(in *ec2.RunInstancesInput) { in.Placement = &types.Placement{GroupName: aws.String("pg")} }},
		{"credits for a type without", "InstanceCreditSpecification.NotSupported", func(in *ec2.RunInstancesInput) {
			in.InstanceType, in.CreditSpecification = "m5.large",
				&types.CreditSpecificationRequest{CpuCredits: aws.String("unlimited")}
		}},
		{"more cores than the type has", "InvalidParameterValue", func(in *ec2.RunInstancesInput) {
			in.CpuOptions = &types.CpuOptionsRequest{CoreCount: aws.Int32(9), ThreadsPerCore: aws.Int32(1)}
		}},
		{"an unknown instance profile", "InvalidParameterValue", func(in *ec2.RunInstancesInput) {
			in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Name: aws.String("nobody")}
		}},
		{"additional info", "InvalidParameterCombination",
			func(in *ec2.RunInstancesInput) { in.AdditionalInfo = aws.String("x=y") }},
		{"an enclave", "UnsupportedOperation", func(in *ec2.RunInstancesInput) {
			in.EnclaveOptions = &types.EnclaveOptionsRequest{Enabled: aws.Bool(true)}
		}},
		{"an unknown launch template", "InvalidLaunchTemplateName.NotFoundException", func(in *ec2.RunInstancesInput) {
			in.LaunchTemplate = &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("nobody")}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &ec2.RunInstancesInput{
				ImageId: aws.String(image), InstanceType: types.InstanceTypeT3Micro, MinCount: aws.Int32(1),
				MaxCount: aws.Int32(1),
			}
			tt.change(in)
			if _, err := c.RunInstances(ctx, in); codeOf(err) != tt.code {
				t.Errorf("got %v, want %s", err, tt.code)
			}
		})
	}
	out, err := c.DescribeInstances(ctx, &ec2.DescribeInstancesInput{})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Reservations) != 0 {
		t.Errorf("%d launches came of refused calls", len(out.Reservations))
	}
	if _, err := c.CreateTransitGateway(ctx, &ec2.CreateTransitGatewayInput{}); codeOf(err) != "UnsupportedOperation" {
		t.Errorf("an action that EC2 has and slipway not: %s", codeOf(err))
	}
	wrong := r.clientOf(r.keys.AccessKeyID, "wrong")
	if _, err := wrong.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{}); codeOf(err) != "SignatureDoesNotMatch" {
		t.Errorf("a wrong secret: %s", codeOf(err))
	}
	if _, err := r.clientOf("AKIAUNKNOWN", "x").DescribeVpcs(ctx, &ec2.DescribeVpcsInput{}); codeOf(err) != "AuthFailure" {
		t.Errorf("an unknown key: %s", codeOf(err))
	}
	if resp, err := http.Get(r.endpoint + "/?Action=DescribeVpcs&Version=2016-11-15"); err != nil ||
		resp.StatusCode != http.StatusForbidden {
		t.Errorf("an unsigned call: %v %v", resp, err)
	}
}

// TestTokensMakeRetriesSafe: thirty equal calls at once launch once, and different parameters are refused.
func TestTokensMakeRetriesSafe(t *testing.T) {
	r := simulated(t)
	c := r.client()
	in := func() *ec2.RunInstancesInput {
		return &ec2.RunInstancesInput{
			ImageId: aws.String(r.image()), InstanceType: types.InstanceTypeT3Micro, MinCount: aws.Int32(2),
			MaxCount: aws.Int32(2), ClientToken: aws.String("once"),
		}
	}
	var mu sync.Mutex
	reservations := map[string]int{}
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			out, err := c.RunInstances(t.Context(), in())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			reservations[*out.ReservationId]++
		})
	}
	wg.Wait()
	if len(reservations) != 1 {
		t.Errorf("thirty calls with one token made %d reservations", len(reservations))
	}
	changed := in()
	changed.InstanceType = types.InstanceTypeT3Small
	if _, err := c.RunInstances(t.Context(), changed); codeOf(err) != "IdempotentParameterMismatch" {
		t.Errorf("the token with other parameters: %s", codeOf(err))
	}
}

// TestThirtyAtOnceAllSucceed: launches that come together do not fail each other.
func TestThirtyAtOnceAllSucceed(t *testing.T) {
	r := simulated(t)
	c := r.client()
	image := r.image()
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			_, err := c.RunInstances(t.Context(),
				&ec2.RunInstancesInput{
					ImageId: aws.String(image), InstanceType: types.InstanceTypeT3Micro, MinCount: aws.Int32(1),
					MaxCount: aws.Int32(1),
				})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	out, err := c.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range out.Reservations {
		for _, in := range res.Instances {
			if seen[*in.PrivateIpAddress] {
				t.Errorf("two instances have %s", *in.PrivateIpAddress)
			}
			seen[*in.PrivateIpAddress] = true
		}
	}
	if len(seen) != 30 {
		t.Errorf("%d instances, want 30", len(seen))
	}
}

// TestNothingAdmittedIsLost: killed at random moments of a launch of twenty, slipway comes back with each that it admitted.
func TestNothingAdmittedIsLost(t *testing.T) {
	r := simulated(t)
	image := r.image()
	want := map[string]bool{}
	for range 4 {
		c := r.client()
		out, err := c.RunInstances(t.Context(),
			&ec2.RunInstancesInput{
				ImageId: aws.String(image), InstanceType: types.InstanceTypeT3Micro, MinCount: aws.Int32(20),
				MaxCount: aws.Int32(20),
			})
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range out.Instances {
			want[*in.InstanceId] = true
		}
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		r.kill()
		r.begin()
	}
	c := r.client()
	eventually(t, 30*time.Second, func() error {
		out, err := c.DescribeInstances(t.Context(),
			&ec2.DescribeInstancesInput{
				Filters: []types.Filter{{Name: aws.String("instance-state-name"), Values: []string{"running"}}},
			})
		if err != nil {
			return err
		}
		n := 0
		for _, res := range out.Reservations {
			for _, in := range res.Instances {
				if !want[*in.InstanceId] {
					t.Fatalf("%s runs and nobody launched it", *in.InstanceId)
				}
				n++
			}
		}
		if n != len(want) {
			return fmt.Errorf("%d of %d run", n, len(want))
		}
		return nil
	})
}

// TestTheOperatorIsToldInOneLine: what is wrong with a start is one line, and nothing is damaged.
func TestTheOperatorIsToldInOneLine(t *testing.T) {
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	r := simulated(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "slipway.yaml")
	os.WriteFile(config, []byte("statedir: /x\n"), 0o644)
	nested, keyless := filepath.Join(dir, "nested.yaml"), filepath.Join(dir, "keyless.yaml")
	os.WriteFile(nested, []byte("imports: {s3: {endpont: x}}\n"), 0o644)
	os.WriteFile(keyless, []byte("imports: {s3: {endpoint: s3.example.com, secret_key_file: a, secret_key: b}}\n"), 0o644)
	old := filepath.Join(dir, "old")
	os.MkdirAll(old, 0o755)
	os.WriteFile(filepath.Join(old, "version"), []byte("99\n"), 0o644)
	foreign := filepath.Join(dir, "foreign")
	os.MkdirAll(foreign, 0o755)
	os.WriteFile(filepath.Join(foreign, "thesis.tex"), []byte("x"), 0o644)
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"an unknown key":           {[]string{"dev", "--config", config}, "did you mean state?"},
		"an unknown key below one": {[]string{"dev", "--config", nested}, "did you mean imports.s3.endpoint?"},
		"an endpoint that is none": {[]string{"dev", "--config", keyless}, "is not like https://"},
		"an endpoint without key":  {[]string{"dev", "--config", keyless}, "imports.s3.access_key: is missing"},
		"an endpoint's two keys":   {[]string{"dev", "--config", keyless}, "one of secret_key, secret_key_file"},
		"an unknown flag":          {[]string{"dev", "--stat", "x"}, "flag provided but not defined"},
		"an unknown hypervisor":    {[]string{"dev", "--hypervisor", "xen"}, "none of qemu, simulated"},
		"another version's state": {[]string{
			"dev", "--hypervisor", "simulated", "--state", old, "--listen", "127.0.0.1:0",
		}, "has version 99"},
		"a directory of others": {[]string{
			"dev", "--hypervisor", "simulated", "--state", foreign, "--listen", "127.0.0.1:0",
		}, "holds other things"},
		"a port in use": {[]string{
			"dev", "--hypervisor", "simulated", "--state", filepath.Join(dir, "n"), "--listen",
			strings.TrimPrefix(r.endpoint, "http://"),
		}, "in use"},
		"a state that is served": {[]string{
			"dev", "--hypervisor", "simulated", "--state", r.state, "--listen", "127.0.0.1:0",
		}, "another slipway serves"},
		"what is not there yet":    {[]string{"serve"}, "use `slipway dev`"},
		"an import without name":   {[]string{"image", "import", "x.qcow2"}, "are a name"},
		"a name for no import":     {[]string{"image", "list", "--name", "mine"}, "are for `slipway image import`"},
		"an unknown command":       {[]string{"launch"}, "unknown command"},
		"explain without anything": {[]string{"explain", "i-0123456789abcdef0", "--state", r.state}, "nothing is known"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(bin, tt.args...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			err := cmd.Run()
			text := strings.TrimSpace(stderr.String())
			if err == nil || strings.Count(text, "\n") != 0 || !strings.Contains(text, tt.want) {
				t.Errorf("%v: %q, want one line with %q", err, text, tt.want)
			}
		})
	}
	var listed []struct{ ImageID string }
	out, err := exec.Command(bin, "image", "list", "--state", r.state, "--json").Output()
	if err != nil || json.Unmarshal(out, &listed) != nil || len(listed) != 1 {
		t.Errorf("after all that, the running server lists %s (%v)", out, err)
	}
}
