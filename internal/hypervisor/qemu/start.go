package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"slipway"
	"slipway/internal/cgroup"
	"slipway/internal/guard"
	"slipway/internal/hypervisor"
	"slipway/internal/jail"
	"slipway/internal/qcow2"
	"slipway/internal/qemuargs"
	"slipway/internal/qmp"
)

// Start runs the machine unless it runs already.
func (d *Driver) Start(ctx context.Context, hm hypervisor.Machine) error { return d.start(ctx, hm, "") }

func (d *Driver) start(ctx context.Context, hm hypervisor.Machine, saved string) error {
	if err := check(hm); err != nil {
		return err
	}
	if err := d.awaitTrial(ctx); err != nil {
		return err
	}
	m := d.machine(hm.ID)
	if err := m.op.Enter(ctx); err != nil {
		return fmt.Errorf("start %s: another operation is under way: %w", hm.ID, err)
	}
	defer m.op.Leave()
	if p := m.process(); p != nil {
		if p.Alive() {
			return nil
		}
		<-p.over
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	lock, err := takeLock(m.dir)
	if errors.Is(err, errHeld) { // a process that no driver knows: one died in the middle of this very method
		return d.adoptStranger(m)
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	s, err := d.prepare(m, hm, saved)
	if err != nil {
		return fmt.Errorf("start %s: %w", hm.ID, err)
	}
	defer s.close()
	s.files[0] = lock
	p, err := d.exec(m, s)
	if err != nil {
		d.cleanUp(m)
		return fmt.Errorf("start %s: %w", hm.ID, err)
	}
	if err := d.own(m, p); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", hm.ID, err), d.Kill(context.WithoutCancel(ctx), hm.ID))
	}
	if err := d.awaitDevices(ctx, m, p, saved); err != nil {
		// A process that never answered must not stay behind: the next Start would take it for a running machine.
		m.mu.Lock()
		m.asked = true
		mon := m.mon
		m.mu.Unlock()
		killed := d.end(context.WithoutCancel(ctx), m, p, mon)
		if words := lastLines(m.qemuLog(), 0); words != "" {
			err = fmt.Errorf("%w: %s", err, words)
		}
		return errors.Join(fmt.Errorf("start %s: %w", hm.ID, err), killed)
	}
	accel := d.Accelerator()
	d.log.InfoContext(ctx, "machine started", "instance", hm.ID, "pid", p.PID, "accelerator", accel.Name)
	return nil
}

// adoptStranger takes over the process that holds m's lock.
func (d *Driver) adoptStranger(m *machine) error {
	rec, err := readRecord(m.dir)
	if err != nil {
		return fmt.Errorf("%s runs, but its record cannot be read: %w", m.id, err)
	}
	m.mu.Lock()
	m.rec = rec
	m.mu.Unlock()
	return d.adoptProcess(m)
}

// check refuses a machine that no command line can express.
func check(m hypervisor.Machine) error {
	switch {
	case m.ID == "" || m.UUID == "":
		return errors.New("a machine needs an id and a UUID")
	case m.Cores < 1 || m.ThreadsPerCore < 1 || m.MemoryMiB < 1:
		return fmt.Errorf("%s: %d cores of %d threads, %d MiB", m.ID, m.Cores, m.ThreadsPerCore, m.MemoryMiB)
	case m.Boot.Kernel == "" && len(m.Disks) == 0:
		return fmt.Errorf("%s: neither kernel nor disk to boot from", m.ID)
	}
	return nil
}

// What QEMU may take beside what its guest has.
const (
	memoryOverhead = 1024 // MiB, besides the translation cache: caches of 33 disks, and itself
	tasksOverhead  = 256  // threads beside one for each vCPU: a pool has at most 64
	fileOverhead   = 512 << 20
)

// roomFor is what a machine may take.
func (d *Driver) roomFor(m hypervisor.Machine) cgroup.Room {
	vcpus := m.Cores * m.ThreadsPerCore
	return cgroup.Room{
		CPUs: m.CPUShare * float64(vcpus), MemoryMiB: m.MemoryMiB + d.cfg.TCGCacheMB + memoryOverhead,
		Tasks: tasksOverhead + vcpus,
	}
}

// spawn is a process about to be: its command line, the files it inherits, of which the first is the machine's lock,
// and what it sees of the host.
type spawn struct {
	args  []string
	files []*os.File
	view  jail.View
	uid   int
	room  cgroup.Room
	most  int64 // bytes of its largest file
}

// firstFD is the number of the first inherited file, after standard input, output and error.
const firstFD = 3

func (s *spawn) add(f *os.File) int {
	s.files = append(s.files, f)
	return firstFD + len(s.files) - 1
}

func (s *spawn) close() {
	for _, f := range s.files[1:] {
		f.Close()
	}
}

// prepare makes everything a process needs and writes down that one is about to exist.
func (d *Driver) prepare(m *machine, hm hypervisor.Machine, saved string) (_ *spawn, err error) {
	s := &spawn{files: []*os.File{nil}, room: d.roomFor(hm), most: fileOverhead}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	rec := record{
		ID: hm.ID, UUID: hm.UUID, Phase: starting, Version: d.version, Slots: map[string]int{}, Began: time.Now().UTC(),
	}
	if saved != "" { // devices must sit where they sat
		rec.Slots = m.rec.Slots
	}
	rec.UID = d.user(m)
	s.uid = rec.UID
	l := qemuargs.Launch{KVM: d.Accelerator().KVM, TranslationCacheMiB: d.cfg.TCGCacheMB, Slots: rec.Slots,
		Chains: map[slipway.VolumeID][]qcow2.Layer{}, Secrets: map[string]string{}, Resume: saved != ""}
	if hm.Boot.UEFI {
		if l.Firmware, l.Variables, err = d.giveFirmware(m, rec.UID); err != nil {
			return nil, err
		}
		s.sees(jail.File{Path: l.Firmware}, jail.File{Path: l.Variables, Write: true})
	}
	s.sees(bootFiles(hm.Boot)...)
	if l.KVM {
		s.sees(kvm()...)
	}
	for _, disk := range hm.Disks {
		rec.Disks = append(rec.Disks, disk.Volume)
		if err := rec.place(qemuargs.DiskID(disk.Volume)); err != nil {
			return nil, err
		}
		if l.Chains[disk.Volume], err = giveDisk(disk.Path, rec.UID); err != nil {
			return nil, err
		}
		rec.file(disk.Volume, disk.Path)
		s.sees(layers(l.Chains[disk.Volume])...)
		s.most = max(s.most, fileLimit(l.Chains[disk.Volume]))
		for _, key := range qemuargs.Secrets(disk, l.Chains[disk.Volume]) {
			if l.Secrets[key.Name], err = d.giveSecret(s, key); err != nil {
				return nil, err
			}
		}
	}
	for _, nic := range hm.NICs {
		rec.NICs = append(rec.NICs, nic.Interface)
		if err := rec.place(qemuargs.NICID(nic.Interface)); err != nil {
			return nil, err
		}
		f, err := nic.OpenTap()
		if err != nil {
			return nil, fmt.Errorf("tap of %s: %w", nic.Interface, err)
		}
		l.Taps = append(l.Taps, s.add(f))
	}
	socket, err := d.listenQMP(m)
	if err != nil {
		return nil, err
	}
	l.QMP = s.add(socket)
	s.args = qemuargs.Args(hm, l)
	rec.Args = s.args
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rec = rec
	return s, m.rec.write(m.dir)
}

// place gives a device the lowest free slot, unless it has one.
func (r *record) place(device string) error {
	if _, ok := r.Slots[device]; ok {
		return nil
	}
	taken := make(map[int]bool, len(r.Slots))
	for _, s := range r.Slots {
		taken[s] = true
	}
	for s := range qemuargs.Slots {
		if !taken[s] {
			r.Slots[device] = s
			return nil
		}
	}
	return fmt.Errorf("%s: all %d slots for disks and network cards are taken", r.ID, qemuargs.Slots)
}

// listenQMP makes the socket before QEMU exists: a connection then waits for QEMU instead of failing until it is there,
// and QEMU needs no right to write in the directory.
func (d *Driver) listenQMP(m *machine) (*os.File, error) {
	path := d.qmpSocket(m)
	if err := os.Remove(path); err != nil && !absent(err) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	defer l.Close()
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, err
	}
	return l.File()
}

// exec starts QEMU in a session, a group and under a user of its own.
func (d *Driver) exec(m *machine, s *spawn) (*process, error) {
	log, err := os.OpenFile(m.qemuLog(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(d.cfg.Binary, s.args...)
	cmd.Dir, cmd.Env = "/", d.environment()
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, s.files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: credential(s.uid)}
	leave, err := d.cgroups.Enter(string(m.id), s.room, cmd.SysProcAttr)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := d.launch(cmd, m.dir, s.view); err != nil {
		return nil, err
	}
	d.cgroups.Add(string(m.id), cmd.Process.Pid)
	p, err := openProcess(cmd.Process.Pid, cmd.Process)
	if err == nil {
		err = bound(cmd.Process.Pid, s.most)
	}
	if err != nil {
		cmd.Process.Kill()
		cmd.Process.Wait()
		return nil, err
	}
	return p, nil
}

// awaitDevices waits until QEMU answers, which it does once it has made every device.
func (d *Driver) awaitDevices(ctx context.Context, m *machine, p *process, saved string) error {
	mon, err := d.awaitMonitor(ctx, m)
	if err == nil && saved != "" {
		err = restore(ctx, mon, saved)
	}
	if errors.Is(err, ErrNotRunning) {
		err = errors.New("QEMU ended at once")
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.proc != p {
		return errors.New("QEMU ended at once")
	}
	m.settling = false
	if fi, err := os.Stat(m.qemuLog()); err == nil {
		m.rec.LogMark = fi.Size() // what QEMU says while it starts is no reason for a later end
	}
	return m.rec.write(m.dir)
}

// Suspend saves a machine's memory and devices to file and ends its process.
func (d *Driver) Suspend(ctx context.Context, id slipway.InstanceID, file string) error {
	m, mon, err := d.live(ctx, id)
	if err != nil {
		return err
	}
	defer m.op.Leave()
	if err := d.suspend(ctx, m, mon, file); err != nil {
		os.Remove(file + ".part")
		// What could not be saved must not be lost: the guest runs on.
		resume := mon.Run(context.WithoutCancel(ctx), "cont", nil, nil)
		return errors.Join(fmt.Errorf("suspend %s: %w", id, err), resume)
	}
	m.mu.Lock()
	m.asked = true
	p := m.proc
	m.mu.Unlock()
	if p == nil {
		return nil
	}
	return d.end(ctx, m, p, mon)
}

func (d *Driver) suspend(ctx context.Context, m *machine, mon *qmp.Monitor, file string) error {
	out, err := os.OpenFile(file+".part", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := mon.Run(ctx, "stop", nil, nil); err != nil {
		return err
	}
	m.collect(ctx, mon)
	// QEMU writes to a pipe, not to the file: it treats a descriptor as a stream, and the file stays the driver's.
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	copied := make(chan error, 1)
	guard.Go(d.log, "saving memory", func() {
		copied <- guard.Call(func() error {
			_, err := io.Copy(out, r)
			return errors.Join(err, r.Close())
		})
	})
	err = mon.RunWithFile(ctx, "getfd", map[string]any{"fdname": "state"}, w, nil)
	w.Close()
	if err == nil {
		err = errors.Join(
			mon.Run(ctx, "migrate-set-parameters", map[string]any{"max-bandwidth": int64(1) << 40}, nil),
			mon.Run(ctx, "migrate", map[string]any{"uri": "fd:state"}, nil))
	}
	if err == nil {
		err = qmp.AwaitMigration(ctx, mon)
	}
	if err != nil {
		mon.Run(context.WithoutCancel(ctx), "migrate_cancel", nil, nil)
		mon.Run(context.WithoutCancel(ctx), "closefd", map[string]any{"fdname": "state"}, nil)
		r.SetReadDeadline(time.Now()) // QEMU may be deaf, and hold the other end for ever
		<-copied
		return err
	}
	r.SetReadDeadline(time.Now().Add(qmp.Limit))
	if err := errors.Join(<-copied, out.Sync()); err != nil {
		return err
	}
	return os.Rename(file+".part", file)
}

// Resume starts the machine from a file that Suspend wrote, and removes the file.
func (d *Driver) Resume(ctx context.Context, m hypervisor.Machine, file string) error {
	if _, err := os.Stat(file); err != nil {
		if p := d.machine(m.ID).process(); absent(err) && p != nil && p.Alive() {
			return nil // resumed already
		}
		return err
	}
	if err := d.start(ctx, m, file); err != nil {
		return err
	}
	return os.Remove(file)
}

// restore feeds a waiting process its saved state and waits until the guest runs.
func restore(ctx context.Context, mon *qmp.Monitor, file string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := mon.RunWithFile(ctx, "getfd", map[string]any{"fdname": "state"}, in, nil); err != nil {
		return err
	}
	if err := mon.Run(ctx, "migrate-incoming", map[string]any{"uri": "fd:state"}, nil); err != nil {
		return err
	}
	if err := qmp.AwaitMigration(ctx, mon); err != nil {
		return err
	}
	return mon.Run(ctx, "cont", nil, nil)
}
