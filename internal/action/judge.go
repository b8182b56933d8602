package action

import (
	"context"
	"errors"
	"slices"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Ask says whether a caller may do what they ask for on each of the resources, by the records of the reader.
type Ask func(r store.Reader, resources []Resource) error

// judgement is one request's: what it concerns is asked before its first transaction does its work, and on the records
// that the transaction reads; what it has done by then is not undone by asking once more.
type judgement struct {
	ask    Ask
	of     func(View) []Resource
	call   slipway.Call
	within bool // the method has to ask as well
	asked  bool // and did
	done   bool
}

// Judged makes the judge of a request and asks it at once, of what this process knows: who may not learns nothing else.
func Judged(
	ctx context.Context, now store.Reader, rules Rules, of func(View) []Resource, ask Ask,
) (_ context.Context, err error) {
	defer state.Catch(&err)
	j := &judgement{ask: ask, of: of, call: slipway.CallFrom(ctx), within: rules.Within}
	return state.WithJudge(ctx, j), j.request(now)
}

func (j *judgement) Before(r store.Reader) error {
	if j.done {
		return nil
	}
	if j.asked = false; j.within {
		return nil // the method asks, about what it resolves
	}
	return j.request(r)
}

// request asks about what the request concerns.
func (j *judgement) request(r store.Reader) error {
	resources := j.of(View{r, j.call})
	own := func(x Resource) bool { return x.Right == "" || x.Right == "ec2:"+j.call.Action }
	if !slices.ContainsFunc(resources, own) { // an action on nothing is one on everything
		resources = append(resources, Resource{ARN: "*"})
	}
	return j.ask(r, resources)
}

func (j *judgement) After() error {
	if j.within && !j.asked && !j.done {
		return errors.New("the action resolves what it does and did not have it judged")
	}
	return nil
}

func (j *judgement) Done() { j.done = true }

// Judge asks about what a method has resolved in its transaction. Outside of a request, and for who may everything,
// all is allowed.
func Judge(ctx context.Context, r store.Reader, resources []Resource) error {
	j, ok := state.JudgeFrom(ctx).(*judgement)
	if !ok {
		return nil
	}
	j.asked = true
	return j.ask(r, resources)
}
