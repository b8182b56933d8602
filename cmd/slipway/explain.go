package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// explanation is all that is known of an instance, a reservation or a call.
type explanation struct {
	Instance *explained        `json:"instance,omitempty"`
	Trails   []*state.Timeline `json:"trails"` // the asked-for thing's first, then what it came from
}

// explained is an instance as it stands.
type explained struct {
	ID     slipway.InstanceID `json:"id"`
	State  slipway.State      `json:"state"`
	Host   slipway.HostID     `json:"host"`
	Reason string             `json:"reason,omitempty"`
}

func explainCommand(ctx context.Context, args []string) error {
	asJSON := false
	c, words, err := readConfig("explain", args, os.Getenv, func(fs *flag.FlagSet) { fs.BoolVar(&asJSON, "json", false, "answer in JSON") })
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return errors.New("explain: name one instance (i-…), reservation (r-…) or request id")
	}
	r, done, err := look(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	e := explain(r, words[0])
	if e.Instance == nil && len(e.Trails) == 0 {
		return fmt.Errorf("explain: nothing is known of %q in %s", words[0], c.State)
	}
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(e)
	}
	e.print(os.Stdout)
	return nil
}

// explain follows the trail from an instance to its reservation, or from a call to what it made.
func explain(r store.Reader, id string) explanation {
	var e explanation
	for seen := map[string]bool{}; id != "" && !seen[id]; {
		seen[id] = true
		next := ""
		for t := range state.Timelines.By(r, state.Global, "/id/"+id) {
			e.Trails = append(e.Trails, t)
			next = t.Notes["reservation"]
		}
		if in := findInstance(r, id); in != nil {
			e.Instance = &explained{in.ID, in.State, in.Host, in.Reason.Message}
			next = string(in.Reservation)
		}
		id = next
	}
	return e
}

func findInstance(r store.Reader, id string) *slipway.Instance {
	for in := range state.Instances.By(r, state.Global, "/id/"+id) {
		return in
	}
	return nil
}

func (e explanation) print(w io.Writer) {
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
