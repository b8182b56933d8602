package e2e

import (
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// TestLaunchFromATemplate launches with a template under the request.
func TestLaunchFromATemplate(t *testing.T) {
	r := simulated(t)
	c := r.client()
	ctx := t.Context()
	r.key(c)
	s, one := aws.String, aws.Int32(1)
	lt := r.template(c, "web", &types.RequestLaunchTemplateData{
		ImageId: s(r.image()), InstanceType: "t3.nano", KeyName: s("test"), DisableApiStop: aws.Bool(true),
		MetadataOptions: &types.LaunchTemplateInstanceMetadataOptionsRequest{
			HttpTokens: "required", HttpPutResponseHopLimit: aws.Int32(2),
		},
		BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMappingRequest{
			{DeviceName: s("/dev/sdf"),
				Ebs: &types.LaunchTemplateEbsBlockDeviceRequest{VolumeSize: aws.Int32(3), VolumeType: "gp3"}},
		},
		TagSpecifications: []types.LaunchTemplateTagSpecificationRequest{
			{ResourceType: "instance", Tags: []types.Tag{{Key: s("Name"), Value: s("web")}, {Key: s("Env"), Value: s("dev")}}},
		},
	})
	launch := func(in ec2.RunInstancesInput) (types.Instance, error) {
		in.MinCount, in.MaxCount = one, one
		out, err := c.RunInstances(ctx, &in)
		if err != nil {
			return types.Instance{}, err
		}
		return out.Instances[0], nil
	}
	tagsOf := func(in types.Instance) map[string]string {
		out := map[string]string{}
		for _, tag := range in.Tags {
			out[*tag.Key] = *tag.Value
		}
		return out
	}
	t.Run("the template alone is enough", func(t *testing.T) {
		in, err := launch(ec2.RunInstancesInput{
			LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateId: lt.LaunchTemplateId},
		})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"Name": "web", "Env": "dev", "aws:ec2launchtemplate:id": *lt.LaunchTemplateId, "aws:ec2launchtemplate:version": "1",
		}
		if got := tagsOf(in); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("tags %v, want %v", got, want)
		}
		if in.InstanceType != "t3.nano" || aws.ToString(in.KeyName) != "test" ||
			in.MetadataOptions.HttpTokens != "required" || *in.MetadataOptions.HttpPutResponseHopLimit != 2 {
			t.Errorf("launched %+v", in)
		}
		running := r.waitState(c, *in.InstanceId, types.InstanceStateNameRunning)
		if len(running.BlockDeviceMappings) != 2 {
			t.Errorf("%d devices", len(running.BlockDeviceMappings))
		}
		if _, err := c.StopInstances(ctx,
			&ec2.StopInstancesInput{InstanceIds: []string{*in.InstanceId}}); codeOf(err) != "OperationNotPermitted" {
			t.Errorf("the template's stop protection: %v", err)
		}
		for key, want := range map[string]string{
			"aws:ec2launchtemplate:id": *lt.LaunchTemplateId, "aws:ec2launchtemplate:version": "1",
		} {
			out, err := c.DescribeTags(ctx,
				&ec2.DescribeTagsInput{
					Filters: []types.Filter{
						{Name: s("resource-id"), Values: []string{*in.InstanceId}}, {Name: s("key"), Values: []string{key}},
					},
				})
			if err != nil || len(out.Tags) != 1 || *out.Tags[0].Value != want {
				t.Errorf("DescribeTags %s: %+v, %v", key, out, err)
			}
		}
		if _, err := c.DeleteTags(ctx,
			&ec2.DeleteTagsInput{
				Resources: []string{*in.InstanceId}, Tags: []types.Tag{{Key: s("aws:ec2launchtemplate:id")}},
			}); codeOf(err) != "InvalidParameterValue" {
			t.Errorf("a system tag was deleted: %v", err)
		}
	})
	t.Run("the request goes over it, and explain tells which gave what", func(t *testing.T) {
		in, err := launch(ec2.RunInstancesInput{
			LaunchTemplate:      &types.LaunchTemplateSpecification{LaunchTemplateName: s("web"), Version: s("1")},
			InstanceType:        "t3.micro",
			MetadataOptions:     &types.InstanceMetadataOptionsRequest{HttpTokens: "optional"},
			BlockDeviceMappings: []types.BlockDeviceMapping{{DeviceName: s("/dev/sdf"), NoDevice: s("")}},
			TagSpecifications: []types.TagSpecification{
				{ResourceType: "instance", Tags: []types.Tag{{Key: s("Name"), Value: s("db")}}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := tagsOf(in); in.InstanceType != "t3.micro" || got["Name"] != "db" || got["Env"] != "dev" ||
			in.MetadataOptions.HttpTokens != "optional" || *in.MetadataOptions.HttpPutResponseHopLimit != 2 {
			t.Errorf("launched %s with %v and %+v", in.InstanceType, got, in.MetadataOptions)
		}
		if running := r.waitState(c, *in.InstanceId, types.InstanceStateNameRunning); len(running.BlockDeviceMappings) != 1 {
			t.Errorf("%d devices, want the root alone", len(running.BlockDeviceMappings))
		}
		bin, err := binary()
		if err != nil {
			t.Fatal(err)
		}
		told, err := exec.Command(bin, "explain", *in.InstanceId, "--state", r.state).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, told)
		}
		for _, want := range []string{
			"parameter LaunchTemplate: " + *lt.LaunchTemplateId + " (web), version 1",
			"parameter InstanceType: request", "parameter ImageId: template",
			"parameter MetadataOptions.HttpTokens: request",
			"parameter MetadataOptions.HttpPutResponseHopLimit: template",
			"parameter TagSpecifications[instance].Env: template",
		} {
			if !strings.Contains(string(told), want) {
				t.Errorf("explain does not say %q: %s", want, told)
			}
		}
	})
	t.Run("exclusion is checked on the whole", func(t *testing.T) {
		r.template(c, "ports",
			&types.RequestLaunchTemplateData{
				ImageId: s(r.image()),
				NetworkInterfaces: []types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest{
					{DeviceIndex: aws.Int32(0)},
				},
			})
		_, err := launch(ec2.RunInstancesInput{
			LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateName: s("ports")},
			SubnetId:       s("subnet-0123456789abcdef0"),
		})
		if codeOf(err) != "InvalidParameterCombination" {
			t.Errorf("the template's interfaces with the request's subnet: %v", err)
		}
	})
	t.Run("requirements of a fleet choose no type here", func(t *testing.T) {
		r.template(c, "fleet",
			&types.RequestLaunchTemplateData{
				ImageId: s(r.image()),
				InstanceRequirements: &types.InstanceRequirementsRequest{
					VCpuCount: &types.VCpuCountRangeRequest{Min: one}, MemoryMiB: &types.MemoryMiBRequest{Min: one},
				},
			})
		_, err := launch(ec2.RunInstancesInput{
			LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateName: s("fleet")},
		})
		if codeOf(err) != "MissingParameter" || !strings.Contains(err.Error(), "InstanceType") {
			t.Errorf("without a type: %v", err)
		}
		if _, err := launch(ec2.RunInstancesInput{
			LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateName: s("fleet")}, InstanceType: "t3.nano",
		}); err != nil {
			t.Errorf("with one: %v", err)
		}
	})
	for name, tt := range map[string]struct {
		spec types.LaunchTemplateSpecification
		code string
	}{
		"id and name": {types.LaunchTemplateSpecification{
			LaunchTemplateId: lt.LaunchTemplateId, LaunchTemplateName: s("web"),
		}, "InvalidParameterCombination"},
		"neither": {types.LaunchTemplateSpecification{Version: s("$Latest")}, "MissingParameter"},
		"a malformed id": {types.LaunchTemplateSpecification{LaunchTemplateId: s("lt")},
			"InvalidLaunchTemplateId.Malformed"},
		"an unknown id": {types.LaunchTemplateSpecification{LaunchTemplateId: s("lt-0123456789abcdef0")},
			"InvalidLaunchTemplateId.NotFound"},
		"an unknown name": {types.LaunchTemplateSpecification{LaunchTemplateName: s("nobody")},
			"InvalidLaunchTemplateName.NotFoundException"},
		"an unknown version": {types.LaunchTemplateSpecification{LaunchTemplateName: s("web"), Version: s("9")},
			"InvalidLaunchTemplateId.VersionNotFound"},
	} {
		if _, err := launch(ec2.RunInstancesInput{LaunchTemplate: &tt.spec}); codeOf(err) != tt.code {
			t.Errorf("%s: got %v, want %s", name, err, tt.code)
		}
	}
	t.Run("a retry returns the first reservation though the latest version has moved", func(t *testing.T) {
		in := ec2.RunInstancesInput{
			LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateName: s("web"), Version: s("$Latest")},
			ClientToken:    s("once"),
		}
		first, err := launch(in)
		if err != nil {
			t.Fatal(err)
		}
		// The new version also fixes a zone, which would make another token's scope.
		if _, err := c.CreateLaunchTemplateVersion(ctx,
			&ec2.CreateLaunchTemplateVersionInput{
				LaunchTemplateName: s("web"), SourceVersion: s("1"), LaunchTemplateData: &types.RequestLaunchTemplateData{
					InstanceType: "t3.small",
					Placement:    &types.LaunchTemplatePlacementRequest{AvailabilityZone: s("us-east-1c")},
				},
			}); err != nil {
			t.Fatal(err)
		}
		again, err := launch(in)
		if err != nil || *again.InstanceId != *first.InstanceId || again.InstanceType != "t3.nano" {
			t.Errorf("the retry: %v %s, %v; the first was %s", aws.ToString(again.InstanceId), again.InstanceType, err,
				*first.InstanceId)
		}
		in.ClientToken = s("twice")
		fresh, err := launch(in)
		if err != nil || fresh.InstanceType != "t3.small" || *fresh.Placement.AvailabilityZone != "us-east-1c" ||
			tagsOf(fresh)["aws:ec2launchtemplate:version"] != "2" {
			t.Errorf("a new launch of the latest: %+v, %v", fresh, err)
		}
		in.LaunchTemplate = &types.LaunchTemplateSpecification{LaunchTemplateName: s("web"), Version: s("1")}
		if _, err := launch(in); codeOf(err) != "IdempotentParameterMismatch" {
			t.Errorf("the token with another version: %v", err)
		}
	})
	t.Run("an instance's data makes a template that launches its like", func(t *testing.T) {
		first, err := launch(ec2.RunInstancesInput{
			LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateName: s("web"), Version: s("1")},
			UserData:       s("IyEvYmluL3NoCg=="),
		})
		if err != nil {
			t.Fatal(err)
		}
		r.waitState(c, *first.InstanceId, types.InstanceStateNameRunning)
		out, err := c.GetLaunchTemplateData(ctx, &ec2.GetLaunchTemplateDataInput{InstanceId: first.InstanceId})
		if err != nil {
			t.Fatal(err)
		}
		d := out.LaunchTemplateData
		if *d.ImageId != r.image() || d.InstanceType != "t3.nano" || *d.KeyName != "test" || !*d.DisableApiStop ||
			*d.UserData != "IyEvYmluL3NoCg==" || d.MetadataOptions.HttpTokens != "required" ||
			len(d.BlockDeviceMappings) != 2 || len(d.NetworkInterfaces) != 1 ||
			*d.NetworkInterfaces[0].SubnetId != *first.SubnetId || len(d.TagSpecifications) != 1 ||
			len(d.TagSpecifications[0].Tags) != 2 {
			t.Errorf("data %+v", d)
		}
		form := url.Values{"Action": {"CreateLaunchTemplate"}, "LaunchTemplateName": {"like"}}
		for k, v := range map[string]string{
			"ImageId": *d.ImageId, "InstanceType": string(d.InstanceType), "KeyName": *d.KeyName,
			"Placement.AvailabilityZone": *d.Placement.AvailabilityZone, "Placement.GroupName": *d.Placement.GroupName,
			"NetworkInterface.1.DeviceIndex": "0", "NetworkInterface.1.SubnetId": *d.NetworkInterfaces[0].SubnetId,
			"NetworkInterface.1.SecurityGroupId.1":        d.NetworkInterfaces[0].Groups[0],
			"NetworkInterface.1.AssociatePublicIpAddress": fmt.Sprint(*d.NetworkInterfaces[0].AssociatePublicIpAddress),
			"CpuOptions.CoreCount":                        fmt.Sprint(*d.CpuOptions.CoreCount),
			"CpuOptions.ThreadsPerCore":                   fmt.Sprint(*d.CpuOptions.ThreadsPerCore),
		} {
			form.Set("LaunchTemplateData."+k, v)
		}
		if got := r.signed(form); !strings.Contains(got, "<launchTemplateId>") || strings.Contains(got, "<warning>") {
			t.Fatalf("the data as a template: %s", got)
		}
		like, err := launch(ec2.RunInstancesInput{
			LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateName: s("like")},
		})
		if err != nil || *like.SubnetId != *first.SubnetId {
			t.Errorf("launched its like: %+v, %v", like, err)
		}
	})
	t.Run("an image by its public parameter is resolved when asked for", func(t *testing.T) {
		r.template(c, "alias",
			&types.RequestLaunchTemplateData{
				ImageId: s("resolve:ssm:/aws/service/slipway/tiny/latest"), InstanceType: "t3.nano",
			})
		for resolve, want := range map[bool]string{false: "resolve:ssm:/aws/service/slipway/tiny/latest", true: r.image()} {
			out, err := c.DescribeLaunchTemplateVersions(ctx,
				&ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateName: s("alias"), ResolveAlias: &resolve})
			if err != nil || *out.LaunchTemplateVersions[0].LaunchTemplateData.ImageId != want {
				t.Errorf("ResolveAlias %v: %+v, %v", resolve, out, err)
			}
		}
		if in, err := launch(ec2.RunInstancesInput{
			LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateName: s("alias")},
		}); err != nil || *in.ImageId != r.image() {
			t.Errorf("launched %+v, %v", in, err)
		}
	})
}

// TestLaunchTemplateFromTheCommandLine drives the AWS CLI, which sends versions as texts.
func TestLaunchTemplateFromTheCommandLine(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the AWS CLI is not installed: `make test-deps` installs it")
	}
	r := simulated(t)
	env := r.env()
	cli := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("aws", append([]string{"--endpoint-url=" + r.endpoint, "--output", "text", "ec2"}, args...)...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("aws ec2 %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	id := cli("create-launch-template", "--launch-template-name", "web", "--launch-template-data",
		`{"ImageId":"`+r.image()+`","InstanceType":"t3.nano"}`, "--query", "LaunchTemplate.LaunchTemplateId")
	cli("create-launch-template-version", "--launch-template-id", id, "--source-version", "1", "--launch-template-data",
		`{"InstanceType":"t3.micro"}`)
	cli("modify-launch-template", "--launch-template-id", id, "--default-version", "2")
	for version, want := range map[string]string{"1": "t3.nano", "$Latest": "t3.micro", "$Default": "t3.micro"} {
		if got := cli("describe-launch-template-versions", "--launch-template-id", id, "--versions", version, "--query",
			"LaunchTemplateVersions[].LaunchTemplateData.InstanceType"); got != want {
			t.Errorf("version %s has %q, want %q", version, got, want)
		}
	}
	got := cli("run-instances", "--launch-template", "LaunchTemplateName=web,Version=1", "--count", "1", "--query",
		"Instances[].InstanceType")
	if got != "t3.nano" {
		t.Errorf("launched %q from version 1", got)
	}
	if got := cli("run-instances", "--launch-template", "LaunchTemplateId="+id, "--count", "1", "--query",
		"Instances[].InstanceType"); got != "t3.micro" {
		t.Errorf("launched %q from the default", got)
	}
	cli("delete-launch-template-versions", "--launch-template-id", id, "--versions", "1")
	cli("delete-launch-template", "--launch-template-name", "web")
	if got := cli("describe-launch-templates", "--query", "LaunchTemplates[].LaunchTemplateId"); got != "" {
		t.Errorf("left: %q", got)
	}
}
