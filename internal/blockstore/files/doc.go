// Package files keeps volumes and snapshots as qcow2 files below one directory, which is all the state it has:
//
//	volumes/vol-….qcow2      an overlay on its snapshot, made in milliseconds, or a blank disk
//	snapshots/snap-….qcow2   stands alone, read-only, readable by the machines' users; snap-….removed beside it: invisible,
//	                         and gone with the last volume that relies on it
//	memory/, boot/           hibernated instances' memory; kernels and initial file systems
//
// Nothing is written under its final name: a crash leaves .part files, which New removes.
package files
