package admission

import (
	"context"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Trial resolves and judges a launch as a spot request that is not fulfilled yet, and answers it with what its names
// stood for: what was judged is what is launched when its time has come. It takes nothing. A price that is too low is
// no refusal, since it may fall.
func (s *Service) Trial(ctx context.Context, tx store.Tx, spec slipway.LaunchSpec) (slipway.LaunchSpec, error) {
	l := s.launch(tx, state.Of(ctx), slipway.CallFrom(ctx), spec)
	if err := l.resolve(); err != nil && slipway.CodeOf(err) != slipway.SpotMaxPriceTooLow {
		return spec, err
	}
	return l.spec, l.judge(ctx, "")
}
