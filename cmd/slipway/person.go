package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/internal/durable"
)

// person is who is to use what slipway makes for people: the key, the credentials, the folder. With sudo that is the
// one who called it.
type person struct{ uid, gid int }

// invoker is the person that called sudo, if this process was really started by that person's sudo: the variables
// alone prove nothing, since anybody may set them. Else it is who runs slipway.
func invoker(getenv func(string) string) person {
	own := person{os.Geteuid(), os.Getegid()}
	if own.uid != 0 || getenv("SUDO_UID") == "" {
		return own
	}
	p, ok := aboveSudo("/proc", os.Getppid())
	if !ok || getenv("SUDO_UID") != strconv.Itoa(p.uid) || getenv("SUDO_GID") != strconv.Itoa(p.gid) {
		return own
	}
	return p
}

// aboveSudo looks among a process's ancestors for sudo, and says who runs the first above that is not sudo itself.
func aboveSudo(proc string, pid int) (person, bool) {
	within := false
	for range 64 { // a chain this long is no chain
		if pid <= 1 && !within {
			return person{}, false
		}
		program, _ := os.Readlink(filepath.Join(proc, strconv.Itoa(pid), "exe"))
		status, err := readStatus(filepath.Join(proc, strconv.Itoa(pid), "status"))
		if err != nil {
			return person{}, false
		}
		isSudo := filepath.Base(program) == "sudo" && status.effective == 0
		if within && !isSudo {
			return person{status.uid, status.gid}, true
		}
		within, pid = within || isSudo, status.parent
	}
	return person{}, false
}

// processStatus is what /proc says of a process and its owner.
type processStatus struct{ parent, uid, effective, gid int }

func readStatus(path string) (processStatus, error) {
	f, err := os.Open(path)
	if err != nil {
		return processStatus{}, err
	}
	defer f.Close()
	var s processStatus
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ":")
		switch key {
		case "PPid":
			_, err = fmt.Sscan(value, &s.parent)
		case "Uid":
			_, err = fmt.Sscan(value, &s.uid, &s.effective)
		case "Gid":
			_, err = fmt.Sscan(value, &s.gid)
		}
		if err != nil {
			return s, fmt.Errorf("%s: %s: %w", path, key, err)
		}
	}
	return s, nil
}

// give makes a file or folder the person's, unless it is already.
func (p person) give(path string) error {
	if p.uid == os.Geteuid() {
		return nil
	}
	return os.Lchown(path, p.uid, p.gid)
}

// write makes a file that only the person reads, and replaces what is there.
func (p person) write(path string, content []byte) error {
	return durable.Replace(path, content, 0o600, p.give)
}

// cannotReach says why the person cannot use what lies at path, and what helps; "" when it can be reached.
func (p person) cannotReach(path string) string {
	if p.uid == 0 {
		return ""
	}
	for dir := path; ; dir = filepath.Dir(dir) {
		var fi unix.Stat_t
		if unix.Stat(dir, &fi) == nil && !p.enters(fi) {
			return fmt.Sprintf("user %d cannot enter %s: the keys and the ssh line are for root, unless another "+
				"folder is named with --state",
				p.uid, dir)
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

// enters says whether the person may walk through a folder; groups but the first are not looked at.
func (p person) enters(fi unix.Stat_t) bool {
	switch {
	case int(fi.Uid) == p.uid:
		return fi.Mode&0o100 != 0
	case int(fi.Gid) == p.gid:
		return fi.Mode&0o010 != 0
	}
	return fi.Mode&0o001 != 0
}
