package parameters

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/shape"
	"slipway/internal/ssmwire"
	"slipway/internal/state"
	"slipway/internal/store"
)

// What a parameter is, and what its value means.
const (
	secure = "SecureString"
	image  = "aws:ec2:image"
)

// SSM's bounds.
const (
	maxName       = 1011 // characters
	maxLevels     = 15
	maxStandard   = 4096 // bytes of a value
	maxAdvanced   = 8192
	maxParameters = 10000 // of an account in a region
	maxTags       = 50
	defaultKey    = "alias/aws/ssm"
)

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

// checkName holds a new parameter's name against SSM's rules.
func checkName(name string) error {
	first, _, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(name, "/")), "/")
	switch {
	case strings.HasPrefix(first, "aws") || strings.HasPrefix(first, "ssm"):
		return invalid("Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). If formed as a path, it "+
			"can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the "+
			"following 3 symbols .-_: %s", name)
	case !nameForm.MatchString(name) || strings.Contains(name, "//") || strings.HasSuffix(name, "/"):
		return invalid("Parameter name must be a fully qualified name of letters, numbers and the symbols .-_ , in sub-paths "+
			"that slashes divide: %s", name)
	case strings.Contains(strings.TrimPrefix(name, "/"), "/") && !strings.HasPrefix(name, "/"):
		return invalid("Parameter name must be a fully qualified name: %s", name)
	case len(name) > maxName:
		return invalid("Parameter name must not be longer than %d characters.", maxName)
	case strings.Count(name, "/") > maxLevels:
		return slipway.Errorf(slipway.HierarchyLevelLimitExceededException,
			"A hierarchy can have a maximum of %d levels. Rework your parameter name to use fewer levels.", maxLevels)
	}
	return nil
}

func oneOf(member, value string, of ...string) error {
	if !slices.Contains(of, value) {
		return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum "+
			"value set: [%s]", value, member, strings.Join(of, ", "))
	}
	return nil
}

// checkPut holds a request against what it says itself.
func checkPut(in *ssmwire.PutParameterRequest) error {
	if err := need("Name", shape.Get(in.Name)); err != nil {
		return err
	}
	if err := need("Value", shape.Get(in.Value)); err != nil {
		return err
	}
	if err := checkName(*in.Name); err != nil {
		return err
	}
	for member, of := range map[string][]string{
		"type": {"", secure, "StringList", "String"}, "dataType": {"", "text", image, "aws:ssm:integration"},
		"tier": {"", "Standard", "Advanced", "Intelligent-Tiering"},
	} {
		given := map[string]*string{"type": in.Type, "dataType": in.DataType, "tier": in.Tier}[member]
		if err := oneOf(member, shape.Get(given), of...); err != nil {
			return err
		}
	}
	switch {
	case shape.Get(in.DataType) == "aws:ssm:integration":
		return invalid("The data type aws:ssm:integration is not supported by slipway: it belongs to Systems Manager Automation.")
	case shape.Get(in.DataType) == image && shape.Get(in.Type) != "" && *in.Type != "String":
		return invalid("The data type %s is for parameters of the type String.", image)
	case shape.Get(in.Policies) != "":
		return invalid("The parameter Policies is not supported by slipway: parameters here neither expire nor notify.")
	case shape.Get(in.KeyId) != "" && shape.Get(in.Type) != "" && *in.Type != secure:
		return invalid("KeyId can only be specified for parameters of the type SecureString.")
	case len(in.Tags) > 0 && shape.Get(in.Overwrite):
		return invalid("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please " +
			"remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or " +
			"RemoveTagsFromResource.")
	}
	return nil
}

// PutParameter makes a parameter, or with Overwrite a new version of one.
func (s *Service) PutParameter(ctx context.Context, in *ssmwire.PutParameterRequest) (*ssmwire.PutParameterResult, error) {
	if err := checkPut(in); err != nil {
		return nil, err
	}
	given, err := tagged(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	var out *ssmwire.PutParameterResult
	err = s.db.Update(ctx, func(tx store.Tx) error {
		scope := state.Of(ctx)
		p := state.SSMParameters.See(tx, scope, *in.Name)
		switch {
		case p != nil && !shape.Get(in.Overwrite):
			return slipway.Errorf(slipway.ParameterAlreadyExists,
				"The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
		case p != nil && shape.Get(in.Type) != "" && *in.Type != p.Type && (*in.Type == secure) != (p.Type == secure):
			return slipway.Errorf(slipway.HierarchyTypeMismatchException,
				"The parameter type can't be changed between SecureString and another: delete the parameter and create it anew.")
		case p == nil:
			if err := need("Type", shape.Get(in.Type)); err != nil {
				return invalid("A parameter type is required when you create a parameter.")
			}
			if n := count(tx, scope); n >= maxParameters {
				return slipway.Errorf(slipway.ParameterLimitExceeded,
					"You have exceeded the number of parameters for this Amazon Web Services account: %d.", maxParameters)
			}
			p = &slipway.SSMParameter{Account: scope.Account, Region: scope.Region, Name: *in.Name, Tags: given}
		default:
			p = new(*p)
		}
		if err := s.edit(tx, scope, p, in); err != nil {
			return err
		}
		v := p.Latest()
		v.By, v.At = slipway.CallFrom(ctx).ARN, s.now().UTC()
		out = &ssmwire.PutParameterResult{Version: &v.Number, Tier: &p.Tier}
		return state.SSMParameters.Put(tx, p)
	})
	return out, err
}

func count(r store.Reader, s state.Scope) (n int) {
	for range state.SSMParameters.All(r, s) {
		n++
	}
	return n
}

// edit gives a parameter what a request says, and a new version.
func (s *Service) edit(r store.Reader, scope state.Scope, p *slipway.SSMParameter, in *ssmwire.PutParameterRequest) error {
	p.Type = cmp.Or(shape.Get(in.Type), p.Type)
	if in.Description != nil {
		p.Description = *in.Description
	}
	if in.AllowedPattern != nil {
		p.AllowedPattern = *in.AllowedPattern
	}
	if p.Type == secure {
		p.KeyID = cmp.Or(shape.Get(in.KeyId), p.KeyID, defaultKey)
	}
	value, data, tier := *in.Value, "text", shape.Get(in.Tier)
	if len(p.Versions) > 0 {
		data = p.Latest().DataType
	}
	data = cmp.Or(shape.Get(in.DataType), data)
	switch {
	case tier == "Advanced", tier == "Intelligent-Tiering" && len(value) > maxStandard, p.Tier == "Advanced":
		p.Tier = "Advanced" // a parameter does not go back
	default:
		p.Tier = "Standard"
	}
	if most := map[string]int{"Standard": maxStandard, "Advanced": maxAdvanced}[p.Tier]; len(value) > most {
		return invalid("%s tier parameters support a maximum parameter value of %d characters. To create a larger parameter "+
			"value, upgrade the parameter to use the advanced-parameter tier.", p.Tier, most)
	}
	if p.AllowedPattern != "" {
		form, err := regexp.Compile(p.AllowedPattern)
		if err != nil {
			return slipway.Errorf(slipway.InvalidAllowedPatternException, "The regular expression %s is not valid.",
				p.AllowedPattern)
		}
		if !form.MatchString(value) {
			return slipway.Errorf(slipway.ParameterPatternMismatchException,
				"Parameter value, cannot be validated against allowedPattern: %s", p.AllowedPattern)
		}
	}
	if data == image {
		im := state.FindImage(r, scope.Region, value)
		if im == nil || !im.LaunchableFrom(scope.Account) || im.State != slipway.ImageStateAvailable {
			return invalid("The value of a parameter of the data type %s must be the id of an available image: %s",
				image, value)
		}
	}
	next := int64(1)
	if n := len(p.Versions); n > 0 {
		next = p.Versions[n-1].Number + 1
	}
	p.Versions = append(slices.Clone(p.Versions), slipway.SSMParameterVersion{Number: next, Secret: value, DataType: data})
	if extra := len(p.Versions) - slipway.MaxParameterVersions; extra > 0 {
		p.Versions = p.Versions[extra:]
	}
	return nil
}

// DeleteParameter deletes one, with all its versions.
func (s *Service) DeleteParameter(
	ctx context.Context, in *ssmwire.DeleteParameterRequest,
) (*ssmwire.DeleteParameterResult, error) {
	if err := need("Name", shape.Get(in.Name)); err != nil {
		return nil, err
	}
	return &ssmwire.DeleteParameterResult{}, s.db.Update(ctx, func(tx store.Tx) error {
		if _, err := state.SSMParameters.Require(tx, state.Of(ctx), *in.Name); err != nil {
			return err
		}
		state.SSMParameters.Delete(tx, state.Of(ctx), *in.Name)
		return nil
	})
}

// DeleteParameters deletes those that are there, and names the others.
func (s *Service) DeleteParameters(
	ctx context.Context, in *ssmwire.DeleteParametersRequest,
) (*ssmwire.DeleteParametersResult, error) {
	if err := fewNames(in.Names); err != nil {
		return nil, err
	}
	var out *ssmwire.DeleteParametersResult
	err := s.db.Update(ctx, func(tx store.Tx) error {
		out = &ssmwire.DeleteParametersResult{DeletedParameters: []string{}, InvalidParameters: []string{}}
		for _, name := range in.Names {
			if state.SSMParameters.See(tx, state.Of(ctx), name) == nil {
				out.InvalidParameters = append(out.InvalidParameters, name)
				continue
			}
			state.SSMParameters.Delete(tx, state.Of(ctx), name)
			out.DeletedParameters = append(out.DeletedParameters, name)
		}
		return nil
	})
	return out, err
}

// tagged are tags with more.
func tagged(have slipway.Tags, more []ssmwire.Tag) (slipway.Tags, error) {
	out := slipway.Tags{}
	for k, v := range have {
		out[k] = v
	}
	for _, t := range more {
		key, value := shape.Get(t.Key), shape.Get(t.Value)
		if key == "" || len(key) > 128 || len(value) > 256 || strings.HasPrefix(strings.ToLower(key), "aws:") {
			return nil,
				invalid("A tag has a key of 1 to 128 characters, which do not begin with aws:, and a value of at most 256: %s",
					key)
		}
		out[key] = value
	}
	if len(out) > maxTags {
		return nil, slipway.Errorf(slipway.TooManyTagsError, "The number of tags exceeds the limit of %d.", maxTags)
	}
	return out, nil
}

// resource edits the tags of what a request about tags names; nil: they are only read.
func (s *Service) resource(
	ctx context.Context, kind, id *string, edit func(slipway.Tags) (slipway.Tags, error),
) (slipway.Tags, error) {
	if shape.Get(kind) != "Parameter" {
		return nil, slipway.Errorf(slipway.InvalidResourceType, "The resource type %s is not valid here: only Parameter is.",
			shape.Get(kind))
	}
	absent := slipway.Errorf(slipway.InvalidResourceID,
		"The resource ID %s is not valid. Verify that you entered the correct ID "+
			"and try again.", shape.Get(id))
	if edit == nil {
		r, err := s.db.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		if p := state.SSMParameters.See(r, state.Of(ctx), shape.Get(id)); p != nil {
			return p.Tags, nil
		}
		return nil, absent
	}
	return nil, s.db.Update(ctx, func(tx store.Tx) error {
		p := state.SSMParameters.See(tx, state.Of(ctx), shape.Get(id))
		if p == nil {
			return absent
		}
		p = new(*p)
		var err error
		if p.Tags, err = edit(p.Tags); err != nil {
			return err
		}
		return state.SSMParameters.Put(tx, p)
	})
}

// AddTags answers AddTagsToResource.
func (s *Service) AddTags(ctx context.Context, in *ssmwire.AddTagsToResourceRequest) (*ssmwire.AddTagsToResourceResult, error) {
	_, err := s.resource(ctx, in.ResourceType, in.ResourceId, func(have slipway.Tags) (slipway.Tags, error) {
		return tagged(have, in.Tags)
	})
	return &ssmwire.AddTagsToResourceResult{}, err
}

// RemoveTags answers RemoveTagsFromResource.
func (s *Service) RemoveTags(
	ctx context.Context, in *ssmwire.RemoveTagsFromResourceRequest,
) (*ssmwire.RemoveTagsFromResourceResult, error) {
	_, err := s.resource(ctx, in.ResourceType, in.ResourceId, func(have slipway.Tags) (slipway.Tags, error) {
		out, err := tagged(have, nil)
		for _, key := range in.TagKeys {
			delete(out, key)
		}
		return out, err
	})
	return &ssmwire.RemoveTagsFromResourceResult{}, err
}

// ListTags answers ListTagsForResource.
func (s *Service) ListTags(
	ctx context.Context, in *ssmwire.ListTagsForResourceRequest,
) (*ssmwire.ListTagsForResourceResult, error) {
	tags, err := s.resource(ctx, in.ResourceType, in.ResourceId, nil)
	if err != nil {
		return nil, err
	}
	out := &ssmwire.ListTagsForResourceResult{TagList: []ssmwire.Tag{}}
	for _, k := range tags.Keys() {
		out.TagList = append(out.TagList, ssmwire.Tag{Key: &k, Value: shape.Of(tags[k])})
	}
	return out, nil
}
