package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"slipway/internal/await"
)

// rig is one slipway under torture.
type rig struct {
	t       testing.TB
	site    *site
	rand    *rand.Rand
	model   *model
	callers []*caller
	calls   *tally
	gate    sync.RWMutex // a caller holds it for one step; what looks at the whole holds it alone
	kills   map[string]int
	harm    func() (what string, kills int) // what else is done, besides killing the server; "" for nothing
	end     func()                          // takes everything away and looks at what is left
	host    func(*sight) (wrong []string)   // what the host has that it should not, or lacks
}

// seedOf is the test's, or the one that a failure named.
func seedOf(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if named := os.Getenv("TORTURE_SEED"); named != "" {
		n, err := strconv.ParseUint(named, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again: TORTURE_SEED=%d go test -C test -count=1 -run '%s$' ./torture", seed, t.Name())
		}
	})
	return seed
}

func newRig(t testing.TB, s *site, seed uint64, callers int, real bool) *rig {
	t.Helper()
	r := &rig{
		t: t, site: s, rand: rand.New(rand.NewPCG(seed, 0)), model: newModel(),
		calls: &tally{wrong: make(chan string, 100)}, kills: map[string]int{},
		harm: func() (string, int) { return "", 0 }, host: func(*sight) []string { return nil }, end: func() {},
	}
	e, i, tokens := clients(s)
	out, err := e.DescribeImages(t.Context(),
		&ec2.DescribeImagesInput{
			Owners: []string{"amazon"}, Filters: []types.Filter{{Name: aws.String("name"), Values: []string{"tiny-*"}}},
		})
	if err != nil || len(out.Images) != 1 {
		t.Fatalf("the tiny image: %v", err)
	}
	for n := range callers {
		r.callers = append(r.callers, &caller{
			t: t, site: s, model: r.model, name: fmt.Sprintf("c%d", n), rand: rand.New(rand.NewPCG(seed, uint64(n)+1)),
			image: *out.Images[0].ImageId,
			real:  real, ec2: e, iam: i, sts: tokens, calls: r.calls,
		})
	}
	return r
}

// run kills until enough says so, and looks at the whole after every so many kills.
func (r *rig) run(enough func(kills int) bool, every int) {
	ctx, stop := context.WithCancel(r.t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	for _, c := range r.callers {
		wg.Go(func() {
			for ctx.Err() == nil {
				r.gate.RLock()
				c.step(ctx)
				r.gate.RUnlock()
			}
		})
	}
	for n := 0; !enough(n) && !r.t.Failed(); {
		r.await(time.Duration(r.rand.IntN(400)) * time.Millisecond)
		was := n
		if what, kills := r.harm(); what != "" {
			r.kills[what] += kills
			n += kills
			r.await(time.Duration(r.rand.IntN(200)) * time.Millisecond)
			if r.rand.IntN(2) == 0 {
				continue
			}
		}
		kill := func() {
			r.site.server.kill()
			r.kills["slipway"]++
			n++
		}
		kill()
		for r.rand.IntN(5) == 0 { // once more while it begins
			r.site.server.begin()
			r.await(time.Duration(r.rand.IntN(300)) * time.Millisecond)
			kill()
		}
		if err := r.site.begin(); err != nil {
			r.t.Errorf("after %v: %v", r.kills, err)
			return
		}
		if n/every != was/every {
			r.check()
		}
	}
	r.check()
}

// await is a moment of the seed's choosing, in which callers work.
func (r *rig) await(d time.Duration) { <-time.After(d) }

// settleLimit is how long everything may take to come to rest after the last kill.
const settleLimit = 2 * time.Minute

// check stops the callers, and holds model, API, records and host to each other.
func (r *rig) check() {
	r.gate.Lock() // the server is up: every caller comes to the end of its step
	defer r.gate.Unlock()
	var s *sight
	await.Success(r.t, settleLimit, func() error {
		var err error
		if s, err = look(r.t.Context(), r.site); err != nil {
			return err
		}
		if len(s.moving) > 0 {
			return fmt.Errorf("after the kills %v, stuck: %s", r.kills, strings.Join(s.moving, ", "))
		}
		if wrong := r.host(s); len(wrong) > 0 {
			return fmt.Errorf("after the kills %v, the host: %s", r.kills, strings.Join(wrong, ", "))
		}
		return nil
	})
	if r.site.clock != nil {
		r.model.tidied(s.facts)
	}
	r.model.timely(s.facts, r.site.latest())
	wrong := append(s.wrong, r.model.compare(s.facts)...)
	out, err := r.site.command(r.site.words("state", "check")...)
	if err != nil {
		wrong = append(wrong, out)
	}
	for {
		select {
		case w := <-r.calls.wrong:
			wrong = append(wrong, w)
			continue
		default:
		}
		break
	}
	for _, c := range r.callers {
		c.instances = slices.DeleteFunc(c.instances, func(id string) bool {
			return r.model.is(fact{"instance", id, "state"}, "terminated")
		})
	}
	if len(wrong) > 0 {
		r.t.Errorf("after the kills %v:\n%s", r.kills, strings.Join(wrong, "\n"))
	}
}

// filled counts, among what was done, the times that a disk was full.
const filled = "disks filled"

// frozen counts the machines that were stopped for a moment, and went on.
const frozen = "QEMU frozen"

// kinder is what is done besides killing.
var kinder = []string{filled, jumped, frozen, string(cut), string(held), string(deaf)}

// finish takes everything away, and reports how many kills were survived.
func (r *rig) finish() int {
	if !r.t.Failed() {
		r.end()
	}
	total := 0
	for what, n := range r.kills {
		if !slices.Contains(kinder, what) {
			total += n
		}
	}
	r.t.Logf("%d kills survived (%v); calls: %d answered, %d refused, %d whose answer was lost; %d sessions ended",
		total, r.kills,
		r.calls.done.Load(), r.calls.refused.Load(), r.calls.lost.Load(), r.calls.ended.Load())
	return total
}

// long is how long the long form lasts, "30m" for example; 0: the short form is asked for.
func long(t testing.TB) time.Duration {
	t.Helper()
	text := os.Getenv("TORTURE")
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("TORTURE: %v", err)
	}
	return d
}

// variants are the kinds of slipway that are tortured, with how many kills the short form gives each.
var variants = []struct {
	name  string
	kills int
	rig   func(*testing.T, uint64) *rig
}{
	{"simulated", 6, func(t *testing.T, seed uint64) *rig {
		return newRig(t, newSite(t, siteOf{state: shortDir(t), flags: []string{"--hypervisor", "simulated"}}), seed, 6, false)
	}},
	{"clock", 6, clockRack},
	{"etcd", 10, func(t *testing.T, seed uint64) *rig {
		s := newSite(t, siteOf{state: shortDir(t), flags: []string{"--hypervisor", "simulated"}, etcd: true})
		r := newRig(t, s, seed, 6, false)
		r.harm = func() (string, int) {
			switch r.rand.IntN(4) {
			case 0:
				return "", 0
			case 1:
				s.etcd.kill()
				r.await(time.Duration(r.rand.IntN(300)) * time.Millisecond)
				if err := <-s.etcd.begin(); err != nil {
					t.Errorf("etcd: %v", err)
				}
				return "etcd", 1
			default:
				return s.link.harm(r.rand, r.await)
			}
		}
		return r
	}},
	{"disk", 4, diskRack},
	{"real", 3, realRack},
}

// shortDir is a directory whose name is short enough for sockets in it.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "sw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// checkEvery is after how many kills everything is looked at.
const checkEvery = 25

// TestTorture: whatever is killed and whenever, all that was acknowledged is there, once, at rest, and nothing else.
func TestTorture(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			r := v.rig(t, seedOf(t))
			r.run(func(kills int) bool { return kills >= v.kills }, checkEvery)
			r.finish()
		})
	}
}

// TestTortureLong is the long form: round after round on new states, for as long as TORTURE says. TORTURE_ONLY names variants.
func TestTortureLong(t *testing.T) {
	lasting := long(t)
	if lasting == 0 {
		t.Skip("the long form is run by time: TORTURE=30m make torture")
	}
	until, total, only := time.Now().Add(lasting), 0, os.Getenv("TORTURE_ONLY")
	for round := 0; time.Now().Before(until) && !t.Failed(); round++ {
		for _, v := range variants {
			if only != "" && !slices.Contains(strings.Split(only, ","), v.name) || time.Now().After(until) {
				continue
			}
			t.Run(fmt.Sprintf("%s-%d", v.name, round), func(t *testing.T) {
				r := v.rig(t, seedOf(t))
				r.run(func(kills int) bool { return kills >= 16*v.kills || time.Now().After(until) }, checkEvery)
				total += r.finish()
			})
		}
	}
	t.Logf("%d kills survived in all", total)
}
