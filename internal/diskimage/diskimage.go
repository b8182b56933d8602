// Package diskimage knows the formats of disk images that come from elsewhere: which one a file is in, how large its
// disk is, and whether it stands alone. A file that names others is refused, because it could name any file of the
// host. It converts nothing; qemu-img does, told the format, and never asked to find it out. The blockstore relies on
// it; it must not know volumes or accounts.
package diskimage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"slipway/internal/qcow2"
)

// Format is a format of a disk image, as EC2 names it; QCOW2 is one that EC2 does not take.
type Format string

// The formats.
const (
	RAW   Format = "RAW"
	VMDK  Format = "VMDK"
	VHD   Format = "VHD"
	VHDX  Format = "VHDX"
	QCOW2 Format = "QCOW2"
)

// Formats are all of them.
func Formats() []Format { return []Format{RAW, VMDK, VHD, VHDX, QCOW2} }

// ParseFormat takes a format's name in either case.
func ParseFormat(s string) (Format, bool) {
	f := Format(strings.ToUpper(s))
	return f, slices.Contains(Formats(), f)
}

// Refusal says why an image cannot be taken, to the one who sent it.
type Refusal struct{ Why string }

func (r *Refusal) Error() string { return r.Why }

func refuse(form string, args ...any) error { return &Refusal{fmt.Sprintf(form, args...)} }

// unlike is what EC2 says of a file that is not in its stated format.
func (f Format) unlike(why string) error { return refuse("Unsupported %s File Format: %s", f, why) }

// MaxSize is the largest disk, in bytes: EBS has no larger volume.
const MaxSize = 64 << 40

// Check says how large the image's disk is, in bytes, or why it is refused. size is the file's.
func Check(f io.ReaderAt, size int64, format Format) (int64, error) {
	var disk int64
	var err error
	switch format {
	case RAW:
		disk, err = checkRaw(f, size)
	case QCOW2:
		disk, err = checkQCOW2(f)
	case VMDK:
		disk, err = checkVMDK(f, size)
	case VHD:
		disk, err = checkVHD(f, size)
	case VHDX:
		disk, err = checkVHDX(f)
	default:
		return 0, refuse("Unsupported format %s", format)
	}
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return 0, format.unlike("the file ends too early")
	case err != nil:
		return 0, err
	case disk <= 0:
		return 0, format.unlike("the disk has no size")
	case disk > MaxSize:
		return 0, refuse("The disk of %d GiB is larger than the largest volume, %d GiB", disk>>30, int64(MaxSize)>>30)
	}
	return disk, nil
}

// GiB is a disk's size as a volume's, rounded up; larger than most is refused.
func GiB(disk int64, most int) (int, error) {
	gib := int((disk + 1<<30 - 1) >> 30)
	if gib > most {
		return 0,
			refuse("The disk of %d GiB is larger than the largest that can be taken here, %d GiB (imports.max_gib "+
				"in slipway's configuration)",
				gib, most)
	}
	return gib, nil
}

// Options describe the image to qemu-img (--image-opts), path being its file's.
func (f Format) Options(path string) string {
	opts := map[Format]string{RAW: "driver=raw", VMDK: "driver=vmdk", VHDX: "driver=vhdx", QCOW2: "driver=qcow2",
		// A VHD's size is what its footer says; the geometry, which QEMU would go by for some makers' files, rounds it down.
		VHD: "driver=vpc,force_size_calc=current_size"}[f]
	return opts + ",file.driver=file,file.filename=" + strings.ReplaceAll(path, ",", ",,")
}

// Boots says whether a disk begins with a boot record, which disks for UEFI carry too. A compressed file has none.
func Boots(sector []byte) bool {
	return len(sector) >= 512 && sector[510] == 0x55 && sector[511] == 0xaa
}

var magics = map[Format][]byte{QCOW2: []byte("QFI\xfb"), VMDK: []byte("KDMV"), VHDX: []byte("vhdxfile")}

// Sniff is the format that a file's first bytes say; RAW for all others, a fixed VHD among them.
func Sniff(head []byte) Format {
	for format, magic := range magics {
		if bytes.HasPrefix(head, magic) {
			return format
		}
	}
	return RAW
}

// checkRaw refuses what is plainly in another format: its bytes would become the disk's.
func checkRaw(f io.ReaderAt, size int64) (int64, error) {
	head := make([]byte, 16)
	if _, err := f.ReadAt(head, 0); err != nil {
		return 0, err
	}
	if other := Sniff(head); other != RAW {
		return 0, RAW.unlike("the file is in the format " + string(other))
	}
	return size, nil
}

func checkQCOW2(f io.ReaderAt) (int64, error) {
	b := make([]byte, 64<<10)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	h, err := qcow2.Decode(b[:n])
	switch {
	case err != nil:
		return 0, QCOW2.unlike(err.Error())
	case h.Backing != "":
		return 0, QCOW2.unlike("the image is an overlay on another file: qemu-img convert makes it stand alone")
	case h.ExternalData:
		return 0, QCOW2.unlike("the image keeps its data in another file: qemu-img convert makes it stand alone")
	case h.Encrypted:
		return 0, QCOW2.unlike("the image is encrypted")
	}
	return h.Size, nil
}

// read takes n bytes from an offset that the file gives, which may be anything.
func read(f io.ReaderAt, at uint64, n int) ([]byte, error) {
	if at > 1<<62 {
		return nil, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	_, err := f.ReadAt(b, int64(at))
	return b, err
}

var little, big = binary.LittleEndian, binary.BigEndian
