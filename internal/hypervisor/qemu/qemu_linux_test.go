package qemu

import (
	"context"
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
	"slipway/internal/guestimage"
	"slipway/internal/hypervisor"
	"slipway/internal/hypervisor/hypervisortest"
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
	// Not TempDir, which other users cannot enter.
	dir, err := os.MkdirTemp("", "slipway-")
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
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
	if out, err := exec.Command("qemu-img", append(append([]string{"create", "-q", "-f", "qcow2"}, args...), path, "1G")...).CombinedOutput(); err != nil {
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
		ID: id, UUID: "ec2" + fmt.Sprintf("%05x-0000-4000-8000-%012x", time.Now().UnixNano()&0xfffff, time.Now().UnixNano()&0xffffffffffff), InstanceType: "t3.nano",
		Cores: 1, ThreadsPerCore: 1, MemoryMiB: 128,
		Boot:  hypervisor.Boot{Kernel: b.image.Kernel, Initrd: b.image.Initrd, Append: b.image.Append},
		Disks: []hypervisor.Disk{{Volume: slipway.NewVolumeID(), Device: "/dev/xvda", Path: b.qcow2("-b", b.image.RootDisk, "-F", "qcow2")}},
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
	d, err := New(Config{Dir: filepath.Join(b.dir, "machines"), Accel: "tcg", Firmwares: []Firmware{f}, Log: slog.New(slog.DiscardHandler)})
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

// TestTheMachinesParentGroup goes with the driver that leaves no machine, is missed by no other, and stays under a machine.
func TestTheMachinesParentGroup(t *testing.T) {
	b := newBench(t)
	driver := func(dir string) *Driver {
		d, err := New(Config{Dir: filepath.Join(b.dir, dir), Accel: "tcg", Cgroup: filepath.Base(b.dir), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	one, two := driver("one"), driver("two")
	group := one.cgroups.dir
	if group == "" {
		t.Skip("there are no control groups here")
	}
	is := func(there bool, when string) {
		t.Helper()
		if _, err := os.Stat(group); (err == nil) != there {
			t.Errorf("%s: the group is there: %v, want %v", when, err == nil, there)
		}
	}
	one.Close()
	is(false, "without a machine")
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
	is(true, "with a machine that runs on")
	next := driver("two")
	if err := next.Kill(t.Context(), m.ID); err != nil {
		t.Fatal(err)
	}
	next.Close()
	is(false, "after it")
}
