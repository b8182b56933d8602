// Package parameters is as much of the SSM service's parameter store as EC2's clients need: the public parameters that
// name images. It speaks JSON, as SSM does, and keeps nothing of anybody's.
package parameters

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"

	"slipway"
	"slipway/internal/server"
	"slipway/internal/state"
	"slipway/internal/store"
)

// public is below what the parameters are that belong to nobody.
const public = "/aws/service/"

// Service answers GetParameter, GetParameters and GetParametersByPath.
type Service struct {
	db        state.DB
	authorize func(ctx context.Context, action, resource string) error
	log       *slog.Logger
}

var _ server.Service = (*Service)(nil)

// New makes the service.
func New(db state.DB, authorize func(ctx context.Context, action, resource string) error, log *slog.Logger) *Service {
	return &Service{db, authorize, log}
}

const content = "application/x-amz-json-1.1"

type parameter struct {
	Name             string
	Type             string
	Value            string
	Version          int
	LastModifiedDate float64
	ARN              string
	DataType         string
}

// Serve answers a verified request.
func (s *Service) Serve(ctx context.Context, w http.ResponseWriter, r *http.Request, body []byte) {
	action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSSM.")
	out, err := s.call(ctx, action, body)
	if err != nil {
		s.Refuse(w, server.Refusal(ctx, s.log, err), slipway.CallFrom(ctx).RequestID)
		return
	}
	w.Header().Set("Content-Type", content)
	json.NewEncoder(w).Encode(out)
}

// Refuse writes SSM's error document.
func (s *Service) Refuse(w http.ResponseWriter, err *slipway.Error, _ string) {
	w.Header().Set("Content-Type", content)
	if err.Code == slipway.AccessDenied { // SSM has its own word for it
		err = slipway.Errorf(slipway.AccessDeniedException, "%s", err.Message)
	}
	w.WriteHeader(err.Code.Status())
	json.NewEncoder(w).Encode(map[string]string{"__type": string(err.Code), "message": err.Message})
}

func (s *Service) call(ctx context.Context, action string, body []byte) (any, error) {
	var in struct {
		Name, Path     string
		Names          []string
		WithDecryption bool
		Recursive      bool
		MaxResults     int
		NextToken      string
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, slipway.Errorf(slipway.ValidationError, "The request is not JSON")
	}
	names := in.Names
	switch action {
	case "GetParameter":
		names = []string{in.Name}
	case "GetParameters":
	case "GetParametersByPath":
		names = []string{in.Path}
	default:
		return nil, slipway.Errorf(slipway.InvalidAction, "The action %s of SSM is not implemented by slipway.", action)
	}
	call := slipway.CallFrom(ctx)
	region := call.Region
	for _, name := range names {
		if err := s.authorize(ctx, "ssm:"+action, arn(region, call.Account, name)); err != nil {
			return nil, err
		}
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	switch action {
	case "GetParameter":
		p := find(r, region, in.Name)
		if p == nil {
			return nil, slipway.Errorf(slipway.ParameterNotFound, "The parameter %s was not found.", in.Name)
		}
		return map[string]any{"Parameter": p}, nil
	case "GetParameters":
		found, missing := []*parameter{}, []string{}
		for _, name := range in.Names {
			if p := find(r, region, name); p != nil {
				found = append(found, p)
			} else {
				missing = append(missing, name)
			}
		}
		return map[string]any{"Parameters": found, "InvalidParameters": missing}, nil
	}
	found := []*parameter{}
	for _, name := range state.ImageAliases() {
		rest, below := strings.CutPrefix(name, strings.TrimSuffix(in.Path, "/")+"/")
		if !below || !in.Recursive && strings.Contains(rest, "/") {
			continue
		}
		if p := find(r, region, name); p != nil {
			found = append(found, p)
		}
	}
	return map[string]any{"Parameters": found}, nil
}

func find(r store.Reader, region, name string) *parameter {
	im := state.AliasedImage(r, region, name)
	if im == nil {
		return nil
	}
	return &parameter{
		Name: name, Type: "String", Value: string(im.ID), Version: 1, LastModifiedDate: float64(im.Created.Unix()),
		DataType: "aws:ec2:image",
		ARN:      arn(region, "", name),
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
