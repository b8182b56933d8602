package files

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"slipway"
	"slipway/internal/blockstore"
	"slipway/internal/diskimage"
	"slipway/internal/guard"
	"slipway/internal/qcow2"
)

// reserve is how much room an import leaves on the disk, which the volumes of running machines share.
const reserve = 1 << 30

// lookAgain is how often an import looks at the room that it leaves.
const lookAgain = 200 * time.Millisecond

// ReceiveSnapshot fetches the image beside the snapshots, looks at its header, and has it converted by a process
// without rights. A copy is made of a local file too: what was looked at shall be what is converted.
func (s *Store) ReceiveSnapshot(ctx context.Context, image blockstore.Received, id slipway.SnapshotID) (int, error) {
	if path, ok := s.SnapshotPath(id); ok {
		h, err := qcow2.Read(path)
		if err != nil {
			return 0, err
		}
		return diskimage.GiB(h.Size, image.MaxGiB)
	}
	path := s.path("snapshots", string(id)+".image"+partial)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, full(err)
	}
	defer os.Remove(path)
	defer f.Close()
	ctx, stop := s.watch(ctx)
	defer stop()
	gib, err := s.receive(ctx, f, image, id)
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, blockstore.ErrFull) {
			err = cause
		}
		return 0, errors.Join(full(err), remove(s.snapshot(id)+partial))
	}
	return gib, nil
}

// watch ends what is done under ctx when the disk has no more room than is to be left.
func (s *Store) watch(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	look := func() {
		var fs unix.Statfs_t
		if err := unix.Statfs(s.dir, &fs); err == nil && fs.Bavail*uint64(fs.Bsize) < reserve {
			cancel(fmt.Errorf("%w: an import leaves it %d MiB", blockstore.ErrFull, reserve>>20))
		}
	}
	look()
	guard.Go(s.log, "an import", func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.after(lookAgain):
				look()
			}
		}
	})
	return ctx, func() { cancel(nil) }
}

func (s *Store) receive(ctx context.Context, f *os.File, image blockstore.Received, id slipway.SnapshotID) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	disk, gib, err := image.Take(ctx, f)
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	limit, stop := context.WithTimeoutCause(ctx, patience(info.Size()),
		&diskimage.Refusal{Why: "The image takes too long to convert"})
	defer stop()
	c := conversion{s: s, image: image, file: f}
	if err := c.run(limit, s.snapshot(id)+partial, disk); err != nil {
		return 0, errors.Join(context.Cause(limit), err)
	}
	return gib, s.FinishSnapshot(ctx, id)
}

// patience is how long a file may take to be converted: what a slow disk needs for its content, packed or not. A small
// file that claims to be a large disk does not hold a processor for hours.
func patience(size int64) time.Duration {
	return 15*time.Minute + time.Duration(size>>20)*time.Second/4
}

// conversion makes a snapshot's file of an image.
type conversion struct {
	s     *Store
	image blockstore.Received
	file  *os.File
}

func (c conversion) run(ctx context.Context, target string, disk int64) error {
	if c.image.Boots {
		if err := c.bootable(ctx); err != nil {
			return err
		}
	}
	keys := keyring{}
	key := keys.add(c.image.Secret)
	// A disk of whole sectors, whatever its file's length.
	create := append([]string{"create", "-q", "-f", "qcow2"}, encryption(key, "encrypt.")...)
	if err := c.s.qemuImg(ctx, keys, append(create, target, strconv.FormatInt((disk+511)/512*512, 10))...); err != nil {
		return err
	}
	to, err := os.OpenFile(target, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer to.Close()
	opts := "driver=qcow2,file.driver=file,file.filename=/dev/fd/4"
	if key != "" {
		opts += ",encrypt.key-secret=" + key
	}
	return c.alone(ctx, to, keys, "convert", "-p", "--image-opts", "-n", "--target-is-zero", "--target-image-opts",
		c.image.Format.Options("/dev/fd/3"), opts)
}

// bootable refuses a disk that no firmware would start.
func (c conversion) bootable(ctx context.Context) error {
	first, err := os.CreateTemp(filepath.Dir(c.file.Name()), "first*"+partial)
	if err != nil {
		return err
	}
	defer os.Remove(first.Name())
	defer first.Close()
	if err := c.alone(ctx, first, nil, "dd", "--image-opts", "-O", "raw", "bs=512", "count=1",
		"if="+c.image.Format.Options("/dev/fd/3"), "of=/dev/fd/4"); err != nil {
		return err
	}
	sector := make([]byte, 512)
	if _, err := first.ReadAt(sector, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !diskimage.Boots(sector) {
		return &diskimage.Refusal{Why: "No bootable partition found: the disk has no boot record"}
	}
	return nil
}

// alone runs qemu-img as the importer, if this process may choose. Its files are open already: 3 is the image, 4 what
// is made of it.
func (c conversion) alone(ctx context.Context, to *os.File, keys keyring, args ...string) error {
	cmd := exec.CommandContext(ctx, "qemu-img", args[0])
	cmd.ExtraFiles = []*os.File{c.file, to}
	if err := pass(cmd, keys); err != nil {
		return err
	}
	defer func() {
		for _, f := range cmd.ExtraFiles[2:] {
			f.Close()
		}
	}()
	cmd.Args = append(cmd.Args, args[1:]...)
	cmd.Dir, cmd.Env = "/", bare
	if os.Geteuid() == 0 {
		for _, f := range []*os.File{c.file, to} {
			if err := f.Chown(c.s.importer, c.s.importer); err != nil {
				return err
			}
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: uint32(c.s.importer), Gid: uint32(c.s.importer)},
		}
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	c.listen(out)
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		text := strings.TrimPrefix(strings.TrimSpace(said.String()), "qemu-img: ")
		if text == "" || isFull(text) { // killed, or out of room
			return failed(args[0], fmt.Sprintf("%v %s", err, text))
		}
		// The rest is the image's: damaged, or with features that QEMU does not have.
		return &diskimage.Refusal{
			Why: "The image cannot be read: " + strings.NewReplacer("/dev/fd/3", "the image", "\n", "; ").Replace(text),
		}
	}
	return nil
}

// listen passes the progress on that qemu-img writes, as (12.34/100%).
func (c conversion) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Split(func(data []byte, end bool) (int, []byte, error) {
		if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
			return i + 1, data[:i], nil
		}
		if end && len(data) > 0 {
			return len(data), data, nil
		}
		return 0, nil, nil
	})
	for lines.Scan() {
		text, _, _ := strings.Cut(strings.TrimLeft(lines.Text(), " ("), "/")
		if percent, err := strconv.ParseFloat(text, 64); err == nil {
			c.image.Converted(percent)
		}
	}
}
