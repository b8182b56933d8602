package guestimage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"slipway/internal/diskimage"
	"slipway/internal/qcow2"
)

// Import says what an owner's image is to be called and what cannot be told from the file.
type Import struct {
	Name string
	User string // who may log in; "" where the owner does not say
	UEFI bool   // its loader wants UEFI
	// MaxGiB is the largest disk that is taken; 0: any that a volume can hold. A file of some bytes can claim 60 TiB.
	MaxGiB int
}

var importName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{2,59}$`)

// ImportFile copies a qcow2 or raw disk that boots by its own loader. The same file under the same name is copied once; of
// several files under one name the last is the image.
func ImportFile(ctx context.Context, cacheDir, file string, as Import, progress func(string)) (Built, error) {
	if err := need(map[string]string{"qemu-img": "qemu-utils"}); err != nil {
		return Built{}, err
	}
	if !importName.MatchString(as.Name) {
		return Built{},
			fmt.Errorf("name %q: 3 to 60 of a-z, 0-9, dot and hyphen are a name, the first no dot and no hyphen", as.Name)
	}
	for _, ours := range []string{"tiny", "debian-12"} {
		if as.Name == ours || strings.HasPrefix(as.Name, ours+"-") {
			return Built{}, fmt.Errorf("name %q is that of an image which slipway makes: choose another", as.Name)
		}
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return Built{}, err
	}
	format, err := diskFormat(file, as.MaxGiB)
	if err != nil {
		return Built{}, err
	}
	progress("reading " + filepath.Base(file))
	content, err := fileDigest(file)
	if err != nil {
		return Built{}, err
	}
	key := digest(as.Name, as.User, fmt.Sprint(as.UEFI), content)
	return build(ctx, filepath.Join(cacheDir, as.Name+"-"+key[:12]), func(work string) (Built, error) {
		progress("copying " + filepath.Base(file))
		disk := filepath.Join(work, "root.qcow2")
		if err := convert(ctx, format, file, disk); err != nil {
			return Built{}, err
		}
		if err := bootable(ctx, disk); err != nil {
			return Built{}, err
		}
		h, err := qcow2.Read(disk)
		return Built{
			Name: as.Name, Description: "imported from " + filepath.Base(file), RootDisk: disk, UEFI: as.UEFI,
			SizeGiB: int((h.Size + 1<<30 - 1) >> 30), User: as.User, Digest: key,
		}, err
	})
}

// diskFormat is qcow2 or raw. A qcow2 file that names others is refused: what it names is not the owner's to hand over.
func diskFormat(file string, most int) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	head := make([]byte, 8)
	f.ReadAt(head, 0) // of a shorter file Check says that it ends too early
	format := diskimage.RAW
	if diskimage.Sniff(head) == diskimage.QCOW2 {
		format = diskimage.QCOW2
	}
	size, err := diskimage.Check(f, info.Size(), format)
	if err == nil && most > 0 {
		_, err = diskimage.GiB(size, most)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	return strings.ToLower(string(format)), nil
}

// bootable looks for the mark of a boot record, which disks for UEFI carry too. A compressed or truncated download has none.
func bootable(ctx context.Context, disk string) error {
	first := disk + ".first"
	defer os.Remove(first)
	if _, err := run(ctx, filepath.Dir(disk), "qemu-img", "dd", "-f", "qcow2", "-O", "raw", "bs=512", "count=1",
		"if="+disk, "of="+first); err != nil {
		return err
	}
	b, err := os.ReadFile(first)
	if err != nil {
		return err
	}
	if !diskimage.Boots(b) {
		return errors.New("the file has no boot record: it is no disk that boots by itself (is it compressed?)")
	}
	return nil
}

func fileDigest(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
