package qcow2

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const cryptLUKS = 2

func header(size uint64, backing string, crypt uint32) []byte {
	b := make([]byte, 104+len(backing))
	binary.BigEndian.PutUint32(b, magic)
	binary.BigEndian.PutUint32(b[4:], 3)
	binary.BigEndian.PutUint64(b[24:], size)
	binary.BigEndian.PutUint32(b[32:], crypt)
	if backing != "" {
		binary.BigEndian.PutUint64(b[8:], 104)
		binary.BigEndian.PutUint32(b[16:], uint32(len(backing)))
		copy(b[104:], backing)
	}
	return b
}

func TestChain(t *testing.T) {
	dir := t.TempDir()
	base, top := filepath.Join(dir, "base"), filepath.Join(dir, "top")
	os.WriteFile(base, header(1<<30, "", 0), 0o600)
	os.WriteFile(top, header(2<<30, "base", cryptLUKS), 0o600)
	got, err := Chain(top)
	want := []Layer{{top, 2 << 30, true}, {base, 1 << 30, false}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Chain = %v, %v, want %v", got, err, want)
	}
	loop := filepath.Join(dir, "loop")
	os.WriteFile(loop, header(1, "loop", 0), 0o600)
	if _, err := Chain(loop); err == nil {
		t.Error("Chain of a file that is its own backing file: got no error")
	}
}

func TestDecodeRefusesWhatIsNoQcow2(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("not a disk"), make([]byte, 200), header(1, "x", 0)[:104]} {
		if _, err := Decode(b); !errors.Is(err, ErrFormat) {
			t.Errorf("Decode(%d bytes) = %v, want %v", len(b), err, ErrFormat)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(header(1<<30, "/a/b", cryptLUKS))
	f.Fuzz(func(t *testing.T, b []byte) { Decode(b) })
}
