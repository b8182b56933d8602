package qemu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"slipway"
	"slipway/internal/cgroup"
	"slipway/internal/gate"
	"slipway/internal/guard"
	"slipway/internal/hostusers"
	"slipway/internal/hypervisor"
	"slipway/internal/processes"
	"slipway/internal/qmp"
)

// Config is what a Driver is made with. Zero values stand for the defaults given.
type Config struct {
	Dir        string     // one directory per machine below it; absolute
	RunDir     string     // for sockets, whose paths are limited to 108 bytes; default Dir
	Accel      string     // "auto", "kvm" or "tcg"; default auto
	Binary     string     // default qemu-system-x86_64
	FirstUser  int        // machines run as the users from here on; default 1887436800, where nobody else's are
	SameUser   bool       // do not give each machine a user of its own (forced when the driver is not root)
	Cgroup     string     // name of the group that holds the machines' groups; default slipway
	TCGCacheMB int        // translation cache of the emulator; default 128
	Firmwares  []Firmware // for UEFI, best first; default: where distributions put OVMF
	Log        *slog.Logger
}

// Driver runs machines as QEMU processes.
type Driver struct {
	cfg     Config
	log     *slog.Logger
	version string
	cgroups cgroup.Groups
	sink    *sink

	closed  chan struct{}
	closing sync.Once
	watches sync.WaitGroup

	mu       sync.Mutex
	machines map[slipway.InstanceID]*machine
	accel    Accelerator
	trial    chan struct{} // closed once the trial of KVM has its answer; nil: none was begun
}

// machine is what the driver holds about one instance that has a directory.
type machine struct {
	id  slipway.InstanceID
	dir string
	op  gate.Gate // one operation at a time, but for Kill, which cuts them short
	log consoleLog

	reset   time.Time // the last one; only watch uses it
	reading gate.Gate // of the console's ring: what is taken out goes to the log in order

	mu       sync.Mutex // guards what follows
	rec      record
	proc     *process     // nil: does not run
	mon      *qmp.Monitor // nil: not connected
	asked    bool         // the driver was asked to end the process: no event
	settling bool         // Start has not returned yet, and will itself say what goes wrong: no event
	shutdown bool         // the guest has powered itself off
	typing   bool         // someone uses the serial port
}

var _ hypervisor.Driver = (*Driver)(nil)

// New finds the machines that an earlier driver left running below cfg.Dir and takes them over.
func New(cfg Config) (*Driver, error) {
	if cfg.RunDir == "" {
		cfg.RunDir = cfg.Dir
	}
	if cfg.Accel == "" {
		cfg.Accel = "auto"
	}
	if cfg.Binary == "" {
		cfg.Binary = "qemu-system-x86_64"
	}
	if cfg.FirstUser == 0 {
		cfg.FirstUser = hostusers.First(-1)
	}
	if cfg.Cgroup == "" {
		cfg.Cgroup = "slipway"
	}
	if cfg.TCGCacheMB == 0 {
		cfg.TCGCacheMB = 128
	}
	if len(cfg.Firmwares) == 0 {
		cfg.Firmwares = firmwares
	}
	switch cfg.Accel {
	case "auto", "kvm", "tcg":
	default:
		return nil, fmt.Errorf("accelerator %q: auto, kvm or tcg", cfg.Accel)
	}
	if longest := len(cfg.RunDir) + len("/i-0123456789abcdef0.qmp"); longest > 107 {
		return nil, fmt.Errorf("%s is too long a directory for sockets by %d bytes", cfg.RunDir, longest-107)
	}
	version, err := qemuVersion(cfg.Binary)
	if err != nil {
		return nil, err
	}
	if cfg.Binary, err = exec.LookPath(cfg.Binary); err == nil {
		cfg.Binary, err = filepath.Abs(cfg.Binary)
	}
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.RunDir, 0o700); err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 && !cfg.SameUser {
		cfg.SameUser = true
		cfg.Log.Warn("machines run as slipway's own user, because it is not root")
	}
	if !cfg.SameUser {
		if err := hostusers.Check(cfg.FirstUser, "/etc/subuid", "/etc/subgid"); err != nil {
			return nil, err
		}
	}
	d := &Driver{
		cfg: cfg, log: cfg.Log, version: version,
		cgroups: cgroup.Find("/sys/fs/cgroup", cfg.Cgroup, cfg.Dir, cfg.Log),
		sink:    newSink(), closed: make(chan struct{}), machines: map[slipway.InstanceID]*machine{},
	}
	if err := d.tryView(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	signal.Ignore(unix.SIGXFSZ) // inherited by machines: one that writes beyond its limit gets an error and lives
	d.accel = d.knownAccelerator()
	if err := d.adopt(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	d.reap()
	return d, nil
}

func qemuVersion(binary string) (string, error) {
	out, err := exec.Command(binary, "-version").Output()
	if err != nil {
		return "", fmt.Errorf("%s -version: %w (Debian: apt install qemu-system-x86 qemu-utils)", binary, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimPrefix(line, "QEMU emulator version "), nil
}

// Close lets go of the machines. They run on; the next New finds them.
func (d *Driver) Close() error {
	d.closing.Do(func() { close(d.closed) })
	d.watches.Wait()
	d.cgroups.Close()
	d.sink.close()
	return nil
}

// Events is read by the agent.
func (d *Driver) Events() <-chan hypervisor.Event { return d.sink.out }

// adopt takes over the machines whose directories exist.
func (d *Driver) adopt() error {
	entries, err := os.ReadDir(d.cfg.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), "i-") { // sockets may lie here too
			continue
		}
		m := d.machine(slipway.InstanceID(e.Name()))
		if err := d.adoptMachine(m); err != nil {
			// One damaged record must not keep the others from being served, nor end its own guest.
			d.log.Error("machine not taken over: what it does is left alone", "instance", m.id, "directory", m.dir,
				"error", err)
		}
	}
	return nil
}

// adoptMachine compares a machine's record with what runs, and puts the record right.
func (d *Driver) adoptMachine(m *machine) error {
	rec, err := readRecord(m.dir)
	if absent(err) {
		return nil
	}
	if err != nil {
		return d.salvage(m, err)
	}
	m.rec = rec
	lock, err := takeLock(m.dir)
	if err == nil {
		defer lock.Close()
		if rec.Phase == running {
			m.rec.Phase, m.rec.Why = ended, "the process ended while slipway was away"
			if words := lastLines(m.qemuLog(), rec.LogMark); words != "" {
				m.rec.Why += ": " + words
			}
			if rec.BootID != processes.BootID() {
				m.rec.Why = "the host restarted"
			}
			d.cleanUp(m)
			d.sink.send(hypervisor.Event{ID: m.id, Kind: hypervisor.Exited, Detail: m.rec.Why})
		} else {
			m.rec.Phase = ended
		}
		return m.rec.write(m.dir)
	}
	if !errors.Is(err, errHeld) {
		return err
	}
	return d.adoptProcess(m)
}

// adoptProcess takes over the process that holds m's lock.
func (d *Driver) adoptProcess(m *machine) error {
	pid := m.rec.PID
	if start, err := processes.StartTime(pid); pid == 0 || err != nil || start != m.rec.StartTime || m.rec.BootID != processes.BootID() {
		// The last driver died between starting the process and writing down its number. It may not even have come to exec.
		found := false
		for range 20 {
			if pid, found = findByUUID(m.rec.UUID); found {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if !found {
			return fmt.Errorf("its lock is held, but no process has the UUID %s", m.rec.UUID)
		}
	}
	p, err := openProcess(pid, nil)
	if err != nil {
		return err
	}
	d.log.Info("machine taken over", "instance", m.id, "pid", pid)
	return d.own(m, p)
}

// own writes down a process and watches it.
func (d *Driver) own(m *machine, p *process) error {
	start, err := processes.StartTime(p.PID)
	if err != nil && p.Alive() && !errors.Is(err, os.ErrProcessDone) && !absent(err) {
		return err
	}
	m.mu.Lock()
	m.rec.Phase, m.rec.PID, m.rec.StartTime, m.rec.BootID = running, p.PID, start, processes.BootID()
	m.proc, m.mon, m.asked, m.shutdown, m.settling = p, nil, false, false, p.Child != nil
	err = m.rec.write(m.dir)
	m.mu.Unlock()
	guard.Group(&d.watches, d.log, "the watch over a machine", func() { d.watch(m, p) })
	return err
}

func (d *Driver) machine(id slipway.InstanceID) *machine {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.machines[id]
	if m == nil {
		dir := filepath.Join(d.cfg.Dir, string(id))
		m = &machine{
			id: id, dir: dir, op: gate.New(), reading: gate.New(), log: consoleLog{path: filepath.Join(dir, "console.log")},
		}
		d.machines[id] = m
	}
	return m
}

func (d *Driver) all() []*machine {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]*machine, 0, len(d.machines))
	for _, m := range d.machines {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *machine) int { return strings.Compare(string(a.id), string(b.id)) })
	return all
}

func (m *machine) qemuLog() string { return filepath.Join(m.dir, "qemu.log") }
func (d *Driver) qmpSocket(m *machine) string {
	return filepath.Join(d.cfg.RunDir, string(m.id)+".qmp")
}
func (m *machine) process() *process        { m.mu.Lock(); defer m.mu.Unlock(); return m.proc }
func (m *machine) connection() *qmp.Monitor { m.mu.Lock(); defer m.mu.Unlock(); return m.mon }
func (m *machine) update(change func(r *record)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.rec)
	return m.rec.write(m.dir)
}

// ErrNotRunning is what operations on a running machine give when it does not run.
var ErrNotRunning = errors.New("the machine does not run")

// live takes m's operation lock and waits until its monitor answers.
func (d *Driver) live(ctx context.Context, id slipway.InstanceID) (*machine, *qmp.Monitor, error) {
	m := d.machine(id)
	if err := m.op.Enter(ctx); err != nil {
		return nil, nil, fmt.Errorf("%s: another operation is under way: %w", id, err)
	}
	mon, err := d.awaitMonitor(ctx, m)
	if err != nil {
		m.op.Leave()
		return nil, nil, fmt.Errorf("%s: %w", id, err)
	}
	return m, mon, nil
}

func (d *Driver) awaitMonitor(ctx context.Context, m *machine) (*qmp.Monitor, error) {
	deadline := time.Now().Add(qmp.Greeting)
	for {
		p, mon := m.process(), m.connection()
		if p == nil || !p.Alive() {
			return nil, ErrNotRunning
		}
		if mon != nil {
			return mon, nil
		}
		if time.Now().After(deadline) {
			return nil, errors.New("QEMU does not answer")
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-p.Dead:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-d.closed:
			return nil, os.ErrClosed
		}
	}
}

// watch follows one process to its end: events, console, connection.
func (d *Driver) watch(m *machine, p *process) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	guard.Go(d.log, "the watch over a machine", func() {
		select {
		case <-d.closed:
			cancel()
		case <-p.Dead:
			cancel()
		case <-stop:
		}
	})
	guard.Loop(ctx, d.log, "the watch over "+string(m.id), func(ctx context.Context) error { return d.attend(ctx, m) })
	if mon := m.connection(); mon != nil {
		if !p.Alive() { // its last words may still be in the connection
			select {
			case <-mon.Ended():
			case <-time.After(lastWords):
			}
			events, _ := mon.Events()
			for _, e := range events {
				guard.Do(d.log, "a machine's last words", func() { d.heard(ctx, m, mon, e) })
			}
		}
		mon.Close()
	}
	m.mu.Lock()
	m.mon = nil
	m.mu.Unlock()
	if !p.Alive() {
		d.buried(m, p)
	}
	p.File.Close()
}

// lastWords is how long the connection of a dead QEMU may take to end.
const lastWords = 5 * time.Second

// Pauses between two tries to connect: short at first, because a machine that starts is waited for.
const (
	firstConnect = 50 * time.Millisecond
	lastConnect  = 5 * time.Second
)

// attend keeps a connection to a machine's QEMU and does what there is to do, until ctx ends.
func (d *Driver) attend(ctx context.Context, m *machine) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	mon := m.connection() // an earlier one's, if that panicked
	for pause := firstConnect; ctx.Err() == nil; {
		if mon == nil {
			var err error
			if mon, err = d.connect(ctx, m); err != nil {
				if pause == lastConnect && ctx.Err() == nil {
					d.log.Warn("QEMU does not answer", "instance", m.id, "error", err, "again", pause)
				}
				guard.Sleep(ctx, pause)
				pause = min(2*pause, lastConnect)
				continue
			}
			pause = firstConnect
		}
		events, stirred := mon.Events()
		for _, e := range events {
			d.heard(ctx, m, mon, e)
		}
		select {
		case <-stirred:
		case <-tick.C:
			m.collect(ctx, mon)
			m.trimLog(d.log)
		case <-mon.Ended():
			m.mu.Lock()
			m.mon = nil
			m.mu.Unlock()
			if guard.Sleep(ctx, firstConnect) { // else the process is gone, too, and that says it all
				d.log.Warn("connection to QEMU lost: it is made anew", "instance", m.id, "error", mon.Reason())
				mon = nil
			} else {
				m.mu.Lock()
				m.mon = mon // for its last words
				m.mu.Unlock()
			}
		case <-ctx.Done():
		}
	}
	return nil
}

// connect makes the monitor's connection and catches up with what happened while there was none.
func (d *Driver) connect(ctx context.Context, m *machine) (*qmp.Monitor, error) {
	mon, err := qmp.Dial(ctx, d.qmpSocket(m))
	if err != nil {
		return nil, err
	}
	var id struct {
		UUID string `json:"UUID"`
	}
	var status struct {
		Status string `json:"status"`
	}
	err = errors.Join(mon.Run(ctx, "query-uuid", nil, &id), mon.Run(ctx, "query-status", nil, &status))
	m.mu.Lock()
	wanted := m.rec.UUID
	m.mu.Unlock()
	if err == nil {
		err = m.learn(ctx, mon)
	}
	if err == nil && !strings.EqualFold(id.UUID, wanted) {
		err = fmt.Errorf("QEMU's UUID is %s, the record's %s", id.UUID, wanted)
		d.log.Error("a stranger answers on a machine's socket", "instance", m.id, "error", err)
	}
	if err != nil {
		mon.Close()
		return nil, err
	}
	m.mu.Lock()
	m.mon = mon
	m.mu.Unlock()
	d.restoreConsole(ctx, m, mon)
	if status.Status == "shutdown" {
		d.guestShutdown(ctx, m, mon)
	}
	return mon, nil
}

// resetEcho is how soon after a reset another is the firmware's own doing.
const resetEcho = 3 * time.Second

// heard acts on one event of QEMU.
func (d *Driver) heard(ctx context.Context, m *machine, mon *qmp.Monitor, e qmp.Message) {
	switch e.Event {
	case "SHUTDOWN":
		if by(e).Guest {
			d.guestShutdown(ctx, m, mon)
		}
	case "RESET":
		// SeaBIOS answers every reset with one of its own, to find its code fresh.
		again := e.At().Sub(m.reset) < resetEcho
		m.reset = e.At()
		if by(e).Guest && !again {
			d.sink.send(hypervisor.Event{ID: m.id, Kind: hypervisor.GuestReset})
		}
	case "GUEST_PANICKED":
		m.collect(ctx, mon)
		d.sink.send(hypervisor.Event{ID: m.id, Kind: hypervisor.GuestPanic})
	}
}

// guestShutdown saves the console of a machine that has powered itself off and is now paused, and lets its process go.
func (d *Driver) guestShutdown(ctx context.Context, m *machine, mon *qmp.Monitor) {
	m.mu.Lock()
	m.shutdown = true
	m.mu.Unlock()
	m.collect(ctx, mon)
	mon.Run(ctx, "quit", nil, nil)
}

// buried puts the books in order after a process has ended.
func (d *Driver) buried(m *machine, p *process) {
	m.mu.Lock()
	event := hypervisor.Event{ID: m.id, Kind: hypervisor.Exited, Detail: p.epitaph(lastLines(m.qemuLog(), m.rec.LogMark))}
	if m.shutdown {
		event = hypervisor.Event{ID: m.id, Kind: hypervisor.GuestShutdown}
	}
	tell := !m.asked && !m.settling
	m.rec.Phase, m.rec.Why = ended, string(event.Kind)
	if !tell {
		m.rec.Why = "asked"
	}
	if err := m.rec.write(m.dir); err != nil && !absent(err) {
		d.log.Error("machine's record", "instance", m.id, "error", err)
	}
	m.proc = nil
	m.mu.Unlock()
	d.cleanUp(m)
	if tell {
		d.log.Info("machine ended by itself", "instance", m.id, "kind", event.Kind, "detail", event.Detail)
		d.sink.send(event)
	}
	close(p.over)
}

// cleanUp removes what a process leaves outside of its machine's directory.
func (d *Driver) cleanUp(m *machine) {
	os.Remove(d.qmpSocket(m))
	d.cgroups.Remove(string(m.id))
}

// Running lists the machines whose processes live.
func (d *Driver) Running(context.Context) ([]hypervisor.Status, error) {
	var list []hypervisor.Status
	for _, m := range d.all() {
		m.mu.Lock()
		if m.proc != nil && m.proc.Alive() {
			list = append(list,
				hypervisor.Status{ID: m.id, PID: m.proc.PID, Disks: slices.Clone(m.rec.Disks), NICs: slices.Clone(m.rec.NICs)})
		}
		m.mu.Unlock()
	}
	return list, nil
}

// PowerButton presses the ACPI power button.
func (d *Driver) PowerButton(ctx context.Context, id slipway.InstanceID) error {
	return d.simple(ctx, id, "system_powerdown", nil)
}

// Reboot presses Ctrl-Alt-Del.
func (d *Driver) Reboot(ctx context.Context, id slipway.InstanceID) error {
	return d.simple(ctx, id, "send-key", keys("ctrl", "alt", "delete"))
}

// Reset restarts the guest as the reset button does.
func (d *Driver) Reset(ctx context.Context, id slipway.InstanceID) error {
	return d.simple(ctx, id, "system_reset", nil)
}

// Interrupt delivers a non-maskable interrupt.
func (d *Driver) Interrupt(ctx context.Context, id slipway.InstanceID) error {
	return d.simple(ctx, id, "inject-nmi", nil)
}

func (d *Driver) simple(ctx context.Context, id slipway.InstanceID, command string, args any) error {
	m, mon, err := d.live(ctx, id)
	if err != nil {
		return err
	}
	defer m.op.Leave()
	return mon.Run(ctx, command, args, nil)
}

func keys(codes ...string) map[string]any {
	list := make([]map[string]any, len(codes))
	for i, c := range codes {
		list[i] = map[string]any{"type": "qcode", "data": c}
	}
	return map[string]any{"keys": list}
}

// Kill ends the process at once: QEMU is asked first, so that it closes its disks in order, then killed.
func (d *Driver) Kill(ctx context.Context, id slipway.InstanceID) error {
	m := d.machine(id)
	m.mu.Lock()
	p, mon := m.proc, m.mon
	m.asked = p != nil
	m.mu.Unlock()
	if p == nil {
		return nil
	}
	return d.end(ctx, m, p, mon)
}

// end is Kill once m.asked is set.
func (d *Driver) end(ctx context.Context, m *machine, p *process, mon *qmp.Monitor) error {
	if mon != nil {
		polite, cancel := context.WithTimeout(ctx, time.Second)
		m.collect(polite, mon)
		if err := mon.Run(polite, "quit", nil, nil); err == nil {
			p.WaitDead(2 * time.Second)
		}
		cancel()
	}
	if p.Alive() {
		if err := p.Signal(unix.SIGKILL); err != nil {
			return fmt.Errorf("kill %s: %w", m.id, err)
		}
	}
	select {
	case <-p.over:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("kill %s: process %d is still there: %w", m.id, p.PID, ctx.Err())
	case <-time.After(30 * time.Second):
		return fmt.Errorf("kill %s: process %d is still there", m.id, p.PID)
	}
}

// Forget removes a machine's directory. A machine that runs is refused.
func (d *Driver) Forget(ctx context.Context, id slipway.InstanceID) error {
	m := d.machine(id)
	if err := m.op.Enter(ctx); err != nil {
		return fmt.Errorf("forget %s: another operation is under way: %w", id, err)
	}
	defer m.op.Leave()
	if m.process() != nil {
		return fmt.Errorf("forget %s: it runs", id)
	}
	d.cleanUp(m)
	if err := os.RemoveAll(m.dir); err != nil {
		return err
	}
	d.mu.Lock()
	delete(d.machines, id)
	d.mu.Unlock()
	return nil
}
