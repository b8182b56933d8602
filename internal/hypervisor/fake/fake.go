// Package fake is a hypervisor.Driver that runs nothing: a Host remembers machines, and time passes as configured. It is
// what `--hypervisor simulated` uses, so that a cell's size can be shown without a machine for every instance, and what
// tests use; hypervisortest holds it to the same contract as qemu. An idle machine costs a few hundred bytes and neither
// goroutine nor timer. Its guests obey: they answer the power button, release devices, write a line to the console.
package fake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"slipway"
	"slipway/internal/hypervisor"
)

// Delays is how long things take. Zero is at once.
type Delays struct {
	Start    time.Duration // until Start returns
	Boot     time.Duration // from then until the guest has written to its console
	Shutdown time.Duration // from the power button to the end
	Unplug   time.Duration // until a guest has let go of a device
	Copy     time.Duration // of a disk
}

// UserSpace is what a guest writes to its console when it has booted.
const UserSpace = "slipway-simulated: user space\r\n"

const consoleShown = 64 << 10

// Host holds machines. They outlive the Drivers made on it.
type Host struct {
	delays Delays

	mu       sync.Mutex
	machines map[slipway.InstanceID]*machine
	saved    map[string]hypervisor.Machine // by file: what Suspend has written
	nextPID  int
	calls    int
	noUEFI   error
	faults   map[int]fault
	listener *Driver
	missed   []hypervisor.Event // happened while no driver listened
}

type machine struct {
	spec    hypervisor.Machine
	pid     int // 0: does not run
	console []byte
	serial  *session
}

type fault struct {
	err   error
	after bool
}

// NewHost makes a host without machines.
func NewHost(d Delays) *Host {
	return &Host{
		delays: d, machines: map[slipway.InstanceID]*machine{}, saved: map[string]hypervisor.Machine{}, nextPID: 1000,
		faults: map[int]fault{},
	}
}

// Driver makes the host's driver, which takes over the machines that run. The last one made hears of events.
func (h *Host) Driver() *Driver {
	d := &Driver{host: h, out: make(chan hypervisor.Event), more: make(chan struct{}, 1), closed: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listener = d
	d.queue, h.missed = h.missed, nil
	go d.pump()
	d.wake()
	return d
}

// FailCall makes the n-th call from now (the first is 1) of any driver fail with err, before it has done anything.
func (h *Host) FailCall(n int, err error) { h.fail(n, fault{err, false}) }

// FailCallAfter makes the n-th call from now do its work and then fail with err, as when the answer is lost.
func (h *Host) FailCallAfter(n int, err error) { h.fail(n, fault{err, true}) }

func (h *Host) fail(n int, f fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults[h.calls+n] = f
}

// Calls is how many calls drivers have had that a fault could have hit.
func (h *Host) Calls() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls
}

// PowerOff makes a guest power itself off.
func (h *Host) PowerOff(id slipway.InstanceID) { h.end(id, hypervisor.GuestShutdown, "") }

// Exit makes a machine's process end without a word of the guest.
func (h *Host) Exit(id slipway.InstanceID, detail string) { h.end(id, hypervisor.Exited, detail) }

func (h *Host) end(id slipway.InstanceID, kind hypervisor.EventKind, detail string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m := h.machines[id]; m != nil && m.pid != 0 {
		m.stop()
		h.emit(hypervisor.Event{ID: id, Kind: kind, Detail: detail})
	}
}

// Panic makes a guest's kernel panic.
func (h *Host) Panic(id slipway.InstanceID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m := h.machines[id]; m != nil && m.pid != 0 {
		m.write("Kernel panic - not syncing\r\n")
		h.emit(hypervisor.Event{ID: id, Kind: hypervisor.GuestPanic})
	}
}

// Write makes a guest write to its console.
func (h *Host) Write(id slipway.InstanceID, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m := h.machines[id]; m != nil && m.pid != 0 {
		m.write(text)
	}
}

// Spec is the machine as it is now, with what was attached since; false when there is none.
func (h *Host) Spec(id slipway.InstanceID) (hypervisor.Machine, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.machines[id]
	if m == nil || m.pid == 0 {
		return hypervisor.Machine{}, false
	}
	spec := m.spec
	spec.Disks, spec.NICs = slices.Clone(spec.Disks), slices.Clone(spec.NICs)
	return spec, true
}

func (h *Host) emit(e hypervisor.Event) {
	if h.listener == nil {
		h.missed = append(h.missed, e)
		return
	}
	h.listener.queue = append(h.listener.queue, e)
	h.listener.wake()
}

func (m *machine) write(text string) {
	m.console = append(m.console, text...)
	if len(m.console) > consoleShown {
		m.console = slices.Clone(m.console[len(m.console)-consoleShown:])
	}
	if m.serial != nil {
		m.serial.feed(text)
	}
}

func (m *machine) stop() {
	m.pid = 0
	if m.serial != nil {
		m.serial.end()
		m.serial = nil
	}
}

// Driver is one driver over a Host.
type Driver struct {
	host   *Host
	out    chan hypervisor.Event
	more   chan struct{}
	closed chan struct{}
	once   sync.Once

	queue []hypervisor.Event // guarded by host.mu
}

var _ hypervisor.Driver = (*Driver)(nil)

// ErrNotRunning is what operations on a running machine give when it does not run.
var ErrNotRunning = errors.New("the machine does not run")

func (d *Driver) wake() {
	select {
	case d.more <- struct{}{}:
	default:
	}
}

func (d *Driver) pump() {
	for {
		select {
		case <-d.more:
		case <-d.closed:
			return
		}
		for {
			e, ok := d.take()
			if !ok {
				break
			}
			select {
			case d.out <- e:
			case <-d.closed:
				d.giveBack(e)
				return
			}
		}
	}
}

func (d *Driver) take() (hypervisor.Event, bool) {
	d.host.mu.Lock()
	defer d.host.mu.Unlock()
	if len(d.queue) == 0 {
		return hypervisor.Event{}, false
	}
	e := d.queue[0]
	d.queue = d.queue[1:]
	return e, true
}

// giveBack leaves an event that nobody took to the next driver.
func (d *Driver) giveBack(e hypervisor.Event) {
	d.host.mu.Lock()
	defer d.host.mu.Unlock()
	queue := &d.host.missed
	if next := d.host.listener; next != nil {
		queue = &next.queue
		defer next.wake()
	}
	*queue = slices.Insert(*queue, 0, e)
}

// Close lets go of the machines.
func (d *Driver) Close() error {
	d.once.Do(func() {
		close(d.closed)
		d.host.mu.Lock()
		defer d.host.mu.Unlock()
		if d.host.listener == d {
			d.host.listener = nil
			d.host.missed = append(d.host.missed, d.queue...)
			d.queue = nil
		}
	})
	return nil
}

// Events is read by the agent.
func (d *Driver) Events() <-chan hypervisor.Event { return d.out }

// do counts a call, lets it fail if it is to, and otherwise runs it under the host's lock.
func (d *Driver) do(ctx context.Context, act func(h *Host) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h := d.host
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	f, faulty := h.faults[h.calls]
	delete(h.faults, h.calls)
	if faulty && !f.after {
		return f.err
	}
	if err := act(h); err != nil {
		return err
	}
	if faulty {
		return f.err
	}
	return nil
}

// live is do for a machine that runs.
func (d *Driver) live(ctx context.Context, id slipway.InstanceID, act func(h *Host, m *machine) error) error {
	return d.do(ctx, func(h *Host) error {
		m := h.machines[id]
		if m == nil || m.pid == 0 {
			return fmt.Errorf("%s: %w", id, ErrNotRunning)
		}
		return act(h, m)
	})
}

func pause(ctx context.Context, delay time.Duration) error {
	if delay == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// UEFI is what WithoutUEFI has said.
func (d *Driver) UEFI() error {
	d.host.mu.Lock()
	defer d.host.mu.Unlock()
	return d.host.noUEFI
}

// WithoutUEFI lets the host lack what why says; nil gives it back.
func (d *Driver) WithoutUEFI(why error) {
	d.host.mu.Lock()
	defer d.host.mu.Unlock()
	d.host.noUEFI = why
}

// Start runs the machine unless it runs already.
func (d *Driver) Start(ctx context.Context, spec hypervisor.Machine) error {
	if err := pause(ctx, d.host.delays.Start); err != nil {
		return err
	}
	return d.do(ctx, func(h *Host) error { return h.start(spec, true) })
}

func (h *Host) start(spec hypervisor.Machine, boots bool) error {
	m := h.machines[spec.ID]
	if m == nil {
		m = &machine{}
	}
	if m.pid != 0 {
		return nil
	}
	for _, nic := range spec.NICs {
		if err := openTap(nic); err != nil {
			return err
		}
	}
	h.machines[spec.ID] = m
	h.nextPID++
	m.pid, m.spec = h.nextPID, spec
	m.spec.Disks, m.spec.NICs = slices.Clone(spec.Disks), slices.Clone(spec.NICs)
	if boots {
		h.boot(m)
	}
	return nil
}

func (h *Host) boot(m *machine) {
	if h.delays.Boot == 0 {
		m.write(UserSpace)
		return
	}
	pid := m.pid
	time.AfterFunc(h.delays.Boot, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if m.pid == pid {
			m.write(UserSpace)
		}
	})
}

// openTap takes the tap as a driver must, and closes it: there is no machine to give it to.
func openTap(n hypervisor.NIC) error {
	if n.OpenTap == nil {
		return nil
	}
	f, err := n.OpenTap()
	if err != nil {
		return fmt.Errorf("tap of %s: %w", n.Interface, err)
	}
	return f.Close()
}

// PowerButton makes the guest shut down.
func (d *Driver) PowerButton(ctx context.Context, id slipway.InstanceID) error {
	return d.live(ctx, id, func(h *Host, m *machine) error {
		pid := m.pid
		down := func() {
			h.mu.Lock()
			same := m.pid == pid
			h.mu.Unlock()
			if same {
				h.PowerOff(id)
			}
		}
		if h.delays.Shutdown == 0 {
			m.stop()
			h.emit(hypervisor.Event{ID: id, Kind: hypervisor.GuestShutdown})
			return nil
		}
		time.AfterFunc(h.delays.Shutdown, down)
		return nil
	})
}

// Kill ends the machine.
func (d *Driver) Kill(ctx context.Context, id slipway.InstanceID) error {
	return d.do(ctx, func(h *Host) error {
		if m := h.machines[id]; m != nil {
			m.stop()
		}
		return nil
	})
}

// Reboot makes the guest restart.
func (d *Driver) Reboot(ctx context.Context, id slipway.InstanceID) error {
	return d.live(ctx, id, func(h *Host, m *machine) error {
		h.emit(hypervisor.Event{ID: id, Kind: hypervisor.GuestReset})
		h.boot(m)
		return nil
	})
}

// Reset restarts the guest.
func (d *Driver) Reset(ctx context.Context, id slipway.InstanceID) error {
	return d.live(ctx, id, func(h *Host, m *machine) error { h.boot(m); return nil })
}

// Interrupt writes what a kernel says to an unexpected interrupt.
func (d *Driver) Interrupt(ctx context.Context, id slipway.InstanceID) error {
	return d.live(ctx, id, func(_ *Host, m *machine) error {
		m.write("Uhhuh. NMI received for unknown reason\r\n")
		return nil
	})
}

// Running lists the machines that run.
func (d *Driver) Running(ctx context.Context) ([]hypervisor.Status, error) {
	var list []hypervisor.Status
	err := d.do(ctx, func(h *Host) error {
		for id, m := range h.machines {
			if m.pid == 0 {
				continue
			}
			s := hypervisor.Status{ID: id, PID: m.pid}
			for _, disk := range m.spec.Disks {
				s.Disks = append(s.Disks, disk.Volume)
			}
			for _, nic := range m.spec.NICs {
				s.NICs = append(s.NICs, nic.Interface)
			}
			list = append(list, s)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b hypervisor.Status) int { return a.PID - b.PID })
	return list, err
}

// Forget removes what is left of a machine.
func (d *Driver) Forget(ctx context.Context, id slipway.InstanceID) error {
	return d.do(ctx, func(h *Host) error {
		if m := h.machines[id]; m != nil && m.pid != 0 {
			return fmt.Errorf("forget %s: it runs", id)
		}
		delete(h.machines, id)
		return nil
	})
}

// Console is what the guest wrote.
func (d *Driver) Console(ctx context.Context, id slipway.InstanceID) ([]byte, error) {
	var b []byte
	err := d.do(ctx, func(h *Host) error {
		if m := h.machines[id]; m != nil {
			b = bytes.Clone(m.console)
		}
		return nil
	})
	return b, err
}

// Screen is a black screen.
func (d *Driver) Screen(ctx context.Context, id slipway.InstanceID, _ bool) ([]byte, error) {
	var out bytes.Buffer
	err := d.live(ctx, id, func(*Host, *machine) error { return png.Encode(&out, image.NewGray(image.Rect(0, 0, 720, 400))) })
	return out.Bytes(), err
}

// AttachDisk plugs a disk in.
func (d *Driver) AttachDisk(ctx context.Context, id slipway.InstanceID, disk hypervisor.Disk) error {
	return d.live(ctx, id, func(_ *Host, m *machine) error {
		if m.disk(disk.Volume) == nil {
			m.spec.Disks = append(m.spec.Disks, disk)
		}
		return nil
	})
}

func (m *machine) disk(v slipway.VolumeID) *hypervisor.Disk {
	i := slices.IndexFunc(m.spec.Disks, func(d hypervisor.Disk) bool { return d.Volume == v })
	if i < 0 {
		return nil
	}
	return &m.spec.Disks[i]
}

// DetachDisk unplugs a disk.
func (d *Driver) DetachDisk(ctx context.Context, id slipway.InstanceID, v slipway.VolumeID) error {
	if err := pause(ctx, d.host.delays.Unplug); err != nil {
		return err
	}
	return d.do(ctx, func(h *Host) error {
		if m := h.machines[id]; m != nil && m.pid != 0 {
			m.spec.Disks = slices.DeleteFunc(m.spec.Disks, func(d hypervisor.Disk) bool { return d.Volume == v })
		}
		return nil
	})
}

// CPUTime is nothing: nobody computes here.
func (d *Driver) CPUTime(ctx context.Context, id slipway.InstanceID) (time.Duration, error) {
	return 0, d.live(ctx, id, func(*Host, *machine) error { return nil })
}

// LimitCPU changes the share that the machine was started with.
func (d *Driver) LimitCPU(ctx context.Context, id slipway.InstanceID, cpus float64) error {
	return d.live(ctx, id, func(_ *Host, m *machine) error {
		m.spec.CPUShare = cpus / float64(max(m.spec.Cores*m.spec.ThreadsPerCore, 1))
		return nil
	})
}

// LimitDisk changes a disk's throttle.
func (d *Driver) LimitDisk(ctx context.Context, id slipway.InstanceID, v slipway.VolumeID, l hypervisor.Limits) error {
	return d.onDisk(ctx, id, v, func(disk *hypervisor.Disk) { disk.Limits = l })
}

// GrowDisk makes a disk larger, which nobody sees.
func (d *Driver) GrowDisk(ctx context.Context, id slipway.InstanceID, v slipway.VolumeID, _ int) error {
	return d.onDisk(ctx, id, v, func(*hypervisor.Disk) {})
}

func (d *Driver) onDisk(ctx context.Context, id slipway.InstanceID, v slipway.VolumeID, change func(*hypervisor.Disk)) error {
	return d.live(ctx, id, func(_ *Host, m *machine) error {
		disk := m.disk(v)
		if disk == nil {
			return fmt.Errorf("%s: no such disk: %s", id, v)
		}
		change(disk)
		return nil
	})
}

// CopyDisk makes an empty file at target where its directory exists, and calls done later.
func (d *Driver) CopyDisk(
	ctx context.Context, id slipway.InstanceID, v slipway.VolumeID, target string, done func(error),
) error {
	return d.onDisk(ctx, id, v, func(*hypervisor.Disk) {
		time.AfterFunc(d.host.delays.Copy, func() {
			err := os.WriteFile(target, nil, 0o600)
			if errors.Is(err, os.ErrNotExist) {
				err = nil // a simulated blockstore has no directory
			}
			done(err)
		})
	})
}

// AttachNIC plugs a card in.
func (d *Driver) AttachNIC(ctx context.Context, id slipway.InstanceID, n hypervisor.NIC) error {
	return d.live(ctx, id, func(_ *Host, m *machine) error {
		if slices.ContainsFunc(m.spec.NICs, func(o hypervisor.NIC) bool { return o.Interface == n.Interface }) {
			return nil
		}
		if err := openTap(n); err != nil {
			return err
		}
		m.spec.NICs = append(m.spec.NICs, n)
		return nil
	})
}

// DetachNIC unplugs a card.
func (d *Driver) DetachNIC(ctx context.Context, id slipway.InstanceID, eni slipway.InterfaceID) error {
	if err := pause(ctx, d.host.delays.Unplug); err != nil {
		return err
	}
	return d.do(ctx, func(h *Host) error {
		if m := h.machines[id]; m != nil && m.pid != 0 {
			m.spec.NICs = slices.DeleteFunc(m.spec.NICs, func(n hypervisor.NIC) bool { return n.Interface == eni })
		}
		return nil
	})
}

// Suspend remembers the machine under the file's name and ends it.
func (d *Driver) Suspend(ctx context.Context, id slipway.InstanceID, file string) error {
	return d.live(ctx, id, func(h *Host, m *machine) error {
		h.saved[file] = m.spec
		m.stop()
		return nil
	})
}

// Resume starts a machine that Suspend remembered.
func (d *Driver) Resume(ctx context.Context, spec hypervisor.Machine, file string) error {
	return d.do(ctx, func(h *Host) error {
		if _, ok := h.saved[file]; !ok {
			if m := h.machines[spec.ID]; m != nil && m.pid != 0 {
				return nil
			}
			return fmt.Errorf("resume %s: %w", spec.ID, os.ErrNotExist)
		}
		if err := h.start(spec, false); err != nil {
			return err
		}
		delete(h.saved, file)
		return nil
	})
}

// Serial is a serial port that echoes.
func (d *Driver) Serial(ctx context.Context, id slipway.InstanceID) (io.ReadWriteCloser, error) {
	var s *session
	err := d.live(ctx, id, func(h *Host, m *machine) error {
		if m.serial != nil {
			return fmt.Errorf("%s: someone uses its serial port already", id)
		}
		s = &session{host: h, m: m, more: make(chan struct{}, 1), ended: make(chan struct{})}
		m.serial = s
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// session is someone at a serial port. Its fields are guarded by host.mu.
type session struct {
	host    *Host
	m       *machine
	pending []byte
	more    chan struct{}
	ended   chan struct{}
}

func (s *session) feed(text string) {
	s.pending = append(s.pending, text...)
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (s *session) end() {
	select {
	case <-s.ended:
	default:
		close(s.ended)
	}
}

func (s *session) Read(b []byte) (int, error) {
	for {
		s.host.mu.Lock()
		n := copy(b, s.pending)
		s.pending = s.pending[n:]
		s.host.mu.Unlock()
		if n > 0 {
			return n, nil
		}
		select {
		case <-s.more:
		case <-s.ended:
			return 0, io.EOF
		}
	}
}

func (s *session) Write(b []byte) (int, error) {
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	if s.m.serial != s {
		return 0, os.ErrClosed
	}
	s.m.write(string(b))
	return len(b), nil
}

func (s *session) Close() error {
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	if s.m.serial == s {
		s.m.serial = nil
	}
	s.end()
	return nil
}
