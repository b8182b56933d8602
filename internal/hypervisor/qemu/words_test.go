package qemu

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAScreenIsNoLargerThanAScreen: what a QEMU calls its guest's screen is measured before it is read further.
func TestAScreenIsNoLargerThanAScreen(t *testing.T) {
	var good bytes.Buffer
	if err := png.Encode(&good, image.NewGray(image.Rect(0, 0, 640, 480))); err != nil {
		t.Fatal(err)
	}
	if err := checkPNG(good.Bytes()); err != nil {
		t.Errorf("a good one: %v", err)
	}
	sized := func(width, height uint32) []byte {
		b := bytes.Clone(good.Bytes())
		binary.BigEndian.PutUint32(b[16:], width)
		binary.BigEndian.PutUint32(b[20:], height)
		return b
	}
	for name, b := range map[string][]byte{
		"wide": sized(1<<31, 1), "high": sized(1, 8193), "much": sized(8192, 8192), "nothing": sized(0, 5),
		"short": good.Bytes()[:20], "other": []byte(strings.Repeat("GIF89a", 9)),
	} {
		if checkPNG(b) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for _, ppm := range []string{
		"P6\n8000 8000\n255\n", "P6\n2000 2000\n255\nx", "P6\n1 1\n255\n" + strings.Repeat("x", 1000),
	} {
		if _, err := pngOf([]byte(ppm)); err == nil {
			t.Errorf("%.20q: taken", ppm)
		}
	}
	if _, err := pngOf([]byte("P6\n1 1\n255\nxyz")); err != nil {
		t.Errorf("a good PPM: %v", err)
	}
}

// endless is a QEMU that does not stop talking.
type endless struct{ n int }

func (e *endless) Read(b []byte) (int, error) {
	e.n += len(b)
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func TestALineHasAnEnd(t *testing.T) {
	from := &endless{}
	if _, err := readLine(bufio.NewReaderSize(from, 64<<10)); err == nil || from.n > maxLine+1<<20 {
		t.Errorf("readLine = %v after %d bytes", err, from.n)
	}
	if line, err := readLine(bufio.NewReaderSize(strings.NewReader(strings.Repeat("y", 200_000)+"\nz"),
		64<<10)); err != nil || len(line) != 200_001 {
		t.Errorf("a long line: %d bytes, %v", len(line), err)
	}
}

// TestEventsAreKeptInNumber: those that a guest can bring about without end, and none that says that it has ended is lost.
func TestEventsAreKeptInNumber(t *testing.T) {
	m := &monitor{}
	for range 10 * maxEvents {
		m.keep(qmpMessage{Event: "RESET"})
		m.keep(qmpMessage{Event: "RTC_CHANGE"})
	}
	m.keep(qmpMessage{Event: "SHUTDOWN"})
	if len(m.queue) != maxEvents+1 || m.queue[maxEvents].Event != "SHUTDOWN" {
		t.Errorf("%d events are kept, the last %s", len(m.queue), m.queue[len(m.queue)-1].Event)
	}
}

// TestUsersAreNobodyElses: slots have ranges of their own, and one that overlaps with what others were given is
// refused by name.
func TestUsersAreNobodyElses(t *testing.T) {
	for slot := range 32 {
		if last := Importer(slot); last <= FirstUser(slot)+users || last >= FirstUser(slot+1) || last > 1<<31-2 {
			t.Errorf("slot %d ends at %d", slot, last)
		}
	}
	file := filepath.Join(t.TempDir(), "subuid")
	for _, tt := range []struct {
		content string
		refused bool
	}{
		{"me:100000:65536\nlxd:1000000:1000000000\n", false},
		{fmt.Sprintf("me:%d:10\n", FirstUser(3)+5), true},
		{fmt.Sprintf("me:%d:%d\n", FirstUser(3)-10, 20), true},
		{fmt.Sprintf("me:%d:10\n", FirstUser(3)-10), false},
		{fmt.Sprintf("me:%d:10\n", FirstUser(3)+usersOfSlot), false},
		{"nonsense\nme:x:y\n", false},
	} {
		if err := os.WriteFile(file, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := checkUsers(FirstUser(3), file, file+".none"); (err != nil) != tt.refused {
			t.Errorf("%q: %v", tt.content, err)
		}
	}
}

// TestRoomIsBoundedInBothVersions of control groups.
func TestRoomIsBoundedInBothVersions(t *testing.T) {
	r := room{cpus: 0.5, memoryMiB: 1280, tasks: 258}
	for _, tt := range []struct {
		unified          bool
		controller, file string
		want             string
	}{
		{true, "cpu", "cpu.max", "50000 100000"}, {true, "memory", "memory.max", "1342177280"},
		{true, "pids", "pids.max", "258"},
		{false, "cpu", "cpu.cfs_quota_us", "50000"}, {false, "memory", "memory.limit_in_bytes", "1342177280"},
		{false, "pids", "pids.max", "258"},
	} {
		group := t.TempDir()
		if err := os.WriteFile(filepath.Join(group, tt.file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := (cgroups{unified: tt.unified}).limit(tt.controller, group, r); err != nil {
			t.Errorf("%s: %v", tt.file, err)
		}
		if b, _ := os.ReadFile(filepath.Join(group, tt.file)); string(b) != tt.want {
			t.Errorf("%s is %q, want %q", tt.file, b, tt.want)
		}
	}
}
