package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"

	"slipway"
	"slipway/internal/action"
)

const jsonContent = "application/x-amz-json-1.1"

// Targets is a service of the awsJson1_1 protocol (SSM): a header names the action, bodies are JSON.
type Targets struct {
	Name    string // "SSM"
	Prefix  string // of the header, "AmazonSSM."
	Actions action.JSONTable
	Known   map[string]bool // all actions that the service has, served or not
	Log     *slog.Logger
	// Admit says whether the caller may do what a request concerns, and puts into the context what judges its transactions.
	Admit func(ctx context.Context, of func(action.View) []action.Resource) (context.Context, error)
}

// Serve answers a verified request.
func (t *Targets) Serve(ctx context.Context, w http.ResponseWriter, r *http.Request, body []byte) {
	out, err := t.call(ctx, strings.TrimPrefix(r.Header.Get("X-Amz-Target"), t.Prefix), body)
	if err != nil {
		t.Refuse(w, otherRefusal(ctx, t.Log, err), slipway.CallFrom(ctx).RequestID)
		return
	}
	w.Header().Set("Content-Type", jsonContent)
	json.NewEncoder(w).Encode(out)
}

func (t *Targets) call(ctx context.Context, name string, body []byte) (any, error) {
	call := slipway.CallFrom(ctx)
	call.Action = name
	ctx = slipway.WithCall(ctx, call)
	declared, ok := t.Actions[name]
	switch {
	case !ok && t.Known[name]:
		return nil, unserved(name)
	case !ok:
		return nil, slipway.Errorf(slipway.UnknownOperationException, "The operation %s is not one of %s's.", name, t.Name)
	}
	request, err := declared.Read(body)
	if err != nil {
		return nil, err
	}
	judged, err := t.Admit(ctx, request.Resources)
	if err != nil {
		return nil, err
	}
	return request.Do(judged)
}

// Refuse writes the error document.
func (t *Targets) Refuse(w http.ResponseWriter, err *slipway.Error, _ string) {
	w.Header().Set("Content-Type", jsonContent)
	if err.Code == slipway.AccessDenied { // JSON's services have their own word for it
		err = slipway.Errorf(slipway.AccessDeniedException, "%s", err.Message)
	}
	w.WriteHeader(err.Code.Status())
	json.NewEncoder(w).Encode(map[string]string{"__type": string(err.Code), "message": err.Message})
}
