package slipway

import (
	"strings"
	"time"
)

// ImportTaskID names an import of an image, or of a snapshot.
type ImportTaskID string // "import-ami-0123456789abcdef0" or "import-snap-0123456789abcdef0"

// The prefixes of the ids of import tasks.
const (
	ImageImport    = "import-ami"
	SnapshotImport = "import-snap"
)

// OfImage says whether the task makes an AMI, and not a snapshot alone.
func (id ImportTaskID) OfImage() bool { return strings.HasPrefix(string(id), ImageImport+"-") }

// ImportTask brings disk images in that come from elsewhere. What it makes appears with its end, and only if all of it
// succeeds.
type ImportTask struct {
	ID              ImportTaskID
	Account, Region string
	Host            HostID // which fetches and converts
	Description     string `json:",omitempty"`
	State           ImportState
	Message         string `json:",omitempty"`
	Progress        int32  // percent
	Disks           []ImportDisk
	Image           ImageID `json:",omitempty"` // which it makes
	BootMode        string  `json:",omitempty"`
	Encrypted       bool    `json:",omitempty"`
	Key             string  `json:",omitempty"`
	Platform        string  `json:",omitempty"` // as the caller says, like the next three
	Hypervisor      string  `json:",omitempty"`
	LicenseType     string  `json:",omitempty"`
	UsageOperation  string  `json:",omitempty"`
	Created         time.Time
	Ended           time.Time `json:",omitzero"`
	Tags            Tags      `json:",omitempty"`
}

// DiskSource is where a disk image lies: at a URL, or in a bucket.
type DiskSource struct {
	URL         string `json:",omitempty"`
	Bucket, Key string `json:",omitempty"`
}

// ImportDisk is one disk of an import. The first is the image's root.
type ImportDisk struct {
	Device      string     `json:",omitempty"`
	Description string     `json:",omitempty"`
	Format      string     `json:",omitempty"` // RAW, VMDK, VHD, VHDX, QCOW2
	Source      DiskSource `json:",omitzero"`
	From        SnapshotID `json:",omitempty"` // or a snapshot that is there already
	Snapshot    SnapshotID // which it becomes
	Secret      []byte     `json:",omitempty"`
	FileSize    int64      `json:",omitempty"` // bytes
	SizeGiB     int32      `json:",omitempty"` // 0 until it is converted
	Boot        Boot       `json:",omitzero"`
	Progress    int32      // percent
}
