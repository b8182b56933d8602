package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2query"
)

// Members is a service of the awsQuery protocol (STS, IAM): lists are written "Name.member.1", results stand inside the root.
type Members struct {
	Namespace string
	Actions   action.Table
	Known     map[string]bool // all actions that the service has, served or not
	Log       *slog.Logger
	// Admit says whether the caller may do what a request concerns, and puts into the context what judges its transactions.
	Admit func(ctx context.Context, of func(action.View) []action.Resource) (context.Context, error)
}

// Serve answers a verified request.
func (m *Members) Serve(ctx context.Context, w http.ResponseWriter, r *http.Request, body []byte) {
	call := slipway.CallFrom(ctx)
	out, err := m.call(&ctx, r, body)
	if err != nil {
		m.Refuse(w, otherRefusal(ctx, m.Log, err), call.RequestID)
	} else {
		w.Header().Set("Content-Type", "text/xml")
		w.Write(ec2query.MemberAnswer(slipway.CallFrom(ctx).Action, m.Namespace, call.RequestID, out))
	}
	m.Log.Info("request", "action", slipway.CallFrom(ctx).Action, "code", codeText(err), "account", call.Account,
		"request", call.RequestID)
}

func (m *Members) call(ctx *context.Context, r *http.Request, body []byte) (ec2query.Encoder, error) {
	form, err := Form(r, body)
	if err != nil {
		return nil, err
	}
	call := slipway.CallFrom(*ctx)
	call.Action = form.Get("Action")
	*ctx = slipway.WithCall(*ctx, call)
	declared, ok := m.Actions[call.Action]
	switch {
	case !ok && m.Known[call.Action]:
		return nil, unserved(call.Action)
	case !ok:
		return nil, slipway.Errorf(slipway.InvalidAction, "Could not find operation %s for version %s", call.Action,
			form.Get("Version"))
	}
	reader, err := ec2query.NewMemberReader(form)
	if err != nil {
		return nil, err
	}
	request, err := declared.Read(reader)
	if err != nil {
		return nil, err
	}
	judged, err := m.Admit(*ctx, request.Resources)
	if err != nil {
		return nil, err
	}
	return request.Do(judged)
}

// unserved refuses an action that a service has and that is not served here.
func unserved(action string) error {
	return slipway.Errorf(slipway.UnsupportedOperation, "The action %s is not supported.", action)
}

// otherRefusal is what the caller of a service other than EC2 may know of an error; what was not meant for them goes to the log.
func otherRefusal(ctx context.Context, log *slog.Logger, err error) *slipway.Error {
	if e, ok := errors.AsType[*slipway.Error](err); ok {
		return e
	}
	log.ErrorContext(ctx, "internal error", "request", slipway.CallFrom(ctx).RequestID, "error", err)
	return slipway.Errorf(slipway.InternalFailure, "An internal error has occurred")
}

// Refuse writes the error document.
func (m *Members) Refuse(w http.ResponseWriter, err *slipway.Error, requestID string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(err.Code.Status())
	w.Write(ec2query.MemberRefusal(err, m.Namespace, requestID))
}
