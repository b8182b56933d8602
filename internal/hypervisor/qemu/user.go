package qemu

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"strings"
	"syscall"

	"slipway/internal/qcow2"
)

// users is how many users machines are spread over; one more is the trial's.
const users = 100_000

// Installations' users lie above all that distributions give away: login users, systemd's dynamic users and containers, and the
// ranges that /etc/subuid is filled with. Each slot has a range of its own, so that no two installations share a user.
const (
	firstUser   = 0x70000000
	usersOfSlot = 1 << 17
)

// FirstUser is the first of the users that belong to an installation's slot; slot -1 is nobody's, for drivers without one.
func FirstUser(slot int) int {
	if slot < 0 {
		slot = 64
	}
	return firstUser + slot*usersOfSlot
}

// Importer is the last user of a slot, which no machine has: for what reads images that come from elsewhere.
func Importer(slot int) int { return FirstUser(slot) + usersOfSlot - 1 }

// checkUsers says whether someone else has been given users of the driver's range.
func checkUsers(first int, files ...string) error {
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // a host without such a file has given none away
		}
		for line := range strings.Lines(string(b)) {
			words := strings.Split(strings.TrimSpace(line), ":")
			if len(words) != 3 {
				continue
			}
			from, err1 := strconv.Atoi(words[1])
			count, err2 := strconv.Atoi(words[2])
			if err1 == nil && err2 == nil && from < first+usersOfSlot && from+count > first {
				return fmt.Errorf("%s gives %s the users %d to %d, among which are this installation's (%d to %d): "+
					"take that line out",
					file, words[0], from, from+count-1, first, first+usersOfSlot-1)
			}
		}
	}
	return nil
}

// user is the user a machine runs as: its own, the same at every start. 0 stands for the driver's.
func (d *Driver) user(m *machine) int {
	if d.cfg.SameUser {
		return 0
	}
	taken := map[int]bool{}
	for _, other := range d.all() {
		if other != m {
			other.mu.Lock()
			taken[other.rec.UID] = true
			other.mu.Unlock()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rec.UID != 0 {
		return m.rec.UID
	}
	h := fnv.New32a()
	h.Write([]byte(m.id))
	for n := int(h.Sum32() % users); ; n = (n + 1) % users {
		if uid := d.cfg.FirstUser + n; !taken[uid] {
			return uid
		}
	}
}

// credential is how a process takes on a user. The group that owns /dev/kvm comes along where it may use the device.
func credential(uid int) *syscall.Credential {
	if uid == 0 {
		return nil
	}
	c := &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
	if fi, err := os.Stat("/dev/kvm"); err == nil && fi.Mode().Perm()&0o060 == 0o060 {
		if gid := fi.Sys().(*syscall.Stat_t).Gid; gid != 0 {
			c.Groups = []uint32{gid}
		}
	}
	return c
}

// giveDisk makes the qcow2 file at path the machine's own. What lies below it stays as it is.
func giveDisk(path string, uid int) ([]qcow2.Layer, error) {
	chain, err := qcow2.Chain(path)
	if err != nil || uid == 0 {
		return chain, err
	}
	return chain, errors.Join(os.Chown(path, uid, uid), os.Chmod(path, 0o600))
}
