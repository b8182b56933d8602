package agent

import (
	"context"
	"time"

	"slipway"
)

// Of the consoles of machines that are gone: how long each is kept, as EC2 does, and how many, which bounds the memory that
// they take to 4 MiB. An agent that starts anew has none.
const (
	consoleLife  = time.Hour
	consolesKept = 64
)

type lastConsole struct {
	id   slipway.InstanceID
	text []byte
	at   time.Time
}

// Console is what an instance's machine wrote to its serial port, for an hour after its end too.
func (a *Agent) Console(ctx context.Context, id slipway.InstanceID) ([]byte, error) {
	if text := a.kept(id); text != nil {
		return text, nil
	}
	return a.vmm.Console(ctx, id)
}

func (a *Agent) kept(id slipway.InstanceID) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.consoles {
		if c.id == id && a.now().Sub(c.at) <= consoleLife {
			return c.text
		}
	}
	return nil
}

// keepConsole keeps the console of a machine that is about to be removed. What cannot be read is no reason to keep the machine.
func (a *Agent) keepConsole(ctx context.Context, id slipway.InstanceID) {
	text, err := a.vmm.Console(ctx, id)
	if err != nil || len(text) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.consoles = keep(a.consoles, lastConsole{id, text, a.now()})
}

// keep adds a console to those that are young enough, of which the oldest go where there are too many.
func keep(consoles []lastConsole, more lastConsole) []lastConsole {
	var out []lastConsole
	for _, c := range consoles {
		if c.id != more.id && more.at.Sub(c.at) <= consoleLife {
			out = append(out, c)
		}
	}
	return append(out[max(0, len(out)-consolesKept+1):], more)
}
