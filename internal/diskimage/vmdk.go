package diskimage

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
)

const (
	vmdkSector     = 512
	vmdkAtEnd      = 1<<64 - 1 // the grain directory's offset, where a footer at the file's end has the true header
	vmdkDescriptor = 20 << 10  // what QEMU reads of it when it looks for a parent, and more than anybody writes
)

// vmdkHeader is the beginning of a sparse extent.
type vmdkHeader struct {
	capacity          uint64 // in sectors
	descriptor, count uint64 // where the embedded descriptor lies, in sectors
	directory         uint64
}

func vmdkHead(b []byte) (vmdkHeader, bool) {
	return vmdkHeader{
			capacity: little.Uint64(b[12:]), descriptor: little.Uint64(b[28:]), count: little.Uint64(b[36:]),
			directory: little.Uint64(b[56:]),
		},
		bytes.HasPrefix(b, magics[VMDK])
}

// extentLine is one line of a descriptor that names a file. It is wider than what QEMU takes.
var extentLine = regexp.MustCompile(`(?im)^[ \t]*(RW|RDONLY|NOACCESS)[ \t]+(\d+)[ \t]+(\S+)(?:[ \t]+"?([^"\r\n]*)"?)?`)

// checkVMDK takes the two forms that are one file: monolithicSparse and streamOptimized. A header without capacity, like a file
// that is a descriptor only, makes QEMU open the files that the descriptor names; so does a parent.
func checkVMDK(f io.ReaderAt, size int64) (int64, error) {
	b, err := read(f, 0, vmdkSector)
	if err != nil {
		return 0, err
	}
	h, ok := vmdkHead(b)
	switch {
	case !ok && bytes.Contains(b, []byte("Descriptor")):
		return 0,
			VMDK.unlike("the file is only a descriptor, which names others: the disk must be one file " +
				"(monolithicSparse or streamOptimized)")
	case !ok:
		return 0, VMDK.unlike("the file has no VMDK header")
	case h.capacity == 0:
		return 0, VMDK.unlike("the header has no capacity: it refers to other files")
	}
	if h.directory == vmdkAtEnd {
		end := (size + vmdkSector - 1) / vmdkSector * vmdkSector
		if end < 3*vmdkSector {
			return 0, io.ErrUnexpectedEOF
		}
		if b, err = read(f, uint64(end)-2*vmdkSector, vmdkSector); err != nil {
			return 0, err
		}
		footer, ok := vmdkHead(b)
		if !ok || footer.capacity == 0 {
			return 0, VMDK.unlike("the footer is missing or has no capacity")
		}
		h.capacity = footer.capacity
	}
	if h.capacity > MaxSize/vmdkSector {
		return 0, refuse("The disk of %d sectors is larger than the largest volume", h.capacity)
	}
	// QEMU looks for a parent behind the header, wherever the header says that the descriptor is.
	for _, at := range []uint64{1, h.descriptor} {
		if at == 0 {
			continue
		}
		if at > MaxSize/vmdkSector {
			return 0, io.ErrUnexpectedEOF
		}
		text := make([]byte, vmdkDescriptor)
		n, err := f.ReadAt(text, int64(at*vmdkSector))
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if at == h.descriptor && h.count < vmdkDescriptor/vmdkSector {
			n = min(n, int(h.count)*vmdkSector)
		}
		if err := checkDescriptor(text[:n], at == h.descriptor); err != nil {
			return 0, err
		}
	}
	return int64(h.capacity) * vmdkSector, nil
}

// checkDescriptor refuses a parent, and extents other than the file itself: its name may have changed, but it lies
// nowhere else.
func checkDescriptor(text []byte, extents bool) error {
	if bytes.Contains(text, []byte("parentFileNameHint")) {
		return VMDK.unlike("the image has a parent")
	}
	if !extents {
		return nil
	}
	lines := extentLine.FindAllSubmatch(text, -1)
	if len(lines) > 1 {
		return VMDK.unlike("the descriptor names several files")
	}
	for _, l := range lines {
		kind, name := strings.ToUpper(string(l[3])), string(l[4])
		if kind != "SPARSE" || strings.ContainsAny(name, `/\`) {
			return VMDK.unlike("the descriptor names a file other than the image itself")
		}
	}
	return nil
}
