package launchtemplates

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"slipway"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
)

func template(t *slipway.LaunchTemplate) *ec2wire.LaunchTemplate {
	return &ec2wire.LaunchTemplate{
		LaunchTemplateId: shape.Text(t.ID), LaunchTemplateName: &t.Name, CreateTime: &t.Created,
		CreatedBy: &t.CreatedBy, DefaultVersionNumber: &t.Default,
		LatestVersionNumber: &t.Latest, Tags: shape.Tags(t.Tags), Operator: &ec2wire.OperatorResponse{Managed: shape.Of(false)},
	}
}

// version writes a version; with resolve, an image that is named by a public parameter is shown as that image.
func (s *Service) version(
	ctx context.Context, t *slipway.LaunchTemplate, v *slipway.LaunchTemplateVersion, resolve bool,
) (*ec2wire.LaunchTemplateVersion, error) {
	data, err := contents(v.Data)
	if err != nil {
		return nil, fmt.Errorf("version %d of %s: %w", v.Number, t.ID, err)
	}
	if name, ok := strings.CutPrefix(shape.Get(data.ImageId), "resolve:ssm:"); ok && resolve {
		r, err := s.db.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		id, err := s.launches.Image(r, state.Scope{Account: t.Account, Region: t.Region}, name)
		if err != nil {
			return nil, err
		}
		data.ImageId = shape.Text(id)
	}
	return &ec2wire.LaunchTemplateVersion{
		LaunchTemplateId: shape.Text(t.ID), LaunchTemplateName: &t.Name, VersionNumber: &v.Number,
		VersionDescription: shape.Text(v.Description),
		CreateTime:         &v.Created, CreatedBy: &v.CreatedBy, DefaultVersion: shape.Of(v.Number == t.Default),
		LaunchTemplateData: data,
		Operator:           &ec2wire.OperatorResponse{Managed: shape.Of(false)},
	}, nil
}

// contents are the parameters as answers show them.
func contents(p slipway.Parameters) (*ec2wire.ResponseLaunchTemplateData, error) {
	r, err := ec2query.Resend(p)
	if err != nil {
		return nil, err
	}
	var in ec2wire.RequestLaunchTemplateData
	in.DecodeQuery(r)
	return shown(in)
}

// shown is the request's shape as the answer's, which has the same members under the same names: one becomes the other by way
// of JSON.
func shown(in ec2wire.RequestLaunchTemplateData) (*ec2wire.ResponseLaunchTemplateData, error) {
	in.Sent = nil
	b, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	out := new(ec2wire.ResponseLaunchTemplateData)
	return out, json.Unmarshal(b, out)
}

// warning says what is wrong with a template that was accepted all the same: EC2 refuses it at the launch.
func (s *Service) warning(p slipway.Parameters) *ec2wire.ValidationWarning {
	err := s.launches.Check(p)
	if err == nil {
		return nil
	}
	return &ec2wire.ValidationWarning{
		Errors: []ec2wire.ValidationError{{Code: shape.Of(string(slipway.CodeOf(err))), Message: shape.Of(message(err))}},
	}
}

// message is an error's words for the caller.
func message(err error) string {
	if e, ok := errors.AsType[*slipway.Error](err); ok {
		return e.Message
	}
	return "An internal error has occurred"
}
