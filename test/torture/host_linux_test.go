package torture

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"golang.org/x/sys/unix"

	"slipway/internal/traces"
)

// diskRack has its state on a small disk, which is full from time to time.
func diskRack(t *testing.T, seed uint64) *rig {
	dir := shortDir(t)
	if err := unix.Mount("slipway-torture", dir, "tmpfs", 0, "size=400m"); err != nil {
		t.Skipf("a disk to fill is missing: tmpfs is not mounted (%v): run as root", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	r := newRig(t, newSite(t, siteOf{state: filepath.Join(dir, "s"), flags: []string{"--hypervisor", "simulated"}}),
		seed, 4, false)
	filler := filepath.Join(dir, "filler")
	r.harm = func() (string, int) {
		f, err := os.Create(filler)
		if err != nil {
			t.Fatal(err)
		}
		for piece := int64(64 << 20); piece >= 4096; piece /= 2 { // to the last page
			for size, _ := f.Seek(0, io.SeekEnd); unix.Fallocate(int(f.Fd()), 0, size, piece) == nil; size += piece {
			}
		}
		f.Close()
		r.await(time.Duration(200+r.rand.IntN(400)) * time.Millisecond)
		if err := os.Remove(filler); err != nil {
			t.Error(err)
		}
		return filled, 1
	}
	return r
}

// realRack has tiny guests under QEMU, which is killed as well.
func realRack(t *testing.T, seed uint64) *rig {
	if os.Geteuid() != 0 {
		t.Skip("real instances need root")
	}
	for _, p := range []string{"qemu-system-x86_64", "nft", "qemu-img"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("real instances need %s: `make deps` installs it", p)
		}
	}
	s := newSite(t, siteOf{state: shortDir(t), flags: []string{"--accel", "tcg"}, clock: ownClock()})
	r := newRig(t, s, seed, 3, true)
	h := &host{t: t, state: s.state}
	t.Cleanup(func() { // also of a test that failed: no guest outlives it
		if t.Failed() {
			r.site.server.kill()
			r.site.begin()
		}
		r.site.server.stop()
	})
	r.host = h.compare
	r.harm = func() (string, int) { return r.harmGuest(h) }
	r.end = func() { r.endGuests(t) }
	return r
}

// harmGuest kills one of the machines, or freezes it while others go on; or it sets the server's clock.
func (r *rig) harmGuest(h *host) (string, int) {
	if r.rand.IntN(2) == 0 {
		return "", 0
	}
	if r.site.clock != nil && r.rand.IntN(4) == 0 {
		return r.setClock()
	}
	r.gate.Lock()
	defer r.gate.Unlock()
	machines := h.machines()
	if len(machines) == 0 {
		return "", 0
	}
	ids := make([]string, 0, len(machines))
	for id := range machines {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	id := ids[r.rand.IntN(len(ids))]
	if r.rand.IntN(3) == 0 { // the way to it is held: who speaks to it, or begins to, waits
		if unix.Kill(machines[id], unix.SIGSTOP) != nil {
			return "", 0
		}
		thaw := func() { unix.Kill(machines[id], unix.SIGCONT) }
		defer thaw()
		r.await(time.Duration(r.rand.IntN(1500)) * time.Millisecond)
		if r.rand.IntN(2) == 0 {
			r.site.server.kill()
			r.kills["slipway"]++
			thawing := time.AfterFunc(time.Duration(r.rand.IntN(3000))*time.Millisecond, thaw)
			defer thawing.Stop()
			if err := r.site.begin(); err != nil {
				r.t.Errorf("while a machine is frozen: %v", err)
			}
		}
		return frozen, 1
	}
	if unix.Kill(machines[id], unix.SIGKILL) != nil {
		return "", 0
	}
	r.model.perhaps(fact{"instance", id, "state"}, "running", "stopped")
	return "QEMU", 1
}

// endGuests ends all that the callers made; nothing may be left on the host.
func (r *rig) endGuests(t *testing.T) {
	s := r.site
	e, _, _ := clients(s)
	sight, err := look(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.callers {
		c.instances = nil
	}
	owner := r.callers[0]
	if len(sight.alive) > 0 {
		owner.volumes = volumesOf(r.callers)
		owner.addresses = addressesOf(r.callers)
		owner.end(t.Context(), sight.alive)
	}
	r.check()
	for _, id := range owner.volumes {
		if _, err := e.DeleteVolume(t.Context(), &ec2.DeleteVolumeInput{VolumeId: &id}); err != nil &&
			codeOf(err) != "InvalidVolume.NotFound" {
			t.Error(err)
		}
	}
	for _, id := range sight.snapshots {
		if _, err := e.DeleteSnapshot(t.Context(), &ec2.DeleteSnapshotInput{SnapshotId: &id}); err != nil {
			t.Error(err)
		}
	}
	r.site.server.stop()
	left, err := traces.Of(s.state, traces.Slot(s.state))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("when all has ended, there is on the host still\n%s", strings.Join(left, "\n"))
	}
}

func volumesOf(callers []*caller) (out []string) {
	for _, c := range callers {
		out = append(out, c.volumes...)
		c.volumes = nil
	}
	return out
}

func addressesOf(callers []*caller) (out []string) {
	for _, c := range callers {
		out = append(out, c.addresses...)
		c.addresses = nil
	}
	return out
}

// host is what a slipway has on this machine.
type host struct {
	t     testing.TB
	state string
}

// machines are the QEMU processes of this state directory, by instance.
func (h *host) machines() map[string]int {
	out := map[string]int{}
	records, _ := filepath.Glob(filepath.Join(h.state, "machines", "*", "record.json"))
	for _, file := range records {
		var rec struct{ PID int }
		if b, err := os.ReadFile(file); err != nil || json.Unmarshal(b, &rec) != nil || rec.PID == 0 {
			continue
		}
		if id := filepath.Base(filepath.Dir(file)); strings.Contains(commandLine(rec.PID), id) {
			out[id] = rec.PID
		}
	}
	return out
}

func commandLine(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return string(b)
}

var volumeID, snapshotID, instanceID = regexp.MustCompile(`vol-[0-9a-f]+`), regexp.MustCompile(`snap-[0-9a-f]+`),
	regexp.MustCompile(`\bi-[0-9a-f]{17}`)

// compare holds what is on the host to what the API says is there.
func (h *host) compare(s *sight) (wrong []string) {
	var running, rooms, volumes, snapshots, removed []string
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range processes {
		pid, _ := strconv.Atoi(filepath.Base(p))
		line := commandLine(pid)
		program, _, _ := strings.Cut(line, "\x00")
		if strings.Contains(program, "qemu-system") && strings.Contains(line, h.state) {
			running = append(running, instanceID.FindString(line))
		}
	}
	machines, _ := os.ReadDir(filepath.Join(h.state, "machines"))
	for _, d := range machines {
		if strings.HasPrefix(d.Name(), "i-") {
			rooms = append(rooms, d.Name())
		}
	}
	filepath.WalkDir(filepath.Join(h.state, "blocks"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if id := volumeID.FindString(d.Name()); id != "" {
			volumes = append(volumes, id)
		}
		if id := snapshotID.FindString(d.Name()); id != "" {
			snapshots = append(snapshots, id)
			if strings.HasSuffix(d.Name(), ".removed") { // a volume is still based on it
				removed = append(removed, id)
			}
		}
		return nil
	})
	wrong = append(wrong, differences("the machine of", s.running, running)...)
	wrong = append(wrong, differences("the directory of", s.alive, rooms)...)
	wrong = append(wrong, differences("the file of", s.volumes, volumes)...)
	snapshots = slices.DeleteFunc(snapshots, func(id string) bool { return slices.Contains(removed, id) })
	return append(wrong, differences("the file of", append(s.snapshots, s.images...), snapshots)...)
}
