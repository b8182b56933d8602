package agent

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"slipway"
	"slipway/internal/dataplane"
	"slipway/internal/hostapi"
)

// mute is a network whose guests never answer.
type mute struct{ NoWires }

func (mute) Reachable(context.Context, slipway.VPCID, slipway.InterfaceID) bool { return false }

// TestASilentGuestIsImpaired: one that never answers is reported so, once, when a boot's time is over, with the last that it
// wrote to its console, or that it wrote nothing.
func TestASilentGuestIsImpaired(t *testing.T) {
	for name, tt := range map[string]struct{ wrote, says string }{
		"with words":  {"GRUB\nerror: no such partition.\ngrub rescue>\n", "GRUB | error: no such partition. | grub rescue>"},
		"as it began": {"", "its console ends: slipway-simulated: user space"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.end()
				s.end = s.start(s.fakeServer, mute{})
				defer func() { s.end() }()
				begun := time.Now()
				s.fakeServer.change(func() {
					s.fakeServer.instances[theInstance] = hostapi.Assignment{
						ID: theInstance, VPC: "vpc-1", Wanted: slipway.WantRunning, Boots: 1, Type: "t3.nano", UUID: "ec20",
						Cores: 1, Threads: 1, MemoryMiB: 128, Boot: slipway.Boot{Kernel: "k"},
						Volumes:    []hostapi.Volume{{ID: theRoot, Device: "/dev/xvda", SizeGiB: 1, Attached: theInstance}},
						Interfaces: []dataplane.Port{{Interface: "eni-1", MAC: "02:00:00:00:00:01"}},
					}
				}, ref(theInstance))
				silences := func() (all []hostapi.Report) {
					s.fakeServer.mu.Lock()
					defer s.fakeServer.mu.Unlock()
					for _, r := range s.fakeServer.reports {
						if r.Phase == hostapi.PhaseUnreachable {
							all = append(all, r)
						}
					}
					return all
				}
				s.until("it runs", func() bool {
					return s.fakeServer.heard(func(r hostapi.Report) bool { return r.Phase == hostapi.PhaseRunning })
				})
				if tt.wrote != "" {
					s.machine.Write(theInstance, tt.wrote)
				}
				s.until("it is impaired", func() bool { return len(silences()) > 0 })
				if took := time.Since(begun); took < bootPatience {
					t.Errorf("impaired after %v", took)
				}
				time.Sleep(2 * bootPatience) // of the bubble
				all := silences()
				if len(all) != 1 || !strings.Contains(all[0].Reason.Message, "no sign of life") ||
					!strings.Contains(all[0].Reason.Message, tt.says) {
					t.Errorf("reported: %+v, want once, with %q", all, tt.says)
				}
			})
		})
	}
}

func TestLastWords(t *testing.T) {
	for console, want := range map[string]string{
		"": "its console is empty", " \r\n": "its console is empty", "a\r\nb\r\nc\r\nd\r\n": "its console ends: b | c | d",
		strings.Repeat("x", 9999): "its console ends: " + strings.Repeat("x", consoleNote),
	} {
		if got := lastWords([]byte(console)); got != want {
			t.Errorf("of %q: %q, want %q", console, got, want)
		}
	}
}
