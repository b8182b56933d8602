package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/internal/blockstore"
	"slipway/internal/qcow2"
)

// keyring is the secrets one call of qemu-img needs. They go through anonymous files: no argument and no file shows them.
type keyring [][]byte

// add names a secret; "" for none.
func (k *keyring) add(secret []byte) string {
	if secret == nil {
		return ""
	}
	*k = append(*k, secret)
	return fmt.Sprintf("key%d", len(*k)-1)
}

// encryption is how qemu-img is told to encrypt what it makes. The secret is a random key, not a word to guess, so that
// deriving the cipher's key from it need not take seconds.
func encryption(key, prefix string) []string {
	if key == "" {
		return nil
	}
	return []string{"-o", fmt.Sprintf("%[1]sformat=luks,%[1]skey-secret=%[2]s,%[1]siter-time=10", prefix, key)}
}

// image describes a qcow2 file and what it is an overlay of, with the secret of each encrypted layer.
//
// A volume's header was a machine's to write, and qemu-img would follow it anywhere: what a file is an overlay of is a
// snapshot of this store, or the file is not opened.
func (s *Store) image(keys *keyring, path string, secret, base []byte) (string, error) {
	opts := []string{"driver=qcow2", "file.driver=file", "file.filename=" + escape(path)}
	chain, err := qcow2.Chain(path)
	if err != nil {
		return "", err
	}
	for _, layer := range chain[1:] {
		if filepath.Dir(layer.Path) != s.path("snapshots") {
			return "",
				fmt.Errorf("%s says that it is an overlay of %s, which is no snapshot of this host's: it is not opened",
					path, layer.Path)
		}
	}
	top, below := keys.add(secret), ""
	if len(chain) > 1 && chain[1].Encrypted {
		if base == nil {
			base = secret
		}
		below = keys.add(base)
	}
	for i, layer := range chain {
		prefix := strings.Repeat("backing.", i)
		if i > 0 {
			opts = append(opts, prefix+"driver=qcow2", prefix+"file.driver=file", prefix+"file.filename="+escape(layer.Path))
		}
		key := top
		if i > 0 {
			key = below
		}
		if layer.Encrypted && key != "" {
			opts = append(opts, prefix+"encrypt.format=luks", prefix+"encrypt.key-secret="+key)
		}
	}
	return strings.Join(opts, ","), nil
}

func escape(s string) string { return strings.ReplaceAll(s, ",", ",,") }

// bare is qemu-img's environment: slipway's own may hold secrets, and qemu-img reads what guests and strangers wrote.
var bare = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}

// uncertainClock is what QEMU says when it could not measure how fast this host derives keys, which it tries at every
// encrypted file it makes, and which fails now and then where the clock of CPU time is coarse. Another try succeeds.
const uncertainClock = "Unable to get accurate CPU usage"

func (s *Store) qemuImg(ctx context.Context, keys keyring, args ...string) error {
	var err error
	for range 10 {
		if err = s.try(ctx, keys, args...); err == nil || !strings.Contains(err.Error(), uncertainClock) {
			break
		}
	}
	return err
}

// try runs qemu-img. What it says when it fails becomes the error.
func (s *Store) try(ctx context.Context, keys keyring, args ...string) error {
	cmd := exec.CommandContext(ctx, "qemu-img")
	defer func() {
		for _, f := range cmd.ExtraFiles {
			f.Close()
		}
	}()
	cmd.Args = append(cmd.Args, args[0])
	if err := pass(cmd, keys); err != nil {
		return err
	}
	cmd.Args = append(cmd.Args, args[1:]...)
	cmd.Dir, cmd.Env = s.path("volumes"), bare
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	said := strings.TrimPrefix(strings.TrimSpace(string(out)), "qemu-img: ")
	return failed(args[0], said)
}

// pass adds the secrets to a call's files and arguments.
func pass(cmd *exec.Cmd, keys keyring) error {
	for i, key := range keys {
		fd, err := unix.MemfdCreate("secret", unix.MFD_CLOEXEC)
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(fd), "secret")
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		if _, err := f.Write(key); err != nil {
			return err
		}
		cmd.Args = append(cmd.Args, "--object", fmt.Sprintf("secret,id=key%d,file=/dev/fd/%d", i, 2+len(cmd.ExtraFiles)))
	}
	return nil
}

func isFull(said string) bool {
	return strings.Contains(said, unix.ENOSPC.Error()) || strings.Contains(strings.ToLower(said), "no space left on device")
}

func failed(verb, said string) error {
	if isFull(said) {
		return fmt.Errorf("%w: %s", blockstore.ErrFull, said)
	}
	return errors.New("qemu-img " + verb + ": " + said)
}
