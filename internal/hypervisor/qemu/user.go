package qemu

import (
	"errors"
	"hash/fnv"
	"os"
	"syscall"

	"slipway/internal/hostusers"
	"slipway/internal/qcow2"
)

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
	for n := int(h.Sum32() % hostusers.Machines); ; n = (n + 1) % hostusers.Machines {
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
