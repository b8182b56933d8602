package dataplane

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/internal/durable"
)

// The host forwards packets while an installation needs it, and is as it was once none does. Switching that on changes
// other settings along with it, so all of them are written down first, where every installation of this host finds
// them and a restart of the host, which forgets the settings, forgets them too. An installation that is killed is
// still written down, and takes it back at its next end.

// memory is what was found, and who needs the change.
type memory struct {
	Found map[string]string `json:"found"` // file below /proc/sys to its content
	Users []int             `json:"users"` // slots
}

// ledger is where memory lies, and the settings that it is about.
type ledger struct {
	file string // its directory is made
	proc string // "/proc/sys"
}

// theHosts is the one that all installations share.
func theHosts() ledger { return ledger{file: "/run/slipway/forwarding.json", proc: "/proc/sys"} }

const forwardSetting = "net/ipv4/ip_forward"

// locked works on the memory, alone.
func (l ledger) locked(work func(m *memory) error) error {
	if err := os.MkdirAll(filepath.Dir(l.file), 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(l.file+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	var m memory
	b, err := os.ReadFile(l.file)
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w: it holds the host's settings as they were; compare them with sysctl and remove it",
			l.file, err)
	}
	return work(&m)
}

func (l ledger) save(m *memory) error {
	if len(m.Users) == 0 {
		return os.Remove(l.file)
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return durable.Replace(l.file, b, 0o600)
}

func (l ledger) read(setting string) (string, error) {
	b, err := os.ReadFile(filepath.Join(l.proc, setting))
	return strings.TrimSpace(string(b)), err
}

func (l ledger) write(setting, value string) error {
	if have, err := l.read(setting); err == nil && have == value {
		return nil
	}
	return os.WriteFile(filepath.Join(l.proc, setting), []byte(value), 0o644)
}

// related are the settings that change along with forwarding.
func (l ledger) related() ([]string, error) {
	out := []string{forwardSetting}
	for _, name := range []string{"forwarding", "accept_redirects"} {
		files, err := filepath.Glob(filepath.Join(l.proc, "net/ipv4/conf/*", name))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			rel, err := filepath.Rel(l.proc, f)
			if err != nil {
				return nil, err
			}
			out = append(out, rel)
		}
	}
	return out, nil
}

// take switches forwarding on for a slot, and says whether it was on before the first of us came.
func (l ledger) take(slot int) (before bool, err error) {
	err = l.locked(func(m *memory) error {
		if len(m.Users) == 0 {
			now, err := l.read(forwardSetting)
			if err != nil || now == "1" { // nothing to change, and nothing to take back
				before = now == "1"
				return err
			}
			settings, err := l.related()
			if err != nil {
				return err
			}
			m.Found = map[string]string{}
			for _, s := range settings {
				if m.Found[s], err = l.read(s); err != nil {
					return err
				}
			}
		}
		if !slices.Contains(m.Users, slot) {
			m.Users = append(m.Users, slot)
			if err := l.save(m); err != nil { // before the change, lest a crash leaves it without a word
				return err
			}
		}
		return l.write(forwardSetting, "1")
	})
	return before, err
}

// give takes it back when no other slot needs it.
func (l ledger) give(slot int) error {
	return l.locked(func(m *memory) error {
		if !slices.Contains(m.Users, slot) {
			return nil
		}
		m.Users = slices.DeleteFunc(m.Users, func(u int) bool { return u == slot })
		if len(m.Users) > 0 {
			return l.save(m)
		}
		// The one setting resets the others, so it comes first.
		if err := l.write(forwardSetting, m.Found[forwardSetting]); err != nil {
			return err
		}
		var errs []error
		for s, value := range m.Found {
			if err := l.write(s, value); err != nil && !errors.Is(err, fs.ErrNotExist) { // the device may be gone
				errs = append(errs, err)
			}
		}
		return errors.Join(append(errs, l.save(m))...)
	})
}
