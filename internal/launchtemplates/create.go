package launchtemplates

import (
	"context"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Bounds of what a template holds.
const (
	maxData = 256 << 10 // a version is one record
)

// Create makes a template and its version 1.
func (s *Service) Create(
	ctx context.Context, in *ec2wire.CreateLaunchTemplateRequest,
) (*ec2wire.CreateLaunchTemplateResult, error) {
	name := shape.Get(in.LaunchTemplateName)
	switch {
	case name == "":
		return nil, slipway.Missing("LaunchTemplateName")
	case in.Operator != nil && shape.Get(in.Operator.Principal) != "":
		return nil, slipway.Errorf(slipway.UnsupportedOperation,
			"The parameter Operator is not supported: it is for AWS's own services.")
	}
	if err := slipway.CheckTemplateName(name); err != nil {
		return nil, err
	}
	data, err := parameters(in.LaunchTemplateData)
	if err != nil {
		return nil, err
	}
	tags, err := shape.TagsOf(in.TagSpecifications, "launch-template")
	if err != nil {
		return nil, err
	}
	token := state.OnceOf(state.Of(ctx), "CreateLaunchTemplate", in)
	var made *slipway.LaunchTemplate
	err = s.db.Update(ctx, func(tx store.Tx) error {
		before, err := token.Seen(tx)
		if err != nil {
			return err
		}
		if before != nil {
			made, err = byID(tx, token.Scope, before.Result)
			return err
		}
		if tx.Get(state.LaunchTemplates.Key(token.Scope, name)) != nil {
			return slipway.Errorf(slipway.InvalidLaunchTemplateNameAlreadyExistsException,
				"Launch template name already in use.")
		}
		if err := room(tx, token.Scope); err != nil {
			return err
		}
		made = &slipway.LaunchTemplate{
			ID: slipway.NewLaunchTemplateID(), Account: token.Scope.Account, Region: token.Scope.Region, Name: name,
			Created:   s.now(),
			CreatedBy: slipway.CallFrom(ctx).ARN, Tags: tags,
		}
		v := next(made, shape.Get(in.VersionDescription), data)
		v.Created, v.CreatedBy, made.Default = made.Created, made.CreatedBy, v.Number
		if err := state.LaunchTemplateVersions.Put(tx, v); err != nil {
			return err
		}
		if err := state.LaunchTemplates.Put(tx, made); err != nil {
			return err
		}
		return token.Keep(tx, string(made.ID), s.now())
	})
	if err != nil {
		return nil, err
	}
	return &ec2wire.CreateLaunchTemplateResult{LaunchTemplate: template(made), Warning: s.warning(data)}, nil
}

// CreateVersion adds a version, made from nothing or from an earlier one.
func (s *Service) CreateVersion(
	ctx context.Context, in *ec2wire.CreateLaunchTemplateVersionRequest,
) (*ec2wire.CreateLaunchTemplateVersionResult, error) {
	given, err := parameters(in.LaunchTemplateData)
	if err != nil {
		return nil, err
	}
	source := shape.Get(in.SourceVersion)
	token := state.OnceOf(state.Of(ctx), "CreateLaunchTemplateVersion", in)
	var of *slipway.LaunchTemplate
	var made *slipway.LaunchTemplateVersion
	err = s.db.Update(ctx, func(tx store.Tx) error {
		found, err := Find(tx, token.Scope, in.LaunchTemplateId, in.LaunchTemplateName)
		if err != nil {
			return err
		}
		if of, err = state.LaunchTemplates.Get(tx, token.Scope, found.Name); err != nil {
			return err
		}
		before, err := token.Seen(tx)
		if err != nil {
			return err
		}
		if before != nil {
			made, err = Pick(tx, of, before.Result)
			return err
		}
		data := given
		if source != "" {
			from, err := Pick(tx, of, source)
			if err != nil {
				return err
			}
			if data = given.Over(from.Data); data.Size() > maxData {
				return tooLarge()
			}
		}
		if err := roomFor(tx, of); err != nil {
			return err
		}
		made = next(of, shape.Get(in.VersionDescription), data)
		made.Created, made.CreatedBy = s.now(), slipway.CallFrom(ctx).ARN
		if err := state.LaunchTemplateVersions.Put(tx, made); err != nil {
			return err
		}
		if err := state.LaunchTemplates.Put(tx, of); err != nil {
			return err
		}
		return token.Keep(tx, decimal(made.Number), s.now())
	})
	if err != nil {
		return nil, err
	}
	w, err := s.version(ctx, of, made, shape.Get(in.ResolveAlias))
	if err != nil {
		return nil, err
	}
	return &ec2wire.CreateLaunchTemplateVersionResult{LaunchTemplateVersion: w, Warning: s.warning(made.Data)}, nil
}

// next is the template's next version.
func next(t *slipway.LaunchTemplate, description string, data slipway.Parameters) *slipway.LaunchTemplateVersion {
	t.Issued++
	t.Latest = t.Issued
	return &slipway.LaunchTemplateVersion{
		Template: t.ID, Account: t.Account, Region: t.Region, Number: t.Issued, Description: description, Data: data,
	}
}

// parameters are the template's contents. The decoder has refused unknown names and malformed values; of the rest only the
// user data is looked at, as clients expect.
func parameters(in *ec2wire.RequestLaunchTemplateData) (slipway.Parameters, error) {
	if in == nil {
		return nil, slipway.Missing("LaunchTemplateData")
	}
	if _, err := slipway.ParseUserData(shape.Get(in.UserData)); err != nil {
		return nil, slipway.Errorf(slipway.InvalidUserDataMalformed, "%s", message(err))
	}
	data := slipway.Parameters(in.Sent).Given()
	if data.Size() > maxData {
		return nil, tooLarge()
	}
	return data, nil
}

func tooLarge() error {
	return slipway.Errorf(slipway.InvalidParameterValue, "The launch template data exceeds %d bytes.", maxData)
}

// room refuses one template more than the account may have.
func room(tx store.Tx, scope state.Scope) error {
	n, limit := 0, quota(tx, scope, quotaTemplates, maxTemplates)
	for range state.LaunchTemplates.All(tx, scope) {
		n++
	}
	if n >= limit {
		return slipway.Errorf(slipway.MaxTemplateLimitExceeded,
			"You have reached the limit of %d launch templates in this region.", limit)
	}
	return nil
}

// roomFor refuses one version more than a template may have. Each new version changes the template: none is counted too late.
func roomFor(tx store.Tx, t *slipway.LaunchTemplate) error {
	n, limit := 0, quota(tx, scopeOf(t), quotaVersions, maxVersions)
	for range state.LaunchTemplateVersions.By(tx, scopeOf(t), "template/"+string(t.ID)) {
		n++
	}
	if n >= limit {
		return slipway.Errorf(slipway.MaxTemplateVersionLimitExceeded,
			"You have reached the limit of %d versions of a launch template.", limit)
	}
	return nil
}

func quota(r store.Reader, scope state.Scope, name string, otherwise int) int {
	if a := state.Accounts.See(r, state.Global, scope.Account); a != nil {
		if n, ok := a.Quotas[name]; ok {
			return n
		}
	}
	return otherwise
}
