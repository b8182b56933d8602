package seal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func fresh(tb testing.TB) *Ring {
	tb.Helper()
	r, err := Load(filepath.Join(tb.TempDir(), "secrets.key"))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func first(tb testing.TB, r *Ring) ID {
	tb.Helper()
	id, err := r.First()
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func sealed(tb testing.TB, r *Ring, id ID, place, value string) []byte {
	tb.Helper()
	b, err := r.Seal(id, place, []byte(value))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestASealedValueIsReadWhereItLiesAndNowhereElse(t *testing.T) {
	r := fresh(t)
	id := first(t, r)
	for _, value := range []string{"", "s", strings.Repeat("opensesame", 1000)} {
		b := sealed(t, r, id, "s/1/volume/a", value)
		if of, ok := Sealed(b); !ok || of != id || len(b) != len(value)+Overhead {
			t.Errorf("sealed under %q, %d bytes", of, len(b))
		}
		if value != "" && bytes.Contains(b, []byte(value)) {
			t.Error("the sealed value shows the plain one")
		}
		got, err := r.Unseal("s/1/volume/a", b)
		if err != nil || string(got) != value || got == nil {
			t.Errorf("Unseal = %q, %v", got, err)
		}
		if _, err := r.Unseal("s/1/volume/b", b); !errors.Is(err, ErrDamaged) {
			t.Errorf("moved to another key: %v", err)
		}
		for i := range b {
			bad := bytes.Clone(b)
			bad[i] ^= 1
			if _, err := r.Unseal("s/1/volume/a", bad); err == nil {
				t.Fatalf("byte %d changed: it is read", i)
			}
			if i > 200 {
				break
			}
		}
	}
	if bytes.Equal(sealed(t, r, id, "k", "v"), sealed(t, r, id, "k", "v")) {
		t.Error("one value sealed twice is told to be the same")
	}
}

func TestAKeyFileOutlivesItsProcessAndIsReadAgainWhenItChanges(t *testing.T) {
	r := fresh(t)
	id := first(t, r)
	if again := first(t, r); again != id {
		t.Errorf("a second first key: %s", again)
	}
	other, err := Load(r.File())
	if err != nil {
		t.Fatal(err)
	}
	next, err := r.Add()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := other.Unseal("k", sealed(t, r, next, "k", "v")); err != nil || string(got) != "v" {
		t.Errorf("a process that began before the key was made: %q, %v", got, err)
	}
	old := sealed(t, r, id, "k", "v")
	killed := filepath.Join(filepath.Dir(r.File()), "."+filepath.Base(r.File())+".new-1")
	if err := os.WriteFile(killed, r.Content(), 0o600); err != nil { // of one that was killed
		t.Fatal(err)
	}
	if err := r.Keep(next); err != nil {
		t.Fatal(err)
	}
	if ids := r.IDs(); !slices.Equal(ids, []ID{next}) {
		t.Errorf("kept %v, want %s alone", ids, next)
	}
	var unknown *UnknownKeyError
	if _, err := r.Unseal("k", old); !errors.As(err, &unknown) || unknown.ID != id || !strings.Contains(err.Error(), r.File()) {
		t.Errorf("under a key that was dropped: %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(r.File())); err != nil || len(left) != 1 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func TestAKeyFileThatCannotBeBelievedIsRefused(t *testing.T) {
	r := fresh(t)
	first(t, r)
	whole, err := os.ReadFile(r.File())
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Fields(strings.SplitN(string(whole), "\n", 3)[1])[1]
	for name, bad := range map[string][]byte{
		"empty": nil, "cut": whole[:len(whole)-5], "changed": bytes.Replace(whole, []byte(secret[:2]), []byte("//"), 1),
		"without an id": []byte(secret + "\n"),
	} {
		if err := os.WriteFile(r.File(), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(r.File())
		if err == nil || !strings.Contains(err.Error(), "damaged") || strings.Contains(err.Error(), secret[4:20]) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line that names the file and not the key", name, err)
		}
	}
	if err := os.WriteFile(r.File(), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604} {
		if err := os.Chmod(r.File(), mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(r.File()); err == nil || !strings.Contains(err.Error(), "chmod 600 "+r.File()) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if err := os.Chmod(r.File(), 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(r.File()); err != nil {
		t.Errorf("mode 400: %v", err)
	}
}

func TestProcessesThatBeginTogetherMakeOneKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secrets.key")
	ids := make([]ID, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			r, err := Load(file)
			if err == nil {
				ids[i], err = r.First()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if slices.Sort(ids); ids[0] != ids[len(ids)-1] {
		t.Errorf("several keys: %v", ids)
	}
}

func FuzzUnseal(f *testing.F) {
	other := []byte("28fd8bc14fdd4ca4 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
	if _, err := Parse(other); err == nil {
		f.Fatal("the id of another key was taken")
	}
	k := &key{}
	k.ready()
	r := &Ring{keys: []*key{k}}
	f.Add("k", sealed(f, r, k.id, "k", "v"))
	f.Add("", []byte{mark, form})
	f.Add("k", []byte(`{"a":1}`))
	f.Fuzz(func(t *testing.T, place string, b []byte) {
		value, err := r.Unseal(place, b)
		if err == nil && len(value)+Overhead != len(b) {
			t.Errorf("%d bytes of %d", len(value), len(b))
		}
		if _, ok := Sealed(b); !ok && err == nil {
			t.Error("a plain value was unsealed")
		}
	})
}

// FuzzParse reads key files.
func FuzzParse(f *testing.F) {
	k := newKey()
	f.Add(content([]*key{k, newKey()}))
	f.Add([]byte("# \n\n a b c\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(r.Content())
		if err != nil || !slices.Equal(again.IDs(), r.IDs()) {
			t.Errorf("what it writes of %q is not what it read: %v", b, err)
		}
	})
}

func BenchmarkSeal2KiB(b *testing.B) {
	r := fresh(b)
	id := first(b, r)
	value := bytes.Repeat([]byte("x"), 2<<10)
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if _, err := r.Seal(id, "s/000000000001/us-east-1/instance/i-0123456789abcdef0", value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnseal2KiB(b *testing.B) {
	r := fresh(b)
	v := sealed(b, r, first(b, r), "k", strings.Repeat("x", 2<<10))
	b.ReportAllocs()
	b.SetBytes(2 << 10)
	for b.Loop() {
		if _, err := r.Unseal("k", v); err != nil {
			b.Fatal(err)
		}
	}
}
