package etcd

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/internal/await"
	"slipway/internal/store"
	"slipway/internal/store/storetest"
)

// On a full disk etcd would end the whole process: a write is refused before that, reads go on, and so does everything
// when there is room.
func TestAFullDiskRefusesWritesAndNothingElse(t *testing.T) {
	disk := shortDir(t)
	if err := unix.Mount("slipway-test", disk, "tmpfs", 0, "size=320m"); err != nil {
		t.Skipf("a disk to fill is missing: tmpfs is not mounted (%v): run as root", err)
	}
	t.Cleanup(func() { unix.Unmount(disk, unix.MNT_DETACH) })
	var log strings.Builder
	s, err := Embed(t.Context(), filepath.Join(disk, "etcd"), filepath.Join(shortDir(t), "s"), "/t/", Sealed(storetest.Schema, nil),
		slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	defer func() {
		if !closed {
			s.Close()
		}
	}()
	put := func(value string) error {
		return s.Update(t.Context(), func(tx store.Tx) error { tx.Put("k", []byte(value)); return nil })
	}
	if err := put("before"); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(disk, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil { // to the last byte
		_, err = f.Write(make([]byte, 1<<20))
	}
	f.Close()
	for range 20 {
		if err := put("full"); !errors.Is(err, store.ErrFull) {
			t.Fatalf("a write on a full disk: %v, want ErrFull", err)
		}
		v, err := s.Snapshot(t.Context())
		if err != nil || string(v.Get("k").Value) != "before" {
			t.Fatalf("a read on a full disk: %v", err)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	await.Success(t, 10*time.Second, func() error { return put("after") })
	s.Close()
	closed = true
	if n := strings.Count(log.String(), "no change is taken"); n != 1 || !strings.Contains(log.String(), "room again") {
		t.Errorf("the log says it %d times:\n%s", n, log.String())
	}
}
