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
type Service struct{ db state.DB }

// New makes the service.
func New(db state.DB) *Service { return &Service{db} }

// Actions are what the room serves.
func (s *Service) Actions() action.JSONTable {
	return action.JSONTable{
		"GetParameter": action.JSON(s.GetParameter, func(v action.View, in *ssmwire.GetParameterRequest) []action.Resource {
			return named(v, shape.Get(in.Name))
		}),
		"GetParameters": action.JSON(s.GetParameters, func(v action.View, in *ssmwire.GetParametersRequest) []action.Resource {
			return named(v, in.Names...)
		}),
		"GetParametersByPath": action.JSON(s.GetParametersByPath,
			func(v action.View, in *ssmwire.GetParametersByPathRequest) []action.Resource {
				return named(v, shape.Get(in.Path))
			}),
	}
}

// named are the parameters of the names, as the caller's policies know them.
func named(v action.View, names ...string) []action.Resource {
	var out []action.Resource
	for _, name := range names {
		out = append(out, action.Resource{ARN: arn(v.Call.Region, v.Call.Account, name)})
	}
	return out
}

// GetParameter answers one.
func (s *Service) GetParameter(ctx context.Context, in *ssmwire.GetParameterRequest) (*ssmwire.GetParameterResult, error) {
	name := shape.Get(in.Name)
	r, err := s.db.Snapshot(ctx)
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
	r, err := s.db.Snapshot(ctx)
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
	r, err := s.db.Snapshot(ctx)
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
