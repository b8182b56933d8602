package spot

import (
	"context"
	"errors"
	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
	"strings"
)

// request makes count spot requests of one instance each, and fulfils what can be fulfilled now. A launch that could
// never be is refused, and nothing is kept of it.
func (s *Service) request(
	ctx context.Context, spec slipway.LaunchSpec, count int32, once state.Once,
) ([]slipway.SpotRequestID, error) {
	scope := state.Of(ctx)
	spec.Min, spec.Max, spec.ClientToken = 1, 1, ""
	var made []slipway.SpotRequestID
	seen := false
	err := s.db.Update(ctx, func(tx store.Tx) error {
		made, seen = nil, false
		t, err := once.Seen(tx)
		if err != nil {
			return err
		}
		if t != nil {
			seen = true
			for id := range strings.FieldsSeq(t.Result) {
				made = append(made, slipway.SpotRequestID(id))
			}
			return nil
		}
		kept, err := s.admission.Trial(ctx, tx, spec)
		if err != nil {
			return err
		}
		names := make([]string, 0, count)
		for range count {
			r := &slipway.SpotRequest{
				ID: slipway.NewSpotRequestID(), Account: scope.Account, Region: scope.Region, Options: *spec.Spot,
				Spec: kept, Created: s.now(), Tags: spec.Tags["spot-instances-request"],
			}
			err := errors.Join(r.Become(slipway.SpotRequestStateOpen, "pending-evaluation", s.now()), state.SpotRequests.Put(tx, r))
			if err != nil {
				return err
			}
			made, names = append(made, r.ID), append(names, string(r.ID))
		}
		return once.Keep(tx, strings.Join(names, " "), s.now())
	})
	if err != nil || seen {
		return made, err
	}
	return made, s.respawn(ctx)
}
