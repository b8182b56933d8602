package guestimage

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// archive writes a cpio archive in the form the kernel unpacks ("newc"). Device nodes need no privilege this way.
type archive struct {
	w     *bufio.Writer
	inode int
	err   error
}

const (
	modeDir    = 0o040000
	modeFile   = 0o100000
	modeDevice = 0o020000
)

func newArchive(w io.Writer) *archive { return &archive{w: bufio.NewWriter(w)} }

func (a *archive) entry(name string, mode, major, minor int, content []byte) {
	if a.err != nil {
		return
	}
	a.inode++
	head := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		a.inode, mode, 0, 0, 1, 0, len(content), 0, 0, major, minor, len(name)+1, 0)
	a.padded([]byte(head + name + "\x00"))
	a.padded(content)
}

func (a *archive) padded(b []byte) {
	if a.err == nil {
		_, a.err = a.w.Write(b)
	}
	if odd := len(b) % 4; odd != 0 && a.err == nil {
		_, a.err = a.w.Write(make([]byte, 4-odd))
	}
}

func (a *archive) dir(name string)                      { a.entry(name, modeDir|0o755, 0, 0, nil) }
func (a *archive) file(name string, mode int, b []byte) { a.entry(name, modeFile|mode, 0, 0, b) }
func (a *archive) device(name string, major, minor int) {
	a.entry(name, modeDevice|0o600, major, minor, nil)
}
func (a *archive) copy(name string, mode int, path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		a.err = err
		return
	}
	a.file(filepath.ToSlash(name), mode, b)
}

func (a *archive) close() error {
	a.entry("TRAILER!!!", 0, 0, 0, nil)
	if a.err != nil {
		return a.err
	}
	return a.w.Flush()
}
