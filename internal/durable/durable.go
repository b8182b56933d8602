// Package durable has a disk hold what was written, so that it is there after a power cut. Whatever keeps files on this
// host uses it: disks, images, keys, backups, etcd's directory. It knows none of them.
package durable

import (
	"errors"
	"os"
)

// Sync returns when the disk has the content of a file, or the names in a directory: after a rename, that is the
// directory above.
func Sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
