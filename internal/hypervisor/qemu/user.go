package qemu

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"syscall"

	"slipway/internal/qcow2"
)

// users is how many users machines are spread over.
const users = 100_000

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

// giveDisk makes the qcow2 file at path the machine's own and sees to it that what lies below can be read.
func giveDisk(path string, uid int) ([]qcow2.Layer, error) {
	chain, err := qcow2.Chain(path)
	if err != nil {
		return nil, err
	}
	if uid == 0 {
		return chain, nil
	}
	if err := errors.Join(os.Chown(path, uid, uid), os.Chmod(path, 0o600)); err != nil {
		return nil, err
	}
	for _, layer := range chain {
		if err := readableBy(layer.Path, uid); err != nil {
			return nil, err
		}
	}
	return chain, nil
}

// readableBy says in words what QEMU would only call "Permission denied".
func readableBy(path string, uid int) error {
	if uid == 0 || path == "" {
		return nil
	}
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !allowed(fi, uid, 0o4) {
		return fmt.Errorf("%s: user %d cannot read it (mode %v)", path, uid, fi.Mode())
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		fi, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if !allowed(fi, uid, 0o1) {
			return fmt.Errorf("%s: user %d cannot enter %s (mode %v)", path, uid, dir, fi.Mode())
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func allowed(fi os.FileInfo, uid int, bit os.FileMode) bool {
	if int(fi.Sys().(*syscall.Stat_t).Uid) == uid {
		bit <<= 6
	}
	return fi.Mode().Perm()&bit != 0
}
