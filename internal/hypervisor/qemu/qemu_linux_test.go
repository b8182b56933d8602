package qemu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway"
	"slipway/internal/await"
	"slipway/internal/cgroup"
	"slipway/internal/guestimage"
	"slipway/internal/hypervisor"
	"slipway/internal/hypervisor/hypervisortest"
	"slipway/internal/processes"
)

// tinyImage is made once for all tests.
var tinyImage = sync.OnceValues(func() (guestimage.Built, error) {
	for _, program := range []string{"qemu-system-x86_64", "qemu-img", "mke2fs", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			return guestimage.Built{}, err
		}
	}
	ctx, cancel := testContext()
	defer cancel()
	return guestimage.Tiny(ctx, guestimage.DefaultCacheDir(), func(string) {})
})

// bench is a host for one test.
type bench struct {
	testing.TB
	dir   string
	image guestimage.Built
}

func newBench(tb testing.TB) *bench {
	tb.Helper()
	image, err := tinyImage()
	if err != nil {
		tb.Skip("no tiny image: ", err)
	}
	dir, err := os.MkdirTemp("",
		"slipway-") // of mode 0700: machines need not walk there, and TempDir's path is too long for sockets
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	return &bench{tb, dir, image}
}

func (b *bench) driver() *Driver { return b.driverWith("tcg") }

func (b *bench) driverWith(accel string) *Driver {
	b.Helper()
	d, err := New(Config{Dir: filepath.Join(b.dir, "machines"), RunDir: filepath.Join(b.dir, "run"), Accel: accel,
		Log: slog.New(slog.NewTextHandler(b.Output(), nil))})
	if err != nil {
		b.Fatal(err)
	}
	return d
}

func (b *bench) qcow2(args ...string) string {
	b.Helper()
	v := slipway.NewVolumeID()
	path := filepath.Join(b.dir, string(v)+".qcow2")
	if out, err := exec.Command("qemu-img",
		append(append([]string{"create", "-q", "-f", "qcow2"}, args...), path, "1G")...).CombinedOutput(); err != nil {
		b.Fatalf("qemu-img: %v: %s", err, out)
	}
	return path
}

func (b *bench) blank() hypervisor.Disk {
	v := slipway.NewVolumeID()
	return hypervisor.Disk{Volume: v, Path: b.qcow2()}
}

func (b *bench) machine() hypervisor.Machine {
	id := slipway.NewInstanceID()
	return hypervisor.Machine{
		ID: id, UUID: "ec2" +
			fmt.Sprintf("%05x-0000-4000-8000-%012x", time.Now().UnixNano()&0xfffff,
				time.Now().UnixNano()&0xffffffffffff), InstanceType: "t3.nano",
		Cores: 1, ThreadsPerCore: 1, MemoryMiB: 128,
		Boot: hypervisor.Boot{Kernel: b.image.Kernel, Initrd: b.image.Initrd, Append: b.image.Append},
		Disks: []hypervisor.Disk{
			{Volume: slipway.NewVolumeID(), Device: "/dev/xvda", Path: b.qcow2("-b", b.image.RootDisk, "-F", "qcow2")},
		},
	}
}

func TestContract(t *testing.T) {
	hypervisortest.Run(t, func(tb testing.TB) hypervisortest.Harness {
		b := newBench(tb)
		h := hypervisortest.Harness{
			New:      func() hypervisor.Driver { return b.driver() },
			Machine:  b.machine,
			Disk:     b.blank,
			Crash:    func(s hypervisor.Status) { syscall.Kill(s.PID, syscall.SIGKILL) },
			File:     func(name string) string { return filepath.Join(b.dir, name) },
			Ready:    "slipway-tiny: all ready",
			Patience: 60 * time.Second,
		}
		if os.Geteuid() == 0 {
			h.NIC = b.nic
		}
		return h
	})
}

// TestKVMIsProvenNotAssumed: whatever KVM is like here, a machine that is started while it is being tried comes up, under
// what the trial chose, and the next driver knows the answer without another trial.
func TestKVMIsProvenNotAssumed(t *testing.T) {
	b := newBench(t)
	d := b.driverWith("auto")
	defer d.Close()
	m := b.machine()
	d.BeginProbe(t.Context(), m.Boot)
	if err := d.Start(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	defer d.Kill(context.Background(), m.ID)
	chosen := d.Accelerator()
	if !chosen.Proven || chosen.Why == "" {
		t.Errorf("the machine was started before the trial had its answer: %+v", chosen)
	}
	rec, err := readRecord(d.machine(m.ID).dir)
	if err != nil {
		t.Fatal(err)
	}
	if kvm := slices.Contains(rec.Args, "kvm"); kvm != chosen.KVM {
		t.Errorf("the trial chose %s (%s), and the machine has KVM: %v", chosen.Name, chosen.Why, kvm)
	}
	if again := b.driverWith("auto").Accelerator(); again.Name != chosen.Name || !again.Proven {
		t.Errorf("the next driver says %+v, want %+v", again, chosen)
	}
}

// nic is a card on a tap that leads nowhere and goes away with its last descriptor.
func (b *bench) nic() hypervisor.NIC {
	return hypervisor.NIC{Interface: slipway.NewInterfaceID(), MAC: "02:00:00:00:00:01", OpenTap: func() (*os.File, error) {
		f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		req, err := unix.NewIfreq("sliptest%d")
		if err != nil {
			return nil, err
		}
		req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		return f, unix.IoctlIfreq(int(f.Fd()), unix.TUNSETIFF, req)
	}}
}

func testContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 10*time.Minute)
}

// TestFirmwareIsLookedForAnew: what is installed while the driver lives is found, and what is missing is named.
func TestFirmwareIsLookedForAnew(t *testing.T) {
	b := newBench(t)
	f := Firmware{filepath.Join(b.dir, "code.fd"), filepath.Join(b.dir, "variables.fd")}
	d, err := New(Config{
		Dir: filepath.Join(b.dir, "machines"), Accel: "tcg", Firmwares: []Firmware{f}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	m := b.machine()
	m.Boot = hypervisor.Boot{UEFI: true}
	for _, err := range []error{d.UEFI(), d.Start(t.Context(), m)} {
		if err == nil || !strings.Contains(err.Error(), f.Code+" is missing") || !strings.Contains(err.Error(), "ovmf") {
			t.Errorf("without firmware: %v", err)
		}
	}
	for _, file := range []string{f.Code, f.Variables} {
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.UEFI(); err != nil {
		t.Errorf("with it: %v", err)
	}
}

// TestTheMachinesParentGroups go with the drivers that leave no machine, are missed by no other, and stay above a machine.
func TestTheMachinesParentGroups(t *testing.T) {
	b := newBench(t)
	driver := func(dir string) *Driver {
		d, err := New(Config{
			Dir: filepath.Join(b.dir, dir), Accel: "tcg", Cgroup: filepath.Base(b.dir), Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	one, two := driver("one"), driver("two")
	if one.cgroups.Dirs["cpu"] == "" {
		t.Skip("there are no control groups here")
	}
	is := func(there bool, group, when string) {
		t.Helper()
		if _, err := os.Stat(group); (err == nil) != there {
			t.Errorf("%s: %s is there: %v, want %v", when, group, err == nil, there)
		}
	}
	each := func(d *Driver, there bool, when string) {
		t.Helper()
		for _, group := range d.cgroups.Dirs {
			is(there, group, when)
		}
	}
	leftover := func(installation string) { // as of one that was killed: its machines have ended, its directory may be gone
		t.Helper()
		for _, group := range one.cgroups.Dirs {
			if err := os.MkdirAll(filepath.Join(filepath.Dir(group), installation, "i-0123456789abcdef0"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	leftover("dead")
	leftover(filepath.Base(two.cgroups.Dirs["cpu"])) // it lives, and is about to start a machine
	three := driver("three")
	for _, group := range one.cgroups.Dirs {
		is(false, filepath.Join(filepath.Dir(group), "dead"), "of a dead installation, when another starts")
	}
	for _, group := range two.cgroups.Dirs {
		is(true, filepath.Join(group, "i-0123456789abcdef0"), "of one that lives, when another starts")
	}
	three.Close()
	each(three, false, "without a machine")
	one.Close()
	each(one, false, "without a machine")
	m := b.machine()
	if err := two.Start(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	left, _ := two.Running(t.Context())
	t.Cleanup(func() {
		for _, s := range left {
			if t.Failed() {
				syscall.Kill(s.PID, syscall.SIGKILL)
			}
		}
	})
	two.Close()
	each(two, true, "with a machine that runs on")
	next := driver("two")
	if err := next.Kill(t.Context(), m.ID); err != nil {
		t.Fatal(err)
	}
	leftover(filepath.Base(next.cgroups.Dirs["cpu"]))
	next.Close()
	each(next, false, "after it")
	is(false, filepath.Dir(next.cgroups.Dirs["cpu"]), "after the last")
}

// rooted skips where machines get no view and no user of their own.
func rooted(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("views and users of machines' own need root")
	}
}

// up is a machine that runs, and its process.
func (b *bench) up(d *Driver) (hypervisor.Machine, int) {
	b.Helper()
	m := b.machine()
	if err := d.Start(context.Background(), m); err != nil {
		b.Fatal(err)
	}
	pid := d.machine(m.ID).process().PID
	began, err := processes.StartTime(pid)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { // whichever driver has it by then, closed or not
		if now, err := processes.StartTime(pid); err == nil && now == began {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return m, pid
}

// gone waits until a process is no more.
func gone(t *testing.T, pid int) {
	t.Helper()
	await.Success(t, 20*time.Second, func() error {
		if _, err := processes.StartTime(pid); err == nil {
			return fmt.Errorf("process %d is there", pid)
		}
		return nil
	})
}

// TestAFrozenQEMU can be ended, and its console read, while other operations hang on it.
func TestAFrozenQEMU(t *testing.T) {
	b := newBench(t)
	d := b.driver()
	defer d.Close()
	m, pid := b.up(d)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	hung := make(chan error, 3)
	for _, do := range []func() error{
		func() error { return d.PowerButton(ctx, m.ID) },
		func() error { _, err := d.Screen(ctx, m.ID, false); return err },
		func() error { return d.AttachDisk(ctx, m.ID, b.blank()) },
	} {
		go func() { hung <- do() }()
	}
	if _, err := d.Console(ctx, m.ID); err != nil {
		t.Errorf("Console: %v", err)
	}
	if err := d.Kill(ctx, m.ID); err != nil {
		t.Errorf("Kill: %v", err)
	}
	gone(t, pid)
	for range cap(hung) {
		if err := <-hung; err == nil {
			t.Error("an operation on a frozen machine succeeded")
		} else if ctx.Err() != nil {
			t.Fatalf("an operation hung although the machine is gone: %v", err)
		}
	}
}

// TestASecondDeathHasItsOwnReason, not what QEMU happened to say earlier.
func TestASecondDeathHasItsOwnReason(t *testing.T) {
	b := newBench(t)
	d := b.driver()
	defer d.Close()
	m := b.machine()
	for range 2 {
		if err := d.Start(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(d.machine(m.ID).qemuLog(), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(f, "qemu-system-x86_64: warning: TCG doesn't support requested feature")
		f.Close()
		syscall.Kill(d.machine(m.ID).process().PID, syscall.SIGKILL)
		select {
		case e := <-d.Events():
			if e.Kind != hypervisor.Exited || !strings.Contains(e.Detail, "killed") || strings.Contains(e.Detail, "warning") {
				t.Errorf("event = %+v, want that it was killed", e)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("no event")
		}
	}
}

// TestMachinesOfADeletedDirectoryAreEnded by the next driver over the same directory, with their groups, and no others are.
func TestMachinesOfADeletedDirectoryAreEnded(t *testing.T) {
	rooted(t)
	b := newBench(t)
	d := b.driver()
	_, orphan := b.up(d)
	kept, keptPID := b.up(d)
	damaged, damagedPID := b.up(d)
	d.Close()
	elsewhere := &bench{t, t.TempDir(), b.image}
	e := elsewhere.driver()
	defer e.Close()
	_, strangers := elsewhere.up(e)
	for _, m := range d.all() {
		switch m.id {
		case kept.ID:
		case damaged.ID:
			if err := os.WriteFile(filepath.Join(m.dir, "record.json"), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		default:
			if err := os.RemoveAll(m.dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	next := b.driver()
	defer next.Close()
	gone(t, orphan)
	for name, pid := range map[string]int{
		"one whose directory is there": keptPID, "one whose record is damaged": damagedPID, "another installation's": strangers,
	} {
		if _, err := processes.StartTime(pid); err != nil {
			t.Errorf("%s was ended: %v", name, err)
		}
	}
	list, _ := next.Running(t.Context())
	if len(list) != 2 {
		t.Errorf("Running = %+v, want the one whose record is whole and the one whose record is damaged", list)
	}
	await.Success(t, 30*time.Second, func() error { // it is asked what is plugged into it
		for _, s := range list {
			if list, _ = next.Running(t.Context()); s.ID == damaged.ID &&
				slices.Equal(s.Disks, []slipway.VolumeID{damaged.Disks[0].Volume}) {
				return nil
			}
		}
		return fmt.Errorf("Running = %+v", list)
	})
	extra := b.blank()
	if err := next.AttachDisk(t.Context(), damaged.ID, extra); err != nil {
		t.Errorf("a disk for the one whose record was damaged: %v", err)
	}
	for id := range next.cgroups.Members() {
		if id != string(kept.ID) && id != string(damaged.ID) {
			t.Errorf("the group of %s is left", id)
		}
	}
}

// TestAMachineSeesItsOwnFilesOnly: its process has namespaces of its own, no capability, and of the host's files its own.
func TestAMachineSeesItsOwnFilesOnly(t *testing.T) {
	rooted(t)
	b := newBench(t)
	d := b.driver()
	defer d.Close()
	other := b.machine()
	m, pid := b.up(d)
	await.Success(t, time.Minute, func() error { // a guest that has not booted lets go of nothing
		if said, _ := d.Console(t.Context(), m.ID); !strings.Contains(string(said), "slipway-tiny: all ready") {
			return errors.New("the guest is not ready")
		}
		return nil
	})
	extra := b.blank()
	if err := d.AttachDisk(t.Context(), m.ID, extra); err != nil {
		t.Fatal(err)
	}
	inside := func(path string) bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d/root%s", pid, path))
		return err == nil
	}
	for path, want := range map[string]bool{
		m.Disks[0].Path: true, b.image.RootDisk: true, extra.Path: true, "/dev/urandom": true,
		other.Disks[0].Path: false, "/etc/passwd": false, "/proc/self": false, "/tmp": b.dir[:4] == "/tmp",
		d.machine(m.ID).dir: false, "/run": false, "/dev/kvm": d.Accelerator().KVM,
	} {
		if inside(path) != want {
			t.Errorf("it sees %s: %v, want %v", path, !want, want)
		}
	}
	for _, ns := range []string{"mnt", "pid", "ipc", "net"} {
		own, _ := os.Readlink("/proc/self/ns/" + ns)
		if its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, ns)); err != nil || own == its {
			t.Errorf("its %s namespace is the host's (%v)", ns, err)
		}
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for _, line := range []string{"CapBnd:\t0000000000000000", "CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(string(status), line) {
			t.Errorf("its status lacks %q", line)
		}
	}
	groups, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	for controller := range d.cgroups.Dirs {
		if group := "/slipway/" + cgroup.GroupKey(d.cfg.Dir) + "/" + string(m.ID); !strings.Contains(string(groups), group) {
			t.Errorf("%s: its groups are %s, want %s", controller, groups, group)
		}
	}
	if err := d.DetachDisk(t.Context(), m.ID, extra.Volume); err != nil {
		t.Fatal(err)
	}
	if inside(extra.Path) {
		t.Error("it still sees a disk that was taken from it")
	}
}

// TestNoDescriptorOfASnapshotIsLeft with the machine that wrote it.
func TestNoDescriptorOfASnapshotIsLeft(t *testing.T) {
	rooted(t)
	b := newBench(t)
	d := b.driver()
	defer d.Close()
	m, pid := b.up(d)
	target := filepath.Join(b.dir, "copy.qcow2")
	done := make(chan error, 1)
	if err := d.CopyDisk(t.Context(), m.ID, m.Disks[0].Volume, target, func(err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, fd := range fds {
		if to, _ := os.Readlink(fd); strings.Contains(to, "copy.qcow2") {
			t.Errorf("descriptor %s of the machine is %s", filepath.Base(fd), to)
		}
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/root%s", pid, target)); err == nil {
		t.Error("the machine still sees the finished snapshot")
	}
}

// TestAStartThatFailsLeavesNothing: no group, no socket, no process.
func TestAStartThatFailsLeavesNothing(t *testing.T) {
	rooted(t)
	b := newBench(t)
	d := b.driver()
	defer d.Close()
	m := b.machine()
	m.Boot.Initrd = filepath.Join(b.dir, "absent")
	if err := d.Start(t.Context(), m); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Fatalf("Start = %v, want one that names what is absent", err)
	}
	if left := d.cgroups.Members(); len(left) > 0 {
		t.Errorf("groups are left: %v", left)
	}
	if _, err := os.Stat(d.qmpSocket(d.machine(m.ID))); err == nil {
		t.Error("a socket is left")
	}
}
