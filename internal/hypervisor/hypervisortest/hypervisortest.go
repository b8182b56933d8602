// Package hypervisortest is the contract of hypervisor.Driver, as tests that every driver runs.
package hypervisortest

import (
	"bytes"
	"context"
	"errors"
	"image/png"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"slipway"
	"slipway/internal/hypervisor"
)

// Harness is one host on which a driver is tried.
type Harness struct {
	New      func() hypervisor.Driver        // a driver over the host; called again after Close, it is the next one
	Machine  func() hypervisor.Machine       // a new machine each time, whose guest boots, writes Ready, and obeys the power button
	Disk     func() hypervisor.Disk          // a new blank disk of 1 GiB
	NIC      func() hypervisor.NIC           // nil: this host has no taps to give
	Crash    func(s hypervisor.Status)       // ends the process behind the driver's back
	File     func(name string) (path string) // a path for Suspend and CopyDisk
	Ready    string                          // on the console when the guest can be used
	Patience time.Duration                   // for anything the guest must do
}

// Run holds a driver to the contract.
func Run(t *testing.T, newHarness func(tb testing.TB) Harness) {
	for _, c := range []struct {
		name string
		test func(c *check)
	}{
		{"a machine that runs is not started again", startTwice},
		{"a guest that obeys the power button is reported once, and its console is kept", powerButton},
		{"a killed machine makes no event", kill},
		{"a process that dies by itself is reported", crash},
		{"machines outlive the driver", takeOver},
		{"what happens between drivers is reported by the next", betweenDrivers},
		{"absent machines: undoing is nil, asking is an error", absentMachine},
		{"a machine that cannot start is not left behind", badStart},
		{"disks come, change and go while the guest runs", disks},
		{"CPU time is counted and bounded", cpu},
		{"network cards come and go while the guest runs", nics},
		{"the guest is restarted by request and by force", restart},
		{"a suspended machine resumes where it was", suspend},
		{"someone types at the serial port, and the console still has it all", serial},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t)
			d := h.New()
			k := &check{T: t, Harness: h, d: d}
			t.Cleanup(func() { k.tearDown() })
			c.test(k)
		})
	}
}

// check is one case: a host and its present driver.
type check struct {
	*testing.T
	Harness
	d hypervisor.Driver
}

func (c *check) tearDown() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	list, err := c.d.Running(ctx)
	if err != nil {
		c.Errorf("Running: %v", err)
	}
	for _, s := range list {
		if err := c.d.Kill(ctx, s.ID); err != nil {
			c.Errorf("Kill: %v", err)
		}
	}
	if err := c.d.Close(); err != nil {
		c.Errorf("Close: %v", err)
	}
}

func (c *check) must(what string, err error) {
	c.Helper()
	if err != nil {
		c.Fatalf("%s: %v", what, err)
	}
}

// started is a machine whose guest is ready.
func (c *check) started() hypervisor.Machine {
	c.Helper()
	m := c.Machine()
	c.must("Start", c.d.Start(c.Context(), m))
	c.ready(m.ID, 1)
	return m
}

// ready waits until the console has said so n times.
func (c *check) ready(id slipway.InstanceID, n int) {
	c.Helper()
	c.until("the guest is ready", func() bool { return bytes.Count(c.console(id), []byte(c.Ready)) >= n })
}

func (c *check) console(id slipway.InstanceID) []byte {
	c.Helper()
	b, err := c.d.Console(c.Context(), id)
	c.must("Console", err)
	return b
}

func (c *check) until(what string, condition func() bool) {
	c.Helper()
	deadline := time.Now().Add(c.Patience)
	for !condition() {
		if time.Now().After(deadline) {
			for _, s := range c.running() {
				c.Logf("console of %s:\n%s", s.ID, c.console(s.ID))
			}
			c.Fatalf("not within %v: %s", c.Patience, what)
		}
		select {
		case <-c.Context().Done():
			c.Fatal("interrupted")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (c *check) running() []hypervisor.Status {
	c.Helper()
	list, err := c.d.Running(c.Context())
	c.must("Running", err)
	return list
}

func (c *check) status(id slipway.InstanceID) (hypervisor.Status, bool) {
	c.Helper()
	list := c.running()
	i := slices.IndexFunc(list, func(s hypervisor.Status) bool { return s.ID == id })
	if i < 0 {
		return hypervisor.Status{}, false
	}
	return list[i], true
}

// event is the next event, which must be of this kind.
func (c *check) event(id slipway.InstanceID, kind hypervisor.EventKind) hypervisor.Event {
	c.Helper()
	select {
	case e := <-c.d.Events():
		if e.ID != id || e.Kind != kind {
			c.Fatalf("event = %+v, want %s of %s", e, kind, id)
		}
		return e
	case <-time.After(c.Patience):
		c.Fatalf("no event within %v, want %s of %s; console:\n%s", c.Patience, kind, id, c.console(id))
	}
	return hypervisor.Event{}
}

func (c *check) quiet() {
	c.Helper()
	select {
	case e := <-c.d.Events():
		c.Errorf("event = %+v, want none", e)
	case <-time.After(200 * time.Millisecond):
	}
}

// next replaces the driver by the next over the same host.
func (c *check) next() {
	c.Helper()
	c.must("Close", c.d.Close())
	c.d = c.New()
}

func startTwice(c *check) {
	m := c.started()
	before, ok := c.status(m.ID)
	if !ok || before.PID == 0 {
		c.Fatalf("Running lists %+v, want %s", c.running(), m.ID)
	}
	if !slices.Equal(before.Disks, []slipway.VolumeID{m.Disks[0].Volume}) {
		c.Errorf("Disks = %v, want %v", before.Disks, m.Disks[0].Volume)
	}
	c.must("second Start", c.d.Start(c.Context(), m))
	if after := c.running(); len(after) != 1 || after[0].PID != before.PID {
		c.Errorf("after the second Start, Running = %+v, want only process %d", after, before.PID)
	}
	if err := c.d.Forget(c.Context(), m.ID); err == nil {
		c.Error("Forget of a running machine: got no error")
	}
	shot, err := c.d.Screen(c.Context(), m.ID, true)
	c.must("Screen", err)
	if img, err := png.Decode(bytes.NewReader(shot)); err != nil || img.Bounds().Dx() < 100 {
		c.Errorf("Screen = %d bytes, %v, want a PNG", len(shot), err)
	}
	c.must("Interrupt", c.d.Interrupt(c.Context(), m.ID))
}

func powerButton(c *check) {
	m := c.started()
	c.must("PowerButton", c.d.PowerButton(c.Context(), m.ID))
	c.event(m.ID, hypervisor.GuestShutdown)
	if s, ok := c.status(m.ID); ok {
		c.Errorf("after GuestShutdown, Running lists %+v", s)
	}
	c.quiet()
	c.next()
	if !bytes.Contains(c.console(m.ID), []byte(c.Ready)) {
		c.Error("the console is not kept over the machine's end")
	}
	c.quiet()
	c.must("Start again", c.d.Start(c.Context(), m))
	c.ready(m.ID, 2)
	c.must("Kill", c.d.Kill(c.Context(), m.ID))
	c.must("Forget", c.d.Forget(c.Context(), m.ID))
	c.must("second Forget", c.d.Forget(c.Context(), m.ID))
	if b := c.console(m.ID); len(b) > 0 {
		c.Errorf("after Forget, the console has %d bytes", len(b))
	}
}

func kill(c *check) {
	m := c.started()
	c.must("Kill", c.d.Kill(c.Context(), m.ID))
	if s, ok := c.status(m.ID); ok {
		c.Errorf("after Kill, Running lists %+v", s)
	}
	c.must("second Kill", c.d.Kill(c.Context(), m.ID))
	c.quiet()
}

func crash(c *check) {
	m := c.started()
	s, _ := c.status(m.ID)
	c.Crash(s)
	c.event(m.ID, hypervisor.Exited)
	if s, ok := c.status(m.ID); ok {
		c.Errorf("after Exited, Running lists %+v", s)
	}
	c.must("Start again", c.d.Start(c.Context(), m))
	c.ready(m.ID, 2)
}

func takeOver(c *check) {
	m := c.started()
	before, _ := c.status(m.ID)
	c.next()
	after, ok := c.status(m.ID)
	if !ok || after.PID != before.PID || !slices.Equal(after.Disks, before.Disks) {
		c.Fatalf("the next driver sees %+v, want %+v", after, before)
	}
	c.must("Start by the next driver", c.d.Start(c.Context(), m))
	if again, _ := c.status(m.ID); again.PID != before.PID {
		c.Errorf("Start by the next driver: process %d, want %d", again.PID, before.PID)
	}
	c.must("PowerButton", c.d.PowerButton(c.Context(), m.ID))
	c.event(m.ID, hypervisor.GuestShutdown)
}

func betweenDrivers(c *check) {
	m := c.started()
	s, _ := c.status(m.ID)
	c.must("Close", c.d.Close())
	c.Crash(s)
	c.d = c.New()
	if s, ok := c.status(m.ID); ok {
		c.Errorf("the next driver lists %+v, which is gone", s)
	}
	c.event(m.ID, hypervisor.Exited)
	c.next()
	c.quiet()
}

func absentMachine(c *check) {
	ctx, id := c.Context(), c.Machine().ID
	c.must("Kill", c.d.Kill(ctx, id))
	c.must("Forget", c.d.Forget(ctx, id))
	c.must("DetachDisk", c.d.DetachDisk(ctx, id, c.Disk().Volume))
	c.must("DetachNIC", c.d.DetachNIC(ctx, id, "eni-0123456789abcdef0"))
	if b := c.console(id); len(b) != 0 {
		c.Errorf("Console = %d bytes, want none", len(b))
	}
	for name, err := range map[string]error{
		"PowerButton": c.d.PowerButton(ctx, id),
		"Reset":       c.d.Reset(ctx, id),
		"Reboot":      c.d.Reboot(ctx, id),
		"Interrupt":   c.d.Interrupt(ctx, id),
		"AttachDisk":  c.d.AttachDisk(ctx, id, c.Disk()),
		"Suspend":     c.d.Suspend(ctx, id, c.File("absent")),
	} {
		if err == nil {
			c.Errorf("%s of an absent machine: got no error", name)
		}
	}
	c.quiet()
}

func badStart(c *check) {
	m := c.Machine()
	m.NICs = []hypervisor.NIC{
		{Interface: slipway.NewInterfaceID(), MAC: "02:00:00:00:00:01",
			OpenTap: func() (*os.File, error) { return nil, os.ErrPermission }},
	}
	if err := c.d.Start(c.Context(), m); !errors.Is(err, os.ErrPermission) {
		c.Errorf("Start with a tap that cannot be opened = %v, want %v", err, os.ErrPermission)
	}
	if list := c.running(); len(list) != 0 {
		c.Errorf("after a failed Start, Running = %+v", list)
	}
	c.quiet()
	m.NICs = nil
	c.must("Start once the cause is gone", c.d.Start(c.Context(), m))
}

func cpu(c *check) {
	m := c.started()
	ctx := c.Context()
	if used, err := c.d.CPUTime(ctx, m.ID); err != nil || used < 0 {
		c.Errorf("CPUTime = %v, %v", used, err)
	}
	c.must("LimitCPU", c.d.LimitCPU(ctx, m.ID, 0.5))
	c.must("LimitCPU to none", c.d.LimitCPU(ctx, m.ID, 0))
	nobody := slipway.NewInstanceID()
	if _, err := c.d.CPUTime(ctx, nobody); err == nil {
		c.Error("CPUTime of a machine that does not run: got no error")
	}
	if err := c.d.LimitCPU(ctx, nobody, 1); err == nil {
		c.Error("LimitCPU of a machine that does not run: got no error")
	}
}

func disks(c *check) {
	m := c.started()
	ctx, disk := c.Context(), c.Disk()
	c.must("AttachDisk", c.d.AttachDisk(ctx, m.ID, disk))
	c.must("second AttachDisk", c.d.AttachDisk(ctx, m.ID, disk))
	want := []slipway.VolumeID{m.Disks[0].Volume, disk.Volume}
	if s, _ := c.status(m.ID); !slices.Equal(s.Disks, want) {
		c.Errorf("Disks = %v, want %v", s.Disks, want)
	}
	c.must("LimitDisk",
		c.d.LimitDisk(ctx, m.ID, disk.Volume, hypervisor.Limits{IOPS: 100, BurstIOPS: 3000, ThroughputMiBps: 10}))
	c.must("LimitDisk to none", c.d.LimitDisk(ctx, m.ID, disk.Volume, hypervisor.Limits{}))
	c.must("GrowDisk", c.d.GrowDisk(ctx, m.ID, disk.Volume, 2))
	copied := make(chan error, 1)
	c.must("CopyDisk", c.d.CopyDisk(ctx, m.ID, m.Disks[0].Volume, c.File("copy.qcow2"), func(err error) { copied <- err }))
	select {
	case err := <-copied:
		c.must("the copy", err)
	case <-time.After(c.Patience):
		c.Fatal("the copy does not end")
	}
	if err := c.d.CopyDisk(ctx, m.ID, "vol-0000000000000dead", c.File("none.qcow2"), func(error) {
		c.Error("done is called for a copy that never began")
	}); err == nil {
		c.Error("CopyDisk of a disk that is not there: got no error")
	}
	c.next()
	c.must("DetachDisk", c.d.DetachDisk(ctx, m.ID, disk.Volume))
	c.must("second DetachDisk", c.d.DetachDisk(ctx, m.ID, disk.Volume))
	if s, _ := c.status(m.ID); !slices.Equal(s.Disks, want[:1]) {
		c.Errorf("Disks = %v, want %v", s.Disks, want[:1])
	}
	c.must("AttachDisk after DetachDisk", c.d.AttachDisk(ctx, m.ID, disk))
	c.quiet()
}

func nics(c *check) {
	if c.NIC == nil {
		c.Skip("no taps")
	}
	m := c.Machine()
	first, second := c.NIC(), c.NIC()
	m.NICs = []hypervisor.NIC{first}
	c.must("Start", c.d.Start(c.Context(), m))
	c.ready(m.ID, 1)
	ctx := c.Context()
	c.must("AttachNIC", c.d.AttachNIC(ctx, m.ID, second))
	c.must("second AttachNIC", c.d.AttachNIC(ctx, m.ID, second))
	want := []slipway.InterfaceID{first.Interface, second.Interface}
	if s, _ := c.status(m.ID); !slices.Equal(s.NICs, want) {
		c.Errorf("NICs = %v, want %v", s.NICs, want)
	}
	c.must("DetachNIC", c.d.DetachNIC(ctx, m.ID, second.Interface))
	c.must("second DetachNIC", c.d.DetachNIC(ctx, m.ID, second.Interface))
	c.must("AttachNIC after DetachNIC", c.d.AttachNIC(ctx, m.ID, second))
}

func restart(c *check) {
	m := c.started()
	before, _ := c.status(m.ID)
	c.must("Reboot", c.d.Reboot(c.Context(), m.ID))
	c.event(m.ID, hypervisor.GuestReset)
	c.ready(m.ID, 2)
	c.must("Reset", c.d.Reset(c.Context(), m.ID))
	c.ready(m.ID, 3)
	c.quiet()
	if after, _ := c.status(m.ID); after.PID != before.PID {
		c.Errorf("after restarts, process %d, want %d", after.PID, before.PID)
	}
}

func suspend(c *check) {
	m := c.started()
	disk := c.Disk()
	c.must("AttachDisk", c.d.AttachDisk(c.Context(), m.ID, disk))
	file := c.File("state")
	c.must("Suspend", c.d.Suspend(c.Context(), m.ID, file))
	if s, ok := c.status(m.ID); ok {
		c.Errorf("after Suspend, Running lists %+v", s)
	}
	c.quiet()
	c.next()
	m.Disks = append(m.Disks, disk)
	c.must("Resume", c.d.Resume(c.Context(), m, file))
	c.must("second Resume", c.d.Resume(c.Context(), m, file))
	if n := bytes.Count(c.console(m.ID), []byte(c.Ready)); n != 1 {
		c.Errorf("the guest has become ready %d times, want once", n)
	}
	c.must("PowerButton", c.d.PowerButton(c.Context(), m.ID))
	c.event(m.ID, hypervisor.GuestShutdown)
}

func serial(c *check) {
	m := c.started()
	s, err := c.d.Serial(c.Context(), m.ID)
	c.must("Serial", err)
	if _, err := c.d.Serial(c.Context(), m.ID); err == nil {
		c.Error("a second Serial at once: got no error")
	}
	read := make(chan []byte, 100)
	go func() {
		defer close(read)
		for {
			b := make([]byte, 4096)
			n, err := s.Read(b)
			if n > 0 {
				read <- b[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	_, err = io.WriteString(s, "\n")
	c.must("Write", err)
	var seen []byte
	c.until("the guest answers who types", func() bool {
		// A guest may still be opening its terminal and lose what came before.
		_, err := io.WriteString(s, "echo abc\n")
		c.must("Write", err)
		select {
		case b := <-read:
			seen = append(seen, b...)
		case <-time.After(200 * time.Millisecond):
		}
		return bytes.Contains(seen, []byte("abc"))
	})
	c.must("Close", s.Close())
	c.must("second Close", s.Close())
	if !bytes.Contains(c.console(m.ID), []byte("abc")) {
		c.Error("what the guest wrote while someone typed is not on the console")
	}
	c.next()
	s, err = c.d.Serial(c.Context(), m.ID)
	c.must("Serial after Close", err)
	c.next() // the driver goes away while someone types
	s.Close()
	c.must("Reset", c.d.Reset(c.Context(), m.ID))
	c.ready(m.ID, 2)
}
