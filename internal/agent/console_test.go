package agent

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"slipway"
)

// TestConsolesAreKeptForAnHour: of machines that are gone, and not of more than fit.
func TestConsolesAreKeptForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Agent{now: time.Now}
		for i := range 2 * consolesKept {
			a.consoles = keep(a.consoles, lastConsole{slipway.InstanceID(fmt.Sprint(i)), []byte("words"), time.Now()})
		}
		if len(a.consoles) != consolesKept || a.consoles[0].id != slipway.InstanceID(fmt.Sprint(consolesKept)) {
			t.Errorf("%d are kept, from %s on", len(a.consoles), a.consoles[0].id)
		}
		if text := a.kept("127"); string(text) != "words" {
			t.Errorf("the last is %q", text)
		}
		time.Sleep(consoleLife + time.Second) // of the bubble
		if text := a.kept("127"); text != nil {
			t.Errorf("after an hour it is %q", text)
		}
		if a.consoles = keep(a.consoles, lastConsole{"new", nil, time.Now()}); len(a.consoles) != 1 {
			t.Errorf("%d old ones are kept beside a new one", len(a.consoles)-1)
		}
	})
}
