package etcd

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"slipway/internal/store/storetest"
)

// beginsIn is set in a process of this test's own that begins an etcd in a directory, to be killed.
const beginsIn = "SLIPWAY_ETCD_BEGINS_IN"

// TestAFirstStartThatIsKilled, whenever that is, leaves a directory in which the next start is ready.
func TestAFirstStartThatIsKilled(t *testing.T) {
	embed := func(ctx context.Context, dir string) (*Store, error) {
		return Embed(ctx, filepath.Join(dir, "etcd"), filepath.Join(dir, "s"), "/t/", Sealed(storetest.Schema, nil),
			slog.New(slog.DiscardHandler))
	}
	if dir := os.Getenv(beginsIn); dir != "" {
		fmt.Println("begins")
		if _, err := embed(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		select {} // until it is killed
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		dir := shortDir(t)
		child := exec.Command(self, "-test.run=^TestAFirstStartThatIsKilled$")
		child.Env = append(os.Environ(), beginsIn+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		bufio.NewReader(out).ReadString('\n')
		after := time.Duration(rand.IntN(120)) * time.Millisecond
		<-time.After(after) // a moment of chance
		child.Process.Kill()
		child.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		s, err := embed(ctx, dir)
		cancel()
		if err != nil {
			t.Fatalf("killed after %v: %v", after, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
