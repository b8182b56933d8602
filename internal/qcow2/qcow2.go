// Package qcow2 reads the headers of qcow2 files: how large the disk is, whether it is encrypted, what it is an overlay of.
// The hypervisor and the blockstore both need it and neither may know the other. It writes nothing; qemu-img does.
package qcow2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrFormat is what a file without a qcow2 header gives.
var ErrFormat = errors.New("not a qcow2 file")

const (
	magic          = 0x514649fb // "QFI\xfb"
	maxBackingName = 1023       // the format's own limit
	maxDepth       = 64         // of overlays; a longer chain is a loop

	incompatExternalData = 1 << 2
)

// Header is what others need to know of a qcow2 file.
type Header struct {
	Backing      string // file this one is an overlay of, as written in the header; "" when it stands alone
	Size         int64  // of the disk the guest sees, in bytes
	Encrypted    bool   // by LUKS, which is what we make, or by the AES of old
	ExternalData bool   // the content lies in another file
}

// Decode reads a header from the beginning of a file. b holds at least the first cluster or the whole file.
func Decode(b []byte) (Header, error) {
	if len(b) < 72 || binary.BigEndian.Uint32(b) != magic {
		return Header{}, ErrFormat
	}
	version := binary.BigEndian.Uint32(b[4:])
	if version != 2 && version != 3 {
		return Header{}, fmt.Errorf("qcow2 version %d: %w", version, ErrFormat)
	}
	size := binary.BigEndian.Uint64(b[24:])
	if size > 1<<62 {
		return Header{}, fmt.Errorf("qcow2 disk of %d bytes: %w", size, ErrFormat)
	}
	h := Header{Size: int64(size), Encrypted: binary.BigEndian.Uint32(b[32:]) != 0}
	if version == 3 && len(b) >= 80 {
		h.ExternalData = binary.BigEndian.Uint64(b[72:])&incompatExternalData != 0
	}
	offset, length := binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint32(b[16:])
	if offset == 0 {
		return h, nil
	}
	if length > maxBackingName || offset > uint64(len(b)) || uint64(len(b))-offset < uint64(length) {
		return Header{}, fmt.Errorf("qcow2 backing file name out of bounds: %w", ErrFormat)
	}
	h.Backing = string(b[offset : offset+uint64(length)])
	return h, nil
}

// Read reads the header of the file at path.
func Read(path string) (Header, error) {
	f, err := os.Open(path)
	if err != nil {
		return Header{}, err
	}
	defer f.Close()
	b := make([]byte, 64<<10) // the backing file's name lies in the first cluster
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return Header{}, err
	}
	h, err := Decode(b[:n])
	if err != nil {
		return Header{}, fmt.Errorf("%s: %w", path, err)
	}
	return h, nil
}

// Layer is one file of a chain of overlays.
type Layer struct {
	Path      string
	Size      int64 // of the disk, in bytes
	Encrypted bool
}

// Chain lists the file at path and all it is an overlay of, top first.
func Chain(path string) ([]Layer, error) {
	var chain []Layer
	for len(chain) < maxDepth {
		h, err := Read(path)
		if err != nil {
			return nil, err
		}
		if h.ExternalData {
			return nil, fmt.Errorf("%s: its data lies in another file", path)
		}
		chain = append(chain, Layer{Path: path, Size: h.Size, Encrypted: h.Encrypted})
		if h.Backing == "" {
			return chain, nil
		}
		if !filepath.IsAbs(h.Backing) {
			h.Backing = filepath.Join(filepath.Dir(path), h.Backing)
		}
		path = h.Backing
	}
	return nil, fmt.Errorf("%s: more than %d overlays", path, maxDepth)
}
