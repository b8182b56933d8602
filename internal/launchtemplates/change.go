package launchtemplates

import (
	"context"
	"strconv"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Modify makes another version the default.
func (s *Service) Modify(
	ctx context.Context, in *ec2wire.ModifyLaunchTemplateRequest,
) (*ec2wire.ModifyLaunchTemplateResult, error) {
	version := shape.Get(in.DefaultVersion)
	switch {
	case version == "":
		return nil, slipway.Missing("SetDefaultVersion")
	case shape.Get(in.LaunchTemplateId) != "" && shape.Get(in.LaunchTemplateName) != "":
		return nil, slipway.Errorf(slipway.InvalidParameterCombination,
			"Either provide launch template ID or launch template name to modify the template.")
	}
	token := state.OnceOf(state.Of(ctx), "ModifyLaunchTemplate", in)
	var now *slipway.LaunchTemplate
	err := s.db.Update(ctx, func(tx store.Tx) error {
		found, err := Find(tx, token.Scope, in.LaunchTemplateId, in.LaunchTemplateName)
		if err != nil {
			return err
		}
		if now, err = state.LaunchTemplates.Get(tx, token.Scope, found.Name); err != nil {
			return err
		}
		if before, err := token.Seen(tx); err != nil || before != nil {
			return err // a retry does not undo what came after the first
		}
		v, err := Pick(tx, now, version)
		if slipway.CodeOf(err) == slipway.InvalidLaunchTemplateIDVersionNotFound {
			return slipway.Errorf(slipway.InvalidLaunchTemplateIDVersionNotFound,
				"The launch template version %s is not found for the specified launch template.", version)
		}
		if err != nil {
			return err
		}
		now.Default = v.Number
		if err := state.LaunchTemplates.Put(tx, now); err != nil {
			return err
		}
		return token.Keep(tx, string(now.ID), s.now())
	})
	if err != nil {
		return nil, err
	}
	return &ec2wire.ModifyLaunchTemplateResult{LaunchTemplate: template(now)}, nil
}

// Delete removes a template with all its versions. Instances keep the tags that name it.
func (s *Service) Delete(
	ctx context.Context, in *ec2wire.DeleteLaunchTemplateRequest,
) (*ec2wire.DeleteLaunchTemplateResult, error) {
	scope := state.Of(ctx)
	var gone *slipway.LaunchTemplate
	err := s.db.Update(ctx, func(tx store.Tx) error {
		found, err := Find(tx, scope, in.LaunchTemplateId, in.LaunchTemplateName)
		if err != nil {
			return err
		}
		if gone, err = state.LaunchTemplates.Get(tx, scope, found.Name); err != nil {
			return err
		}
		for v := range state.LaunchTemplateVersions.By(tx, scope, "template/"+string(gone.ID)) {
			state.LaunchTemplateVersions.Delete(tx, scope, state.VersionKey(v.Template, v.Number))
		}
		state.LaunchTemplates.Delete(tx, scope, gone.Name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ec2wire.DeleteLaunchTemplateResult{LaunchTemplate: template(gone)}, nil
}

// DeleteVersions removes those versions that may go and says of each other one why not.
func (s *Service) DeleteVersions(
	ctx context.Context, in *ec2wire.DeleteLaunchTemplateVersionsRequest,
) (*ec2wire.DeleteLaunchTemplateVersionsResult, error) {
	if len(in.Versions) == 0 {
		return nil, slipway.Missing("LaunchTemplateVersion")
	}
	numbers := make([]int64, len(in.Versions))
	for i, text := range in.Versions {
		var err error
		if numbers[i], err = strconv.ParseInt(text, 10, 64); err != nil || numbers[i] < 1 {
			return nil, slipway.Invalid(text, "launchTemplateVersion", "It must be the number of a version.")
		}
	}
	scope := state.Of(ctx)
	var out *ec2wire.DeleteLaunchTemplateVersionsResult
	err := s.db.Update(ctx, func(tx store.Tx) error {
		out = &ec2wire.DeleteLaunchTemplateVersionsResult{
			SuccessfullyDeletedLaunchTemplateVersions:   []ec2wire.DeleteLaunchTemplateVersionsResponseSuccessItem{},
			UnsuccessfullyDeletedLaunchTemplateVersions: []ec2wire.DeleteLaunchTemplateVersionsResponseErrorItem{},
		}
		id, name := in.LaunchTemplateId, in.LaunchTemplateName
		fail := func(n int64, code string, why string) {
			out.UnsuccessfullyDeletedLaunchTemplateVersions = append(out.UnsuccessfullyDeletedLaunchTemplateVersions,
				ec2wire.DeleteLaunchTemplateVersionsResponseErrorItem{
					LaunchTemplateId: id, LaunchTemplateName: name, VersionNumber: &n,
					ResponseError: &ec2wire.ResponseError{Code: &code, Message: &why},
				})
		}
		found, err := Find(tx, scope, id, name)
		if code, ok := itemCodes[slipway.CodeOf(err)]; err != nil && ok {
			for _, n := range numbers {
				fail(n, code, message(err))
			}
			return nil
		}
		if err != nil {
			return err
		}
		t, err := state.LaunchTemplates.Get(tx, scope, found.Name)
		if err != nil {
			return err
		}
		id, name = shape.Text(t.ID), &t.Name
		gone := map[int64]bool{}
		for _, n := range numbers {
			_, err := Pick(tx, t, decimal(n))
			switch {
			case err != nil || gone[n]:
				fail(n, "launchTemplateVersionDoesNotExist",
					"Could not find the specified version "+decimal(n)+" for the launch template with ID "+string(t.ID)+".")
			case n == t.Default:
				fail(n, "unexpectedError",
					"The default version "+decimal(n)+
						" of a launch template cannot be deleted. Make another version the default first.")
			default:
				gone[n] = true
				state.LaunchTemplateVersions.Delete(tx, scope, state.VersionKey(t.ID, n))
				out.SuccessfullyDeletedLaunchTemplateVersions = append(out.SuccessfullyDeletedLaunchTemplateVersions,
					ec2wire.DeleteLaunchTemplateVersionsResponseSuccessItem{
						LaunchTemplateId: id, LaunchTemplateName: name, VersionNumber: &n,
					})
			}
		}
		t.Latest = 0
		for v := range state.LaunchTemplateVersions.By(tx, scope, "template/"+string(t.ID)) {
			if !gone[v.Number] {
				t.Latest = max(t.Latest, v.Number)
			}
		}
		return state.LaunchTemplates.Put(tx, t)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// itemCodes are the refusals of a whole template as DeleteLaunchTemplateVersions gives them for each version.
var itemCodes = map[slipway.Code]string{
	slipway.InvalidLaunchTemplateIDNotFound:             "launchTemplateIdDoesNotExist",
	slipway.InvalidLaunchTemplateIDMalformed:            "launchTemplateIdMalformed",
	slipway.InvalidLaunchTemplateNameNotFoundException:  "launchTemplateNameDoesNotExist",
	slipway.InvalidLaunchTemplateNameMalformedException: "launchTemplateNameMalformed",
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
