package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// signed sends a form that no SDK would make.
func (r *run) signed(form url.Values) string { r.t.Helper(); return r.to("ec2", "2016-11-15", form) }

// to sends a form to a service.
func (r *run) to(service, version string, form url.Values) string {
	r.t.Helper()
	form.Set("Version", version)
	body := form.Encode()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.endpoint+"/", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256.Sum256([]byte(body))
	key := aws.Credentials{AccessKeyID: r.keys.AccessKeyID, SecretAccessKey: r.keys.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(r.t.Context(), key, req, hex.EncodeToString(sum[:]), service, "us-east-1",
		time.Now()); err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// template makes a launch template.
func (r *run) template(c *ec2.Client, name string, data *types.RequestLaunchTemplateData) *types.LaunchTemplate {
	r.t.Helper()
	out, err := c.CreateLaunchTemplate(r.t.Context(),
		&ec2.CreateLaunchTemplateInput{LaunchTemplateName: &name, LaunchTemplateData: data})
	if err != nil {
		r.t.Fatal(err)
	}
	return out.LaunchTemplate
}

func versionNumbers(list []types.LaunchTemplateVersion) []int64 {
	var out []int64
	for _, v := range list {
		out = append(out, *v.VersionNumber)
	}
	return out
}

// TestLaunchTemplateThroughItsLife goes the way that Terraform goes: create, read back, add a version, make it the
// default, delete.
func TestLaunchTemplateThroughItsLife(t *testing.T) {
	r := simulated(t)
	c := r.client()
	ctx := t.Context()
	data := &types.RequestLaunchTemplateData{
		ImageId: aws.String(r.image()), InstanceType: types.InstanceTypeT3Nano,
		UserData:     aws.String(base64.StdEncoding.EncodeToString([]byte("#!/bin/sh\n"))),
		EbsOptimized: aws.Bool(false),
		MetadataOptions: &types.LaunchTemplateInstanceMetadataOptionsRequest{
			HttpTokens: types.LaunchTemplateHttpTokensStateRequired,
		},
		NetworkInterfaces: []types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest{
			{DeviceIndex: aws.Int32(0), Groups: []string{"sg-0123456789abcdef0"}},
		},
		BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMappingRequest{
			{DeviceName: aws.String("/dev/sdf"),
				Ebs: &types.LaunchTemplateEbsBlockDeviceRequest{VolumeSize: aws.Int32(9)}},
			{DeviceName: aws.String("/dev/sdg"), NoDevice: aws.String("")},
		},
		TagSpecifications: []types.LaunchTemplateTagSpecificationRequest{
			{ResourceType: "network-interface", Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("")}}},
		},
		KeyName: aws.String(""), // Terraform sends what is not set as an empty text
	}
	create := &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String("karpenter.k8s.aws/123"), LaunchTemplateData: data,
		VersionDescription: aws.String("first"), ClientToken: aws.String("once"),
		TagSpecifications: []types.TagSpecification{
			{ResourceType: "launch-template",
				Tags: []types.Tag{{Key: aws.String("karpenter.k8s.aws/cluster"), Value: aws.String("blue")}}},
		},
	}
	made, err := c.CreateLaunchTemplate(ctx, create)
	if err != nil {
		t.Fatal(err)
	}
	id := made.LaunchTemplate.LaunchTemplateId
	if lt := made.LaunchTemplate; *lt.DefaultVersionNumber != 1 || *lt.LatestVersionNumber != 1 || len(lt.Tags) != 1 ||
		!strings.HasPrefix(*id, "lt-") || lt.CreateTime == nil || !strings.HasPrefix(*lt.CreatedBy, "arn:aws:iam::") {
		t.Errorf("made %+v", lt)
	}
	if made.Warning != nil {
		t.Errorf("a template that may be launched from comes with the warning %+v", made.Warning)
	}
	t.Run("a retry makes no second one", func(t *testing.T) {
		again, err := c.CreateLaunchTemplate(ctx, create)
		if err != nil || *again.LaunchTemplate.LaunchTemplateId != *id {
			t.Errorf("got %v, %v", again, err)
		}
		other := *create
		other.VersionDescription = aws.String("changed")
		if _, err := c.CreateLaunchTemplate(ctx, &other); codeOf(err) != "IdempotentParameterMismatch" {
			t.Errorf("the token with other parameters: %v", err)
		}
	})
	t.Run("it is found by id, name, filter and tag", func(t *testing.T) {
		for name, in := range map[string]*ec2.DescribeLaunchTemplatesInput{
			"all": {}, "id": {LaunchTemplateIds: []string{*id}},
			"name": {LaunchTemplateNames: []string{"karpenter.k8s.aws/123"}},
			"name filter": {Filters: []types.Filter{
				{Name: aws.String("launch-template-name"), Values: []string{"karpenter*"}},
			}},
			"tag filter": {Filters: []types.Filter{
				{Name: aws.String("tag:karpenter.k8s.aws/cluster"), Values: []string{"blue"}},
			}},
			"tag key": {Filters: []types.Filter{{Name: aws.String("tag-key"), Values: []string{"karpenter.k8s.aws/cluster"}}}},
			"time": {Filters: []types.Filter{
				{Name: aws.String("create-time"),
					Values: []string{made.LaunchTemplate.CreateTime.Format("2006-01-02T15") + "*"}},
			}},
		} {
			out, err := c.DescribeLaunchTemplates(ctx, in)
			if err != nil || len(out.LaunchTemplates) != 1 {
				t.Errorf("by %s: %v, %v", name, out, err)
			}
		}
		out, err := c.DescribeLaunchTemplates(ctx,
			&ec2.DescribeLaunchTemplatesInput{
				Filters: []types.Filter{{Name: aws.String("launch-template-name"), Values: []string{"other"}}},
			})
		if err != nil || len(out.LaunchTemplates) != 0 {
			t.Errorf("by another name: %v, %v", out, err)
		}
	})
	t.Run("its data is shown exactly as given", func(t *testing.T) {
		out, err := c.DescribeLaunchTemplateVersions(ctx,
			&ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: id, Versions: []string{"$Latest"}})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.LaunchTemplateVersions) != 1 {
			t.Fatalf("%d versions", len(out.LaunchTemplateVersions))
		}
		v := out.LaunchTemplateVersions[0]
		d := v.LaunchTemplateData
		if *v.VersionNumber != 1 || !*v.DefaultVersion || *v.VersionDescription != "first" {
			t.Errorf("version %d, default %v, %q", *v.VersionNumber, *v.DefaultVersion, *v.VersionDescription)
		}
		if *d.ImageId != *data.ImageId || d.InstanceType != data.InstanceType || *d.UserData != *data.UserData ||
			d.EbsOptimized == nil || *d.EbsOptimized {
			t.Errorf("scalars: %+v", d)
		}
		if d.KeyName != nil || d.DisableApiTermination != nil || d.Placement != nil || d.Monitoring != nil ||
			d.MetadataOptions.HttpEndpoint != "" || d.MetadataOptions.HttpTokens != "required" {
			t.Errorf("something was put in that was not given: %+v", d)
		}
		if len(d.NetworkInterfaces) != 1 || *d.NetworkInterfaces[0].DeviceIndex != 0 ||
			d.NetworkInterfaces[0].Groups[0] != "sg-0123456789abcdef0" || d.NetworkInterfaces[0].DeleteOnTermination != nil {
			t.Errorf("interfaces: %+v", d.NetworkInterfaces)
		}
		if len(d.BlockDeviceMappings) != 2 || *d.BlockDeviceMappings[0].Ebs.VolumeSize != 9 ||
			d.BlockDeviceMappings[0].NoDevice != nil || d.BlockDeviceMappings[1].NoDevice == nil {
			t.Errorf("devices: %+v", d.BlockDeviceMappings)
		}
		if len(d.TagSpecifications) != 1 || *d.TagSpecifications[0].Tags[0].Value != "" {
			t.Errorf("tags: %+v", d.TagSpecifications)
		}
	})
	t.Run("a version of a source replaces whole members", func(t *testing.T) {
		in := &ec2.CreateLaunchTemplateVersionInput{
			LaunchTemplateId: id, SourceVersion: aws.String("1"), VersionDescription: aws.String("second"),
			ClientToken: aws.String("twice"),
			LaunchTemplateData: &types.RequestLaunchTemplateData{
				InstanceType:    types.InstanceTypeT3Micro,
				MetadataOptions: &types.LaunchTemplateInstanceMetadataOptionsRequest{HttpEndpoint: "enabled"},
			},
		}
		for range 2 { // the second is a retry
			out, err := c.CreateLaunchTemplateVersion(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			v := out.LaunchTemplateVersion
			d := v.LaunchTemplateData
			if *v.VersionNumber != 2 || *v.DefaultVersion || d.InstanceType != types.InstanceTypeT3Micro ||
				*d.ImageId != *data.ImageId || len(d.BlockDeviceMappings) != 2 {
				t.Errorf("version %d, default %v: %+v", *v.VersionNumber, *v.DefaultVersion, d)
			}
			if d.MetadataOptions.HttpTokens != "" || d.MetadataOptions.HttpEndpoint != "enabled" {
				t.Errorf("a member of the source was mixed into one that was given: %+v", d.MetadataOptions)
			}
		}
		out, err := c.CreateLaunchTemplateVersion(ctx,
			&ec2.CreateLaunchTemplateVersionInput{
				LaunchTemplateName: aws.String("karpenter.k8s.aws/123"),
				LaunchTemplateData: &types.RequestLaunchTemplateData{KeyName: aws.String("k")},
			})
		if err != nil || *out.LaunchTemplateVersion.VersionNumber != 3 ||
			out.LaunchTemplateVersion.LaunchTemplateData.ImageId != nil {
			t.Errorf("without a source: %+v, %v", out, err)
		}
	})
	t.Run("versions are picked by number, word, bounds and filter, the newest first", func(t *testing.T) {
		for _, tt := range []struct {
			in   ec2.DescribeLaunchTemplateVersionsInput
			want []int64
		}{
			{ec2.DescribeLaunchTemplateVersionsInput{}, []int64{3, 2, 1}},
			{ec2.DescribeLaunchTemplateVersionsInput{Versions: []string{"1", "$Latest"}}, []int64{3, 1}},
			{ec2.DescribeLaunchTemplateVersionsInput{Versions: []string{"$Default", "1"}}, []int64{1}},
			{ec2.DescribeLaunchTemplateVersionsInput{MinVersion: aws.String("2")}, []int64{3, 2}},
			{ec2.DescribeLaunchTemplateVersionsInput{MinVersion: aws.String("2"), MaxVersion: aws.String("2")}, []int64{2}},
			{ec2.DescribeLaunchTemplateVersionsInput{
				Filters: []types.Filter{{Name: aws.String("instance-type"), Values: []string{"t3.micro"}}},
			}, []int64{2}},
			{ec2.DescribeLaunchTemplateVersionsInput{
				Filters: []types.Filter{{Name: aws.String("is-default-version"), Values: []string{"true"}}},
			}, []int64{1}},
			{ec2.DescribeLaunchTemplateVersionsInput{
				Filters: []types.Filter{{Name: aws.String("http-tokens"), Values: []string{"required"}}},
			}, []int64{1}},
			{ec2.DescribeLaunchTemplateVersionsInput{
				Filters: []types.Filter{{Name: aws.String("ebs-optimized"), Values: []string{"false"}}},
			}, []int64{2, 1}},
		} {
			tt.in.LaunchTemplateId = id
			out, err := c.DescribeLaunchTemplateVersions(ctx, &tt.in)
			if err != nil || !slices.Equal(versionNumbers(out.LaunchTemplateVersions), tt.want) {
				t.Errorf("%v %v %v: got %v, %v, want %v", tt.in.Versions, aws.ToString(tt.in.MinVersion), tt.in.Filters,
					out, err, tt.want)
			}
		}
		pages := ec2.NewDescribeLaunchTemplateVersionsPaginator(c,
			&ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: id, MaxResults: aws.Int32(2)})
		var all []int64
		for pages.HasMorePages() {
			out, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, versionNumbers(out.LaunchTemplateVersions)...)
		}
		if !slices.Equal(all, []int64{3, 2, 1}) {
			t.Errorf("by pages: %v", all)
		}
	})
	t.Run("without a template, the latest or default versions of all are listed", func(t *testing.T) {
		r.template(c, "other", &types.RequestLaunchTemplateData{KeyName: aws.String("x")})
		out, err := c.DescribeLaunchTemplateVersions(ctx,
			&ec2.DescribeLaunchTemplateVersionsInput{Versions: []string{"$Latest"}})
		if err != nil || !slices.Equal(versionNumbers(out.LaunchTemplateVersions), []int64{3, 1}) {
			t.Errorf("latest of all: %v, %v", out, err)
		}
		if _, err := c.DescribeLaunchTemplateVersions(ctx,
			&ec2.DescribeLaunchTemplateVersionsInput{Versions: []string{"1"}}); codeOf(err) != "InvalidParameterValue" {
			t.Errorf("a number of no template: %v", err)
		}
	})
	t.Run("another default", func(t *testing.T) {
		out, err := c.ModifyLaunchTemplate(ctx,
			&ec2.ModifyLaunchTemplateInput{LaunchTemplateId: id, DefaultVersion: aws.String("2")})
		if err != nil || *out.LaunchTemplate.DefaultVersionNumber != 2 || *out.LaunchTemplate.LatestVersionNumber != 3 {
			t.Errorf("got %+v, %v", out, err)
		}
	})
	t.Run("versions go one by one, except the default", func(t *testing.T) {
		out, err := c.DeleteLaunchTemplateVersions(ctx,
			&ec2.DeleteLaunchTemplateVersionsInput{LaunchTemplateId: id, Versions: []string{"1", "2", "3", "9"}})
		if err != nil {
			t.Fatal(err)
		}
		var gone []int64
		for _, v := range out.SuccessfullyDeletedLaunchTemplateVersions {
			gone = append(gone, *v.VersionNumber)
		}
		why := map[int64]types.LaunchTemplateErrorCode{}
		for _, v := range out.UnsuccessfullyDeletedLaunchTemplateVersions {
			why[*v.VersionNumber] = v.ResponseError.Code
		}
		if !slices.Equal(gone, []int64{1, 3}) || len(why) != 2 || why[2] != "unexpectedError" ||
			why[9] != "launchTemplateVersionDoesNotExist" {
			t.Errorf("gone %v, not gone %v", gone, why)
		}
		next, err := c.CreateLaunchTemplateVersion(ctx,
			&ec2.CreateLaunchTemplateVersionInput{
				LaunchTemplateId: id, LaunchTemplateData: &types.RequestLaunchTemplateData{KeyName: aws.String("k")},
			})
		if err != nil || *next.LaunchTemplateVersion.VersionNumber != 4 {
			t.Errorf("a deleted version's number was given again: %+v, %v", next, err)
		}
		none, err := c.DeleteLaunchTemplateVersions(ctx,
			&ec2.DeleteLaunchTemplateVersionsInput{
				LaunchTemplateId: aws.String("lt-0123456789abcdef0"), Versions: []string{"1"},
			})
		if err != nil || len(none.UnsuccessfullyDeletedLaunchTemplateVersions) != 1 ||
			none.UnsuccessfullyDeletedLaunchTemplateVersions[0].ResponseError.Code != "launchTemplateIdDoesNotExist" {
			t.Errorf("of an unknown template: %+v, %v", none, err)
		}
	})
	t.Run("tags are edited as anything's", func(t *testing.T) {
		if _, err := c.CreateTags(ctx,
			&ec2.CreateTagsInput{
				Resources: []string{*id}, Tags: []types.Tag{{Key: aws.String("more"), Value: aws.String("1")}},
			}); err != nil {
			t.Fatal(err)
		}
		out, err := c.DescribeTags(ctx,
			&ec2.DescribeTagsInput{
				Filters: []types.Filter{{Name: aws.String("resource-type"), Values: []string{"launch-template"}}},
			})
		if err != nil || len(out.Tags) != 2 || *out.Tags[0].ResourceId != *id {
			t.Errorf("got %+v, %v", out, err)
		}
	})
	t.Run("deleted, it is gone with its versions and its name is free", func(t *testing.T) {
		if _, err := c.DeleteLaunchTemplate(ctx, &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: id}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.DescribeLaunchTemplates(ctx,
			&ec2.DescribeLaunchTemplatesInput{
				LaunchTemplateIds: []string{*id},
			}); codeOf(err) != "InvalidLaunchTemplateId.NotFound" {
			t.Errorf("described: %v", err)
		}
		if _, err := c.DeleteLaunchTemplate(ctx,
			&ec2.DeleteLaunchTemplateInput{LaunchTemplateId: id}); codeOf(err) != "InvalidLaunchTemplateId.NotFound" {
			t.Errorf("deleted again: %v", err)
		}
		if lt := r.template(c, "karpenter.k8s.aws/123",
			&types.RequestLaunchTemplateData{KeyName: aws.String("x")}); *lt.LatestVersionNumber != 1 {
			t.Errorf("a new one of the name begins at version %d", *lt.LatestVersionNumber)
		}
	})
}

// TestLaunchTemplateRefusals provokes each refusal of the template actions.
func TestLaunchTemplateRefusals(t *testing.T) {
	r := simulated(t)
	c := r.client()
	ctx := t.Context()
	id := r.template(c, "web", &types.RequestLaunchTemplateData{InstanceType: "t3.nano"}).LaunchTemplateId
	some := &types.RequestLaunchTemplateData{InstanceType: "t3.nano"}
	const absent = "lt-0123456789abcdef0"
	create := func(in ec2.CreateLaunchTemplateInput) func(context.Context) error {
		if in.LaunchTemplateData == nil {
			in.LaunchTemplateData = some
		}
		return func(ctx context.Context) error { _, err := c.CreateLaunchTemplate(ctx, &in); return err }
	}
	version := func(in ec2.CreateLaunchTemplateVersionInput) func(context.Context) error {
		in.LaunchTemplateData = some
		return func(ctx context.Context) error { _, err := c.CreateLaunchTemplateVersion(ctx, &in); return err }
	}
	describe := func(in ec2.DescribeLaunchTemplatesInput) func(context.Context) error {
		return func(ctx context.Context) error { _, err := c.DescribeLaunchTemplates(ctx, &in); return err }
	}
	versions := func(in ec2.DescribeLaunchTemplateVersionsInput) func(context.Context) error {
		return func(ctx context.Context) error { _, err := c.DescribeLaunchTemplateVersions(ctx, &in); return err }
	}
	modify := func(in ec2.ModifyLaunchTemplateInput) func(context.Context) error {
		return func(ctx context.Context) error { _, err := c.ModifyLaunchTemplate(ctx, &in); return err }
	}
	remove := func(in ec2.DeleteLaunchTemplateInput) func(context.Context) error {
		return func(ctx context.Context) error { _, err := c.DeleteLaunchTemplate(ctx, &in); return err }
	}
	removeVersions := func(in ec2.DeleteLaunchTemplateVersionsInput) func(context.Context) error {
		return func(ctx context.Context) error { _, err := c.DeleteLaunchTemplateVersions(ctx, &in); return err }
	}
	from := func(in ec2.GetLaunchTemplateDataInput) func(context.Context) error {
		return func(ctx context.Context) error { _, err := c.GetLaunchTemplateData(ctx, &in); return err }
	}
	s := aws.String
	for _, tt := range []struct {
		name, code string
		call       func(context.Context) error
	}{
		{"a name in use", "InvalidLaunchTemplateName.AlreadyExistsException",
			create(ec2.CreateLaunchTemplateInput{LaunchTemplateName: s("web")})},
		{"a short name", "InvalidLaunchTemplateName.MalformedException",
			create(ec2.CreateLaunchTemplateInput{LaunchTemplateName: s("ab")})},
		{"a name with a space", "InvalidLaunchTemplateName.MalformedException",
			create(ec2.CreateLaunchTemplateInput{LaunchTemplateName: s("a web")})},
		{"user data that is no base64", "InvalidUserData.Malformed",
			create(ec2.CreateLaunchTemplateInput{
				LaunchTemplateName: s("new"), LaunchTemplateData: &types.RequestLaunchTemplateData{UserData: s("!!")},
			})},
		{"too much user data", "InvalidUserData.Malformed",
			create(ec2.CreateLaunchTemplateInput{
				LaunchTemplateName: s("new"),
				LaunchTemplateData: &types.RequestLaunchTemplateData{UserData: s(strings.Repeat("AAAA", 5462))},
			})},
		{"a long description", "InvalidParameterValue",
			create(ec2.CreateLaunchTemplateInput{
				LaunchTemplateName: s("new"), VersionDescription: s(strings.Repeat("x", 256)),
			})},
		{"tags of an instance", "InvalidParameterValue",
			create(ec2.CreateLaunchTemplateInput{
				LaunchTemplateName: s("new"),
				TagSpecifications: []types.TagSpecification{
					{ResourceType: "instance", Tags: []types.Tag{{Key: s("a"), Value: s("b")}}},
				},
			})},
		{"a dry run of a creation", "DryRunOperation",
			create(ec2.CreateLaunchTemplateInput{LaunchTemplateName: s("new"), DryRun: aws.Bool(true)})},
		{"a version of nothing", "MissingParameter", version(ec2.CreateLaunchTemplateVersionInput{})},
		{"a version of id and name", "InvalidParameterCombination",
			version(ec2.CreateLaunchTemplateVersionInput{LaunchTemplateId: id, LaunchTemplateName: s("web")})},
		{"a version of an unknown id", "InvalidLaunchTemplateId.NotFound",
			version(ec2.CreateLaunchTemplateVersionInput{LaunchTemplateId: s(absent)})},
		{"a version of a malformed id", "InvalidLaunchTemplateId.Malformed",
			version(ec2.CreateLaunchTemplateVersionInput{LaunchTemplateId: s("lt-x")})},
		{"a version of an unknown name", "InvalidLaunchTemplateName.NotFoundException",
			version(ec2.CreateLaunchTemplateVersionInput{LaunchTemplateName: s("nobody")})},
		{"an unknown source version", "InvalidLaunchTemplateId.VersionNotFound",
			version(ec2.CreateLaunchTemplateVersionInput{LaunchTemplateId: id, SourceVersion: s("7")})},
		{"a source version that is no version", "InvalidParameterValue",
			version(ec2.CreateLaunchTemplateVersionInput{LaunchTemplateId: id, SourceVersion: s("last")})},
		{"a dry run of a version", "DryRunOperation",
			version(ec2.CreateLaunchTemplateVersionInput{LaunchTemplateId: id, DryRun: aws.Bool(true)})},
		{"a malformed id described", "InvalidLaunchTemplateId.Malformed",
			describe(ec2.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{"lt-x"}})},
		{"an unknown id described", "InvalidLaunchTemplateId.NotFound",
			describe(ec2.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{absent}})},
		{"an unknown name described", "InvalidLaunchTemplateName.NotFoundException",
			describe(ec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{"nobody"}})},
		{"an unknown filter", "InvalidParameterValue",
			describe(ec2.DescribeLaunchTemplatesInput{Filters: []types.Filter{{Name: s("x"), Values: []string{"y"}}}})},
		{"a dry run of a description", "DryRunOperation", describe(ec2.DescribeLaunchTemplatesInput{DryRun: aws.Bool(true)})},
		{"an unknown version described", "InvalidLaunchTemplateId.VersionNotFound",
			versions(ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: id, Versions: []string{"2"}})},
		{"versions of an unknown name", "InvalidLaunchTemplateName.NotFoundException",
			versions(ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateName: s("nobody")})},
		{"versions of nothing", "MissingParameter", versions(ec2.DescribeLaunchTemplateVersionsInput{})},
		{"a dry run of versions", "DryRunOperation",
			versions(ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: id, DryRun: aws.Bool(true)})},
		{"no default to set", "MissingParameter", modify(ec2.ModifyLaunchTemplateInput{LaunchTemplateId: id})},
		{"an unknown default", "InvalidLaunchTemplateId.VersionNotFound",
			modify(ec2.ModifyLaunchTemplateInput{LaunchTemplateId: id, DefaultVersion: s("2")})},
		{"a dry run of a default", "DryRunOperation",
			modify(ec2.ModifyLaunchTemplateInput{LaunchTemplateId: id, DefaultVersion: s("1"), DryRun: aws.Bool(true)})},
		{"an unknown id deleted", "InvalidLaunchTemplateId.NotFound",
			remove(ec2.DeleteLaunchTemplateInput{LaunchTemplateId: s(absent)})},
		{"an unknown name deleted", "InvalidLaunchTemplateName.NotFoundException",
			remove(ec2.DeleteLaunchTemplateInput{LaunchTemplateName: s("nobody")})},
		{"a dry run of a deletion", "DryRunOperation",
			remove(ec2.DeleteLaunchTemplateInput{LaunchTemplateId: id, DryRun: aws.Bool(true)})},
		{"a word for a version deleted", "InvalidParameterValue",
			removeVersions(ec2.DeleteLaunchTemplateVersionsInput{LaunchTemplateId: id, Versions: []string{"$Latest"}})},
		{"a dry run of versions deleted", "DryRunOperation",
			removeVersions(ec2.DeleteLaunchTemplateVersionsInput{
				LaunchTemplateId: id, Versions: []string{"1"}, DryRun: aws.Bool(true),
			})},
		{"data of a malformed instance", "InvalidInstanceID.Malformed",
			from(ec2.GetLaunchTemplateDataInput{InstanceId: s("i")})},
		{"data of an unknown instance", "InvalidInstanceID.NotFound",
			from(ec2.GetLaunchTemplateDataInput{InstanceId: s("i-0123456789abcdef0")})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.call(ctx); codeOf(err) != tt.code {
				t.Errorf("got %v, want %s", err, tt.code)
			}
		})
	}
	for name, tt := range map[string]struct {
		form url.Values
		want string
	}{
		"no data": {url.Values{"Action": {"CreateLaunchTemplate"}, "LaunchTemplateName": {"new"}},
			"<Code>MissingParameter</Code>"},
		"an unknown member": {url.Values{
			"Action": {"CreateLaunchTemplate"}, "LaunchTemplateName": {"new"}, "LaunchTemplateData.SubnetId": {"subnet-1"},
		}, "<Code>UnknownParameter</Code><Message>The parameter LaunchTemplateData.SubnetId is not recognized"},
		"a malformed boolean": {url.Values{
			"Action": {"CreateLaunchTemplate"}, "LaunchTemplateName": {"new"}, "LaunchTemplateData.EbsOptimized": {"perhaps"},
		}, "<Code>InvalidParameterValue</Code>"},
		"no versions": {url.Values{"Action": {"DeleteLaunchTemplateVersions"}, "LaunchTemplateId": {*id}},
			"<Code>MissingParameter</Code>"},
	} {
		if got := r.signed(tt.form); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	all, err := c.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{})
	if err != nil || len(all.LaunchTemplates) != 1 || *all.LaunchTemplates[0].LatestVersionNumber != 1 {
		t.Errorf("refused calls left %+v, %v", all, err)
	}
	t.Run("what a launch would refuse is warned of", func(t *testing.T) {
		out, err := c.CreateLaunchTemplate(ctx,
			&ec2.CreateLaunchTemplateInput{
				LaunchTemplateName: s("odd"), LaunchTemplateData: &types.RequestLaunchTemplateData{ImageId: s("image")},
			})
		if err != nil || out.Warning == nil || len(out.Warning.Errors) != 1 ||
			*out.Warning.Errors[0].Code != "InvalidAMIID.Malformed" {
			t.Errorf("got %+v, %v", out, err)
		}
	})
}
