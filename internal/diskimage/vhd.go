package diskimage

import (
	"bytes"
	"io"
)

// Kinds of VHD.
const (
	vhdFixed        = 2
	vhdDynamic      = 3
	vhdDifferencing = 4
)

const vhdFooter = 512

// checkVHD goes by the footer; a dynamic disk has a copy of it at the beginning, which is what QEMU reads.
func checkVHD(f io.ReaderAt, size int64) (int64, error) {
	cookie := []byte("conectix")
	if size < vhdFooter {
		return 0, io.ErrUnexpectedEOF
	}
	last, err := read(f, uint64(size-vhdFooter), vhdFooter)
	if err != nil {
		return 0, err
	}
	first, err := read(f, 0, vhdFooter)
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(last, cookie) {
		return 0, VHD.unlike("the file has no VHD footer")
	}
	kind, disk := big.Uint32(last[60:]), big.Uint64(last[48:])
	copied := bytes.HasPrefix(first, cookie)
	switch {
	case copied && !bytes.Equal(first, last):
		return 0, VHD.unlike("Footers not identical")
	case kind == vhdDifferencing:
		return 0, VHD.unlike("the image is a differencing disk, whose parent is another file")
	case kind != vhdFixed && kind != vhdDynamic:
		return 0, VHD.unlike("the image is neither fixed nor dynamic")
	case kind == vhdDynamic && !copied:
		return 0, VHD.unlike("the copy of the footer is missing")
	case kind == vhdFixed && copied:
		// A fixed disk whose content begins like a footer: QEMU would take that for one.
		return 0, VHD.unlike("a fixed disk begins with a footer")
	case disk > MaxSize:
		return 0, refuse("The disk of %d bytes is larger than the largest volume", disk)
	case kind == vhdFixed && int64(disk) > size-vhdFooter:
		return 0, io.ErrUnexpectedEOF
	}
	return int64(disk), nil
}
