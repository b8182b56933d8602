package launchtemplates

import (
	"context"
	"slices"
	"strings"
	"time"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

func stamp(t time.Time) []string { return []string{t.UTC().Format(ec2query.TimeForm)} }

var fields = filters.Fields[*slipway.LaunchTemplate]{
	"create-time":          func(t *slipway.LaunchTemplate) []string { return stamp(t.Created) },
	"launch-template-name": func(t *slipway.LaunchTemplate) []string { return []string{t.Name} },
}

// Describe lists templates by name. There are no managed ones here that IncludeManagedResources would add.
func (s *Service) Describe(
	ctx context.Context, in *ec2wire.DescribeLaunchTemplatesRequest,
) (*ec2wire.DescribeLaunchTemplatesResult, error) {
	for _, id := range in.LaunchTemplateIds {
		if _, err := slipway.ParseLaunchTemplateID(id); err != nil {
			return nil, err
		}
	}
	match, err := filters.Matcher(describe.Filters(in.Filters), fields, func(t *slipway.LaunchTemplate) slipway.Tags {
		return t.Tags
	})
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	named := map[string]*slipway.LaunchTemplate{}
	for _, id := range in.LaunchTemplateIds {
		t, err := byID(r, state.Of(ctx), id)
		if err != nil {
			return nil, err
		}
		named[t.Name] = t
	}
	for _, name := range in.LaunchTemplateNames {
		if named[name] = state.LaunchTemplates.See(r, state.Of(ctx), name); named[name] == nil {
			return nil, slipway.Errorf(slipway.InvalidLaunchTemplateNameNotFoundException,
				"At least one of the launch templates specified in the request does not exist.")
		}
	}
	var found []*slipway.LaunchTemplate
	for t := range state.LaunchTemplates.All(r, state.Of(ctx)) {
		if (len(in.LaunchTemplateIds)+len(in.LaunchTemplateNames) == 0 || named[t.Name] != nil) && match(t) {
			found = append(found, t)
		}
	}
	page, next, err := describe.Page(found, in.MaxResults, in.NextToken, false, 1)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.DescribeLaunchTemplatesResult{LaunchTemplates: make([]ec2wire.LaunchTemplate, len(page)), NextToken: next}
	for i, t := range page {
		out.LaunchTemplates[i] = *template(t)
	}
	return out, nil
}

// versionFields look at a version as it is shown.
var versionFields = describe.Shown[ec2wire.LaunchTemplateVersion](
	"create-time", "ebs-optimized=LaunchTemplateData.EbsOptimized",
	"host-resource-group-arn=LaunchTemplateData.Placement.HostResourceGroupArn",
	"http-endpoint=LaunchTemplateData.MetadataOptions.HttpEndpoint",
	"http-protocol-ipv4=LaunchTemplateData.MetadataOptions.HttpEndpoint",
	"http-tokens=LaunchTemplateData.MetadataOptions.HttpTokens",
	"iam-instance-profile=LaunchTemplateData.IamInstanceProfile.Arn|LaunchTemplateData.IamInstanceProfile.Name", "image-id=LaunchTemplateData.ImageId",
	"instance-type=LaunchTemplateData.InstanceType", "is-default-version=DefaultVersion",
	"kernel-id=LaunchTemplateData.KernelId",
	"license-configuration-arn=LaunchTemplateData.LicenseSpecifications.LicenseConfigurationArn",
	"network-card-index=LaunchTemplateData.NetworkInterfaces.NetworkCardIndex",
	"ram-disk-id=LaunchTemplateData.RamDiskId",
)

// Versions lists a template's versions, the newest first; without a template, the latest or the default ones of all.
func (s *Service) Versions(
	ctx context.Context, in *ec2wire.DescribeLaunchTemplateVersionsRequest,
) (*ec2wire.DescribeLaunchTemplateVersionsResult, error) {
	match, err := filters.Matcher(describe.Filters(in.Filters), versionFields, nil)
	if err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	templates, err := described(r, state.Of(ctx), in)
	if err != nil {
		return nil, err
	}
	type one struct {
		of *slipway.LaunchTemplate
		v  *slipway.LaunchTemplateVersion
	}
	var found []one
	for _, t := range templates {
		versions, err := picked(r, t, in)
		if err != nil {
			return nil, err
		}
		for _, v := range versions {
			if len(in.Filters) > 0 { // only then each has to be written to be looked at
				w, err := s.version(ctx, t, v, shape.Get(in.ResolveAlias))
				if err != nil {
					return nil, err
				}
				if !match(w) {
					continue
				}
			}
			found = append(found, one{t, v})
		}
	}
	page, next, err := describe.Page(found, in.MaxResults, in.NextToken, false, 1)
	if err != nil {
		return nil, err
	}
	out := &ec2wire.DescribeLaunchTemplateVersionsResult{
		LaunchTemplateVersions: make([]ec2wire.LaunchTemplateVersion, len(page)), NextToken: next,
	}
	for i, p := range page {
		w, err := s.version(ctx, p.of, p.v, shape.Get(in.ResolveAlias))
		if err != nil {
			return nil, err
		}
		out.LaunchTemplateVersions[i] = *w
	}
	return out, nil
}

// described are the templates whose versions are asked for.
func described(
	r store.Reader, scope state.Scope, in *ec2wire.DescribeLaunchTemplateVersionsRequest,
) ([]*slipway.LaunchTemplate, error) {
	all := len(in.Versions) > 0 && !slices.ContainsFunc(in.Versions, func(v string) bool { return !strings.HasPrefix(v, "$") })
	if all && shape.Get(in.LaunchTemplateId)+shape.Get(in.LaunchTemplateName) == "" {
		return slices.Collect(state.LaunchTemplates.All(r, scope)), nil
	}
	if shape.Get(in.LaunchTemplateId)+shape.Get(in.LaunchTemplateName) == "" {
		code := slipway.InvalidParameterValue
		if len(in.Versions) == 0 {
			code = slipway.MissingParameter
		}
		return nil, slipway.Errorf(code, "To describe the launch template data for all your launch templates, for ‘--versions’ "+
			"specify ‘$Latest’, ‘$Default’, or both, and omit ‘--launch-template-id’, ‘--launch-template-name’, and version "+
			"numbers. To describe the launch template data for a specific launch template, specify ‘--launch-template-id’ or "+
			"‘--launch-template-name’, and for ‘--versions’ specify one or more of the following values: ‘$Latest’, "+
			"‘$Default’, or one or more version numbers.")
	}
	t, err := Find(r, scope, in.LaunchTemplateId, in.LaunchTemplateName)
	return []*slipway.LaunchTemplate{t}, err
}

// picked are the versions of one template that a request means: those named, or all, between the least and the greatest.
func picked(
	r store.Reader, t *slipway.LaunchTemplate, in *ec2wire.DescribeLaunchTemplateVersionsRequest,
) ([]*slipway.LaunchTemplateVersion, error) {
	least, greatest := int64(1), t.Issued
	var err error
	if v := shape.Get(in.MinVersion); v != "" {
		if least, err = number(t, v); err != nil {
			return nil, err
		}
	}
	if v := shape.Get(in.MaxVersion); v != "" {
		if greatest, err = number(t, v); err != nil {
			return nil, err
		}
	}
	versions := slices.Collect(state.LaunchTemplateVersions.By(r, scopeOf(t), "template/"+string(t.ID)))
	if len(in.Versions) > 0 {
		versions = nil
		for _, text := range in.Versions {
			v, err := Pick(r, t, text)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(versions, v) {
				versions = append(versions, v)
			}
		}
	}
	versions = slices.DeleteFunc(versions, func(v *slipway.LaunchTemplateVersion) bool {
		return v.Number < least || v.Number > greatest
	})
	slices.SortFunc(versions, func(a, b *slipway.LaunchTemplateVersion) int { return int(b.Number - a.Number) })
	return versions, nil
}
