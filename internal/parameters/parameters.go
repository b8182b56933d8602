// Package parameters is SSM's parameter store: an account's own parameters, with their versions, and the public ones that
// name images here. It must not know what a parameter is used for.
package parameters

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/shape"
	"slipway/internal/ssmwire"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service answers the parameter store's actions.
type Service struct {
	db  state.DB
	now func() time.Time
}

// New makes the service.
func New(db state.DB, now func() time.Time) *Service { return &Service{db, now} }

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
		"GetParameterHistory": action.JSON(s.GetParameterHistory,
			func(v action.View, in *ssmwire.GetParameterHistoryRequest) []action.Resource {
				return named(v, shape.Get(in.Name))
			}),
		"DescribeParameters": action.JSON(s.DescribeParameters,
			func(v action.View, _ *ssmwire.DescribeParametersRequest) []action.Resource {
				return []action.Resource{{ARN: "arn:" + slipway.Partition(v.Call.Region) + ":ssm:" + v.Call.Region + ":" +
					v.Call.Account + ":*"}}
			}),
		"PutParameter": action.JSON(s.PutParameter, func(v action.View, in *ssmwire.PutParameterRequest) []action.Resource {
			out := named(v, shape.Get(in.Name))
			out[0].Given = slipway.Tags{}
			for _, t := range in.Tags {
				out[0].Given[shape.Get(t.Key)] = shape.Get(t.Value)
			}
			out[0].Keys = map[string]string{"ssm:Overwrite": strconv.FormatBool(shape.Get(in.Overwrite))}
			return out
		}),
		"DeleteParameter": action.JSON(s.DeleteParameter,
			func(v action.View, in *ssmwire.DeleteParameterRequest) []action.Resource {
				return named(v, shape.Get(in.Name))
			}),
		"DeleteParameters": action.JSON(s.DeleteParameters,
			func(v action.View, in *ssmwire.DeleteParametersRequest) []action.Resource {
				return named(v, in.Names...)
			}),
		"AddTagsToResource": action.JSON(s.AddTags,
			func(v action.View, in *ssmwire.AddTagsToResourceRequest) []action.Resource {
				out := named(v, shape.Get(in.ResourceId))
				out[0].Given = slipway.Tags{}
				for _, t := range in.Tags {
					out[0].Given[shape.Get(t.Key)] = shape.Get(t.Value)
				}
				return out
			}),
		"RemoveTagsFromResource": action.JSON(s.RemoveTags,
			func(v action.View, in *ssmwire.RemoveTagsFromResourceRequest) []action.Resource {
				out := named(v, shape.Get(in.ResourceId))
				out[0].Taken = in.TagKeys
				return out
			}),
		"ListTagsForResource": action.JSON(s.ListTags,
			func(v action.View, in *ssmwire.ListTagsForResourceRequest) []action.Resource {
				return named(v, shape.Get(in.ResourceId))
			}),
	}
}

// named are the parameters of the names, as the caller's policies know them.
func named(v action.View, references ...string) []action.Resource {
	var out []action.Resource
	for _, reference := range references {
		name, _ := state.ParameterName(reference)
		x := action.Resource{ARN: slipway.ParameterARN(v.Call.Region, v.Call.Account, name)}
		if p, _, err := state.FindParameter(v, v.Scope(), reference); err == nil {
			x.Has = p.Tags
		} else if p := state.SSMParameters.See(v, v.Scope(), name); p != nil { // a version that is not there
			x.Has = p.Tags
		}
		out = append(out, x)
	}
	return out
}

func invalid(format string, args ...any) error {
	return slipway.Errorf(slipway.ValidationException, format, args...)
}

// need refuses a request without a member that it must have.
func need(member, value string) error {
	if value == "" {
		return invalid("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must not be null",
			strings.ToLower(member[:1])+member[1:])
	}
	return nil
}

// GetParameter answers one.
func (s *Service) GetParameter(ctx context.Context, in *ssmwire.GetParameterRequest) (*ssmwire.GetParameterResult, error) {
	if err := need("Name", shape.Get(in.Name)); err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	p, err := find(r, state.Of(ctx), *in.Name, shape.Get(in.WithDecryption))
	if err != nil {
		return nil, err
	}
	return &ssmwire.GetParameterResult{Parameter: p}, nil
}

// maxNames is how many parameters a call may name, as in SSM.
const maxNames = 10

func fewNames(names []string) error {
	if len(names) == 0 || len(names) > maxNames {
		return invalid("1 validation error detected: Value '[%s]' at 'names' failed to satisfy constraint: Member must have "+
			"length between 1 and %d", strings.Join(names, ", "), maxNames)
	}
	return nil
}

// GetParameters answers those that are there, and names the others.
func (s *Service) GetParameters(ctx context.Context, in *ssmwire.GetParametersRequest) (*ssmwire.GetParametersResult, error) {
	if err := fewNames(in.Names); err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	out := &ssmwire.GetParametersResult{InvalidParameters: []string{}, Parameters: []ssmwire.Parameter{}}
	for _, name := range in.Names {
		if p, err := find(r, state.Of(ctx), name, shape.Get(in.WithDecryption)); err == nil {
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
	if err := need("Path", path); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(path, "/") {
		return nil, invalid("The parameter path must begin with a forward slash: %s", path)
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	match, err := matching(nil, in.ParameterFilters, byPath)
	if err != nil {
		return nil, err
	}
	under := func(name string) bool {
		rest, below := strings.CutPrefix(name, strings.TrimSuffix(path, "/")+"/")
		return below && (shape.Get(in.Recursive) || !strings.Contains(rest, "/"))
	}
	all := []ssmwire.Parameter{}
	for p := range state.SSMParameters.All(r, state.Of(ctx)) {
		if under(p.Name) && match(p) {
			all = append(all, wire(p, p.Latest(), shape.Get(in.WithDecryption)))
		}
	}
	for _, name := range state.ImageAliases() {
		if p := public(r, slipway.CallFrom(ctx).Region, name); under(name) && p != nil {
			all = append(all, *p)
		}
	}
	page, next, err := page(all, in.MaxResults, in.NextToken, maxNames)
	return &ssmwire.GetParametersByPathResult{Parameters: page, NextToken: next}, err
}

// GetParameterHistory answers a parameter's versions, the oldest first.
func (s *Service) GetParameterHistory(
	ctx context.Context, in *ssmwire.GetParameterHistoryRequest,
) (*ssmwire.GetParameterHistoryResult, error) {
	if err := need("Name", shape.Get(in.Name)); err != nil {
		return nil, err
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	p, _, err := state.FindParameter(r, state.Of(ctx), *in.Name)
	if err != nil {
		return nil, err
	}
	all := []ssmwire.ParameterHistory{}
	for i := range p.Versions {
		v := &p.Versions[i]
		w := wire(p, v, shape.Get(in.WithDecryption))
		all = append(all, ssmwire.ParameterHistory{
			Name: w.Name, Type: w.Type, KeyId: shape.Text(p.KeyID), LastModifiedDate: w.LastModifiedDate,
			LastModifiedUser: shape.Text(v.By), Description: shape.Text(p.Description), Value: w.Value,
			AllowedPattern: shape.Text(p.AllowedPattern), Version: w.Version, Labels: []string{}, Tier: shape.Text(p.Tier),
			Policies: []ssmwire.ParameterInlinePolicy{}, DataType: w.DataType,
		})
	}
	page, next, err := page(all, in.MaxResults, in.NextToken, 50)
	return &ssmwire.GetParameterHistoryResult{Parameters: page, NextToken: next}, err
}

// find is a parameter by a reference: the caller's own, or a public one.
func find(r store.Reader, s state.Scope, reference string, open bool) (*ssmwire.Parameter, error) {
	if p := public(r, s.Region, reference); p != nil {
		return p, nil
	}
	p, v, err := state.FindParameter(r, s, reference)
	if err != nil {
		return nil, err
	}
	w := wire(p, v, open)
	if _, version := state.ParameterName(reference); version != "" {
		w.Selector = shape.Of(":" + version)
	}
	return &w, nil
}

func public(r store.Reader, region, name string) *ssmwire.Parameter {
	im := state.AliasedImage(r, region, name)
	if im == nil {
		return nil
	}
	return &ssmwire.Parameter{
		Name: shape.Text(name), Type: shape.Text("String"), Value: shape.Text(im.ID), Version: new(int64(1)),
		LastModifiedDate: seconds(im.Created), DataType: shape.Text(image),
		ARN: shape.Text(slipway.ParameterARN(region, "", name)),
	}
}

// wire writes a version of a parameter. A SecureString that is not to be opened shows what nobody can read.
func wire(p *slipway.SSMParameter, v *slipway.SSMParameterVersion, open bool) ssmwire.Parameter {
	arn, value := slipway.ParameterARN(p.Region, p.Account, p.Name), v.Secret
	if p.Type == secure && !open {
		sum := sha256.Sum256([]byte(arn + ":" + strconv.FormatInt(v.Number, 10)))
		value = base64.StdEncoding.EncodeToString(sum[:])
	}
	return ssmwire.Parameter{
		Name: shape.Text(p.Name), Type: shape.Text(p.Type), Value: &value, Version: &v.Number,
		LastModifiedDate: seconds(v.At), DataType: shape.Text(v.DataType), ARN: &arn,
	}
}

func seconds(at time.Time) *float64 { return new(float64(at.UnixMilli()) / 1000) }

// page cuts the part of a list that a request asks for; most is SSM's bound, and what it gives where nothing is asked.
func page[T any](all []T, max *int32, token *string, most int32) ([]T, *string, error) {
	size, from := most, 0
	if max != nil {
		size = *max
	}
	if size < 1 || size > most {
		return nil, nil, invalid("1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: "+
			"Member must be between 1 and %d", size, most)
	}
	if shape.Get(token) != "" {
		var err error
		if from, err = strconv.Atoi(*token); err != nil || from < 0 || from > len(all) {
			return nil, nil, slipway.Errorf(slipway.InvalidNextToken, "The specified token isn't valid.")
		}
	}
	end := min(from+int(size), len(all))
	if end == len(all) {
		return all[from:end], nil, nil
	}
	return all[from:end], shape.Of(strconv.Itoa(end)), nil
}
