package diskimage

import (
	"bytes"
	"encoding/hex"
	"io"
	"strings"
)

// guid is how a GUID lies in the file: the first three parts with their bytes the other way round.
func guid(s string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 {
		panic(s)
	}
	for _, part := range [][]byte{b[0:4], b[4:6], b[6:8]} {
		for i, j := 0, len(part)-1; i < j; i, j = i+1, j-1 {
			part[i], part[j] = part[j], part[i]
		}
	}
	return string(b)
}

// What the tables of a VHDX refer to.
var (
	vhdxMetadata = guid("8B7CA206-4790-4B9A-B8FE-575F050F886E")
	vhdxFile     = guid("CAA16737-FA36-4D43-B3B6-33F0AA44E76B")
	vhdxSize     = guid("2FA54224-CD1B-4876-B211-5DBED83BF4B8")
	vhdxLocator  = guid("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C") // of a parent
)

const (
	vhdxRegions   = 192 << 10 // the first region table; its copy lies 64 KiB behind it
	vhdxMaxEntry  = 2047
	vhdxHasParent = 2
)

// checkVHDX reads both region tables, for QEMU takes whichever is whole, and the metadata that each refers to.
func checkVHDX(f io.ReaderAt) (int64, error) {
	head, err := read(f, 0, 8)
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(head, magics[VHDX]) {
		return 0, VHDX.unlike("the file has no VHDX header")
	}
	var disk int64
	for _, at := range []uint64{vhdxRegions, vhdxRegions + 64<<10} {
		table, err := read(f, at, 64<<10)
		if err != nil {
			return 0, err
		}
		if !bytes.HasPrefix(table, []byte("regi")) {
			continue
		}
		metadata := vhdxEntry(table, 16, int(little.Uint32(table[8:])), vhdxMetadata)
		if metadata == nil {
			return 0, VHDX.unlike("the file has no metadata")
		}
		size, err := vhdxDisk(f, little.Uint64(metadata[16:]))
		if err != nil {
			return 0, err
		}
		if disk != 0 && disk != size {
			return 0, VHDX.unlike("the region tables differ")
		}
		disk = size
	}
	return disk, nil
}

// vhdxEntry finds the entry of 32 bytes with a GUID among n behind a table's head; nil when there is none.
func vhdxEntry(table []byte, head, n int, id string) []byte {
	for i := range min(n, vhdxMaxEntry) {
		e := table[min(head+32*i, len(table)):]
		if len(e) >= 32 && string(e[:16]) == id {
			return e[:32]
		}
	}
	return nil
}

// vhdxDisk reads the disk's size out of the metadata, and refuses a parent.
func vhdxDisk(f io.ReaderAt, at uint64) (int64, error) {
	table, err := read(f, at, 64<<10)
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(table, []byte("metadata")) {
		return 0, VHDX.unlike("the metadata is damaged")
	}
	item := func(id string) []byte { return vhdxEntry(table, 32, int(little.Uint16(table[10:])), id) }
	params, size := item(vhdxFile), item(vhdxSize)
	switch {
	case item(vhdxLocator) != nil:
		return 0, VHDX.unlike("the image has a parent")
	case params == nil || size == nil:
		return 0, VHDX.unlike("the metadata does not say how large the disk is")
	}
	b, err := read(f, at+uint64(little.Uint32(params[16:])), 8)
	if err != nil {
		return 0, err
	}
	if little.Uint32(b[4:])&vhdxHasParent != 0 {
		return 0, VHDX.unlike("the image has a parent")
	}
	if b, err = read(f, at+uint64(little.Uint32(size[16:])), 8); err != nil {
		return 0, err
	}
	disk := little.Uint64(b)
	if disk > MaxSize {
		return 0, refuse("The disk of %d bytes is larger than the largest volume", disk)
	}
	return int64(disk), nil
}
