package qemu

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"slipway"
	"slipway/internal/hypervisor"
)

// heard is all that is logged.
type heard struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all.Write(b)
}

func (h *heard) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all.String()
}

// encrypted is a disk under a passphrase.
func (b *bench) encrypted(passphrase string) hypervisor.Disk {
	b.Helper()
	v := slipway.NewVolumeID()
	path := filepath.Join(b.dir, string(v)+".qcow2")
	for range 10 { // QEMU measures the processor's clock when it encrypts, which fails now and then
		out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "--object", "secret,id=k,data="+passphrase,
			"-o", "encrypt.format=luks,encrypt.key-secret=k,encrypt.iter-time=10", path, "1G").CombinedOutput()
		if err == nil {
			return hypervisor.Disk{Volume: v, Device: "/dev/sdf", Path: path, Secret: []byte(passphrase)}
		}
		b.Logf("qemu-img: %v: %s", err, out)
	}
	b.Fatal("no encrypted disk")
	return hypervisor.Disk{}
}

// TestAPassphraseIsSeenByQEMUAlone: a machine starts with an encrypted disk and is given another while it runs.
// Neither passphrase is in the list of processes or their environment, in a file, or in a log that has everything; and
// no image of QEMU's memory would be left.
func TestAPassphraseIsSeenByQEMUAlone(t *testing.T) {
	b := newBench(t)
	var log heard
	d, err := New(Config{Dir: filepath.Join(b.dir, "machines"), RunDir: filepath.Join(b.dir, "run"), Accel: "tcg",
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	first, second := fmt.Sprintf("opensesame-%d", os.Getpid()), fmt.Sprintf("closesesame-%d", os.Getpid())
	m := b.machine()
	m.Disks = append(m.Disks, b.encrypted(first))
	later := b.encrypted(second)
	later.Device = "/dev/sdg"
	if err := d.Start(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	defer d.Kill(context.Background(), m.ID)
	if err := d.AttachDisk(t.Context(), m.ID, later); err != nil {
		t.Fatal(err)
	}
	rec, err := readRecord(d.machine(m.ID).dir)
	if err != nil {
		t.Fatal(err)
	}
	own := fmt.Sprintf("/proc/%d/cmdline", rec.PID)
	seen := false
	for _, pattern := range []string{"/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			content, _ := os.ReadFile(file) // the process may have ended
			seen = seen || file == own && strings.Contains(string(content), string(m.ID))
			wantNeither(t, file, string(content), first, second)
		}
	}
	if !seen {
		t.Error("QEMU's own line was not among those that were read")
	}
	wantNeither(t, "the log", log.text(), first, second)
	err = filepath.WalkDir(b.dir, func(path string, f fs.DirEntry, err error) error {
		if err != nil || !f.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		wantNeither(t, path, string(content), first, second)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	var now unix.Rlimit
	if err := unix.Prlimit(rec.PID, unix.RLIMIT_CORE, nil, &now); err != nil {
		t.Log("the limit of QEMU's image is not looked at, because limits of others may not be touched here: ", err)
	} else if now.Max > 1 {
		t.Errorf("QEMU may leave an image of its memory of %d bytes", now.Max)
	}
}

func wantNeither(t *testing.T, where, content string, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(content, s) {
			t.Errorf("%s shows a passphrase", where)
		}
	}
}
