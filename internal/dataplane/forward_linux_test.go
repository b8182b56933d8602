package dataplane

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// settings are a host's, as files.
type settings struct {
	*testing.T
	ledger
}

func newSettings(t *testing.T, forwards string) settings {
	s := settings{t, ledger{file: filepath.Join(t.TempDir(), "run/forwarding.json"), proc: t.TempDir()}}
	for name, value := range map[string]string{
		forwardSetting: forwards, "net/ipv4/conf/all/forwarding": forwards, "net/ipv4/conf/eth0/forwarding": "1",
		"net/ipv4/conf/all/accept_redirects":  "0",
		"net/ipv4/conf/eth0/accept_redirects": "0",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(s.proc, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		s.set(name, value)
	}
	return s
}

func (s settings) set(name, value string) {
	s.Helper()
	if err := os.WriteFile(filepath.Join(s.proc, name), []byte(value+"\n"), 0o644); err != nil {
		s.Fatal(err)
	}
}

func (s settings) all() map[string]string {
	s.Helper()
	names, err := s.related()
	if err != nil {
		s.Fatal(err)
	}
	out := map[string]string{}
	for _, n := range names {
		if out[n], err = s.read(n); err != nil {
			s.Fatal(err)
		}
	}
	return out
}

// kernel does what the kernel does when forwarding is switched.
func (s settings) kernel(to string) {
	redirects := map[string]string{"1": "0", "0": "1"}[to]
	for _, n := range []string{"all", "eth0"} {
		s.set("net/ipv4/conf/"+n+"/forwarding", to)
		s.set("net/ipv4/conf/"+n+"/accept_redirects", redirects)
	}
}

func (s settings) claim(slot int, want bool) {
	s.Helper()
	if before, err := s.take(slot); err != nil || before != want {
		s.Errorf("slot %d: forwarded before: %v, %v, want %v", slot, before, err, want)
	}
}

// TestTheHostIsAsItWas once the last installation has ended, whatever changed along with forwarding and whoever was
// killed meanwhile.
func TestTheHostIsAsItWas(t *testing.T) {
	s := newSettings(t, "0")
	found := s.all()
	s.claim(1, false)
	s.kernel("1")
	s.claim(2, false)
	s.claim(1, false) // killed, and started again
	if err := s.give(1); err != nil {
		t.Fatal(err)
	}
	if on, _ := s.read(forwardSetting); on != "1" {
		t.Error("forwarding was taken from an installation that needs it")
	}
	for range 2 {
		if err := s.give(2); err != nil {
			t.Fatal(err)
		}
	}
	if now := s.all(); !maps.Equal(found, now) {
		t.Errorf("the host has %v, had %v", now, found)
	}
	if _, err := os.Stat(s.file); err == nil {
		t.Error("what was remembered is left")
	}
}

// TestAHostThatForwardsIsLeftAlone by all of us.
func TestAHostThatForwardsIsLeftAlone(t *testing.T) {
	s := newSettings(t, "1")
	found := s.all()
	s.claim(1, true)
	if err := s.give(1); err != nil {
		t.Fatal(err)
	}
	if now := s.all(); !maps.Equal(found, now) {
		t.Errorf("the host has %v, had %v", now, found)
	}
}
