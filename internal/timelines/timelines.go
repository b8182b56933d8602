// Package timelines is the room of what happened when, and why: of an instance from its admission to its end, of a
// reservation, of a launch that was refused. Rooms and hosts write their own steps; this one keeps refusals, follows
// trails and forgets old ones. It changes nothing else.
package timelines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service keeps and reads timelines.
type Service struct {
	db  state.DB
	log *slog.Logger
	now func() time.Time
}

// New makes the room.
func New(db state.DB, log *slog.Logger, now func() time.Time) *Service { return &Service{db, log, now} }

// Refused keeps why a launch was refused, for the one who asks; other calls are not worth a record each. An error that
// has notes of its own (a shortage: what each host lacked) adds them.
func (s *Service) Refused(ctx context.Context, refusal error) {
	c := slipway.CallFrom(ctx)
	switch slipway.CodeOf(refusal) {
	case slipway.DryRunOperation, slipway.RequestLimitExceeded:
		return
	}
	if c.Action != "RunInstances" {
		return
	}
	t := &state.Timeline{
		Scope: state.Of(ctx), ID: c.RequestID, Day: state.Day(s.now()), Error: refusal.Error(),
		Notes: map[string]string{"action": c.Action},
	}
	if noted, ok := errors.AsType[interface {
		error
		Notes() map[string]string
	}](refusal); ok {
		maps.Copy(t.Notes, noted.Notes())
	}
	if err := s.db.UpdateAlways(ctx, func(tx store.Tx) error { return state.Timelines.Put(tx, t) }); err != nil {
		s.log.Warn("refusal not kept", "error", err)
	}
}

// Explanation is all that is known of an instance, a reservation or a call.
type Explanation struct {
	Instance *Standing         `json:"instance,omitempty"`
	Trails   []*state.Timeline `json:"trails"` // the asked-for thing's first, then what it came from
}

// Standing is an instance as it is.
type Standing struct {
	ID     slipway.InstanceID `json:"id"`
	State  slipway.State      `json:"state"`
	Host   slipway.HostID     `json:"host"`
	Reason string             `json:"reason,omitempty"`
}

// Explain follows the trail from an instance to its reservation, or from a call to what it made. What nobody knows has
// no trail.
func Explain(r store.Reader, id string) Explanation {
	var e Explanation
	for seen := map[string]bool{}; id != "" && !seen[id]; {
		seen[id] = true
		next := ""
		for t := range state.Timelines.By(r, state.Global, "/id/"+id) {
			e.Trails = append(e.Trails, t)
			next = t.Notes["reservation"]
		}
		for in := range state.Instances.By(r, state.Global, "/id/"+id) {
			e.Instance = &Standing{in.ID, in.State, in.Host, in.Reason.Message}
			next = string(in.Reservation)
			break
		}
		id = next
	}
	return e
}

// Print is the explanation for people.
func (e Explanation) Print(w io.Writer) {
	if in := e.Instance; in != nil {
		fmt.Fprintf(w, "%s is %s on host %s; %s\n", in.ID, in.State, in.Host, in.Reason)
	}
	for _, t := range e.Trails {
		fmt.Fprintf(w, "%s (account %s, %s)\n", t.ID, t.Scope.Account, t.Scope.Region)
		if t.Error != "" {
			fmt.Fprintln(w, "  refused: "+t.Error)
		}
		for i, ev := range t.Events {
			since := ""
			if i > 0 {
				since = "+" + ev.At.Sub(t.Events[0].At).Round(time.Millisecond).String()
			}
			fmt.Fprintf(w, "  %s %10s  %s %s\n", ev.At.Format("15:04:05.000"), since, ev.Step, ev.Note)
		}
		for _, k := range slices.Sorted(maps.Keys(t.Notes)) {
			fmt.Fprintf(w, "  %s: %s\n", k, t.Notes[k])
		}
	}
}

// Of a sweep: how long a call's or a reservation's trail can be explained; how far back it looks, in case nobody swept
// for a while; and how many trails one transaction takes.
const (
	keptDays    = 7
	sweepBack   = 400
	sweepAtOnce = 500
)

// Sweep forgets trails of calls and reservations. An instance's goes with the instance.
func (s *Service) Sweep(ctx context.Context) error {
	var due []*state.Timeline
	for back := keptDays + 1; back <= sweepBack; back++ {
		due = slices.AppendSeq(due,
			state.Timelines.By(s.db.Local(), state.Global, "/day/"+state.Day(s.now().AddDate(0, 0, -back))))
	}
	for some := range slices.Chunk(due, sweepAtOnce) {
		err := s.db.Update(ctx, func(tx store.Tx) error {
			for _, t := range some {
				state.Timelines.Delete(tx, t.Scope, t.ID)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
