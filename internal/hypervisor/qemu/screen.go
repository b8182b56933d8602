package qemu

import (
	"context"
	"fmt"

	"slipway"
	"slipway/internal/screenshot"
)

// Screen is the guest's screen as PNG.
func (d *Driver) Screen(ctx context.Context, id slipway.InstanceID, wake bool) ([]byte, error) {
	m, mon, err := d.live(ctx, id)
	if err != nil {
		return nil, err
	}
	defer m.op.Leave()
	if wake {
		if err := mon.Run(ctx, "send-key", keys("shift"), nil); err != nil {
			return nil, err
		}
	}
	shot, err := screenshot.Take(ctx, mon)
	if err != nil {
		return nil, fmt.Errorf("screen of %s: %w", id, err)
	}
	return shot, nil
}
