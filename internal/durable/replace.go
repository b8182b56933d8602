package durable

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Replace leaves at path either what was there or a file with all of this content and this mode, whenever the process or
// the host ends; once it has answered nil, a power cut leaves the new one. finish, if any, is done to the file before it
// has its name, under which nobody shall see it otherwise: to give it to somebody, for example.
//
// Two that replace one file at once do not disturb each other, and the later one stays. A process that is killed may
// leave a file beside path that nobody reads, which Sweep removes.
func Replace(path string, content []byte, mode os.FileMode, finish ...func(unnamed string) error) error {
	return steps{(*os.File).Sync, os.Rename, Sync}.replace(path, content, mode, finish)
}

// steps are what Replace asks of the system, in this order.
type steps struct {
	syncFile func(*os.File) error
	rename   func(from, to string) error
	syncDir  func(dir string) error
}

func (s steps) replace(path string, content []byte, mode os.FileMode, finish []func(string) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), unnamed(path)) // of mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(content)
	for _, do := range finish {
		if err == nil {
			err = do(f.Name())
		}
	}
	if err == nil && mode != 0o600 {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = s.syncFile(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := s.rename(f.Name(), path); err != nil {
		return err
	}
	return s.syncDir(filepath.Dir(path))
}

// unnamed is how the name begins of what will be the file at path.
func unnamed(path string) string { return "." + filepath.Base(path) + ".new-" }

// Sweep removes what killed processes left of replacing the file at path. Nobody may be replacing it meanwhile.
func Sweep(path string) error {
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), unnamed(path)) {
			errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
