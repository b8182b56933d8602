// Package parameters is as much of the SSM service's parameter store as EC2's clients need: the public parameters that
// name images. It keeps nothing of anybody's.
package parameters

import (
	"context"
	"strings"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/shape"
	"slipway/internal/ssmwire"
	"slipway/internal/state"
	"slipway/internal/store"
)

// public is below what the parameters are that belong to nobody.
const public = "/aws/service/"

// Service answers GetParameter, GetParameters and GetParametersByPath.
type Service struct {
	db        state.DB
	authorize func(ctx context.Context, action, resource string) error
}

// New makes the service.
func New(
	db state.DB, authorize func(ctx context.Context, action, resource string) error,
) *Service {
	return &Service{db, authorize}
}

// Actions are what the room serves.
func (s *Service) Actions() map[string]action.JSONHandler {
	return map[string]action.JSONHandler{
		"GetParameter":        action.HandleJSON(s.GetParameter),
		"GetParameters":       action.HandleJSON(s.GetParameters),
		"GetParametersByPath": action.HandleJSON(s.GetParametersByPath),
	}
}

// GetParameter answers one.
func (s *Service) GetParameter(ctx context.Context, in *ssmwire.GetParameterRequest) (*ssmwire.GetParameterResult, error) {
	name := shape.Get(in.Name)
	r, err := s.view(ctx, "GetParameter", name)
	if err != nil {
		return nil, err
	}
	p := find(r, slipway.CallFrom(ctx).Region, name)
	if p == nil {
		return nil, slipway.Errorf(slipway.ParameterNotFound, "The parameter %s was not found.", name)
	}
	return &ssmwire.GetParameterResult{Parameter: p}, nil
}

// GetParameters answers those that are there, and names the others.
func (s *Service) GetParameters(ctx context.Context, in *ssmwire.GetParametersRequest) (*ssmwire.GetParametersResult, error) {
	r, err := s.view(ctx, "GetParameters", in.Names...)
	if err != nil {
		return nil, err
	}
	out := &ssmwire.GetParametersResult{InvalidParameters: []string{}, Parameters: []ssmwire.Parameter{}}
	for _, name := range in.Names {
		if p := find(r, slipway.CallFrom(ctx).Region, name); p != nil {
			out.Parameters = append(out.Parameters, *p)
		} else {
			out.InvalidParameters = append(out.InvalidParameters, name)
		}
	}
	return out, nil
}

// GetParametersByPath answers what lies under a path, and with Recursive what lies under that.
func (s *Service) GetParametersByPath(
	ctx context.Context, in *ssmwire.GetParametersByPathRequest,
) (*ssmwire.GetParametersByPathResult, error) {
	path := shape.Get(in.Path)
	r, err := s.view(ctx, "GetParametersByPath", path)
	if err != nil {
		return nil, err
	}
	out := &ssmwire.GetParametersByPathResult{Parameters: []ssmwire.Parameter{}}
	for _, name := range state.ImageAliases() {
		rest, below := strings.CutPrefix(name, strings.TrimSuffix(path, "/")+"/")
		if !below || !shape.Get(in.Recursive) && strings.Contains(rest, "/") {
			continue
		}
		if p := find(r, slipway.CallFrom(ctx).Region, name); p != nil {
			out.Parameters = append(out.Parameters, *p)
		}
	}
	return out, nil
}

// view is what the caller may read of, if it may take the action with the parameters of the names.
func (s *Service) view(ctx context.Context, action string, names ...string) (store.Reader, error) {
	call := slipway.CallFrom(ctx)
	for _, name := range names {
		if err := s.authorize(ctx, "ssm:"+action, arn(call.Region, call.Account, name)); err != nil {
			return nil, err
		}
	}
	return s.db.Snapshot(ctx)
}

func find(r store.Reader, region, name string) *ssmwire.Parameter {
	im := state.AliasedImage(r, region, name)
	if im == nil {
		return nil
	}
	return &ssmwire.Parameter{
		Name: shape.Text(name), Type: shape.Text("String"), Value: shape.Text(im.ID), Version: new(int64(1)),
		LastModifiedDate: new(float64(im.Created.Unix())), DataType: shape.Text("aws:ec2:image"),
		ARN: shape.Text(arn(region, "", name)),
	}
}

// arn names a parameter; the public ones are of no account.
func arn(region, account, name string) string {
	name = "/" + strings.TrimPrefix(name, "/")
	if strings.HasPrefix(name+"/", public) {
		account = ""
	}
	return "arn:" + slipway.Partition(region) + ":ssm:" + region + ":" + account + ":parameter" + name
}
