package slipway

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"time"
)

// Boot is how a guest comes up: by a kernel handed over directly, or by its disk's own loader when Kernel is empty.
type Boot struct {
	Kernel, Initrd string `json:",omitempty"` // files below the host's boot folder, by content
	Append         string `json:",omitempty"`
	UEFI           bool   `json:",omitempty"`
}

// On is how what an image of the boot mode brings comes up on a type of instance. Without a mode it stays as it is.
func (b Boot) On(t *InstanceType, mode string) Boot {
	switch mode {
	case "legacy-bios", "uefi":
		b.UEFI = mode == "uefi"
	case "uefi-preferred":
		b.UEFI = t.UEFI()
	}
	return b
}

// Image is an AMI.
type Image struct {
	ID           ImageID
	Owner        string // account; the system's images belong to SystemAccount
	Region       string // "" for the system's, which are in every region
	Name         string
	Description  string
	Location     string
	State        ImageState
	Reason       Reason `json:",omitzero"`
	Created      time.Time
	ProductCodes []string `json:",omitempty"`
	Tags         Tags     `json:",omitempty"`

	ImageSharing
	ImageMachine
	ImageOrigin
	ImageProtection
}

// ImageSharing is who else may see and launch the image, and what they call it.
type ImageSharing struct {
	Public       bool            `json:",omitempty"`
	LaunchableBy []string        `json:",omitempty"` // accounts with launch permission
	TagsOf       map[string]Tags `json:",omitempty"` // of other accounts: tags on what is not one's own are one's own
}

// userTag is where records of before 0.2 keep ImageMachine.User.
const userTag = "aws:slipway:user"

// UnmarshalJSON reads a record, also one of before 0.2.
func (im *Image) UnmarshalJSON(b []byte) error {
	type plain Image
	if err := json.Unmarshal(b, (*plain)(im)); err != nil {
		return err
	}
	if user, old := im.Tags[userTag]; old {
		im.User = user
		delete(im.Tags, userTag)
	}
	return nil
}

// ImageMachine is how its instances come up.
type ImageMachine struct {
	Architecture   string
	RootDevice     string
	Devices        []Mapping
	Boot           Boot
	BootMode       string `json:",omitempty"`
	IMDSSupport    string `json:",omitempty"` // "" | v2.0
	TPMSupport     string `json:",omitempty"`
	ENA            bool
	SRIOV          string `json:",omitempty"`
	Virtualization string
	// User is who may log in to its machines with their key; "": nobody says. No action of EC2 shows it.
	User string `json:",omitempty"`
}

// ImageOrigin is what it was made from.
type ImageOrigin struct {
	Source   InstanceID `json:",omitempty"` // the instance it was made from
	CopyOf   ImageID    `json:",omitempty"`
	CopyFrom string     `json:",omitempty"` // the region of CopyOf
}

// ImageProtection is what may no longer, or not yet, be done with it.
type ImageProtection struct {
	Deprecated     time.Time `json:",omitzero"`
	Disabled       bool      `json:",omitempty"`
	Protected      bool      `json:",omitempty"` // against deregistration
	Cooldown       bool      `json:",omitempty"` // the protection lasts a day longer than it is wanted
	ProtectedUntil time.Time `json:",omitzero"`  // such a day's end
}

// SystemAccount owns the images that slipway brings along; EC2's alias for it is "amazon".
const SystemAccount = "000000000000"

// LaunchableFrom says whether an account may launch and see the image (rule R1).
func (im *Image) LaunchableFrom(account string) bool {
	if im.Public || im.Owner == account {
		return true
	}
	for _, a := range im.LaunchableBy {
		if a == account {
			return true
		}
	}
	return false
}

// Mapping is one entry of a block device mapping: of an image, of a template or of a request.
type Mapping struct {
	Device              string
	Virtual             string     `json:",omitempty"` // ephemeral0…
	NoDevice            bool       `json:",omitempty"`
	Snapshot            SnapshotID `json:",omitempty"`
	SizeGiB             int32      `json:",omitempty"`
	Type                string     `json:",omitempty"`
	IOPS                int32      `json:",omitempty"`
	Throughput          int32      `json:",omitempty"` // MiB/s
	Encrypted           *bool      `json:",omitempty"`
	Key                 string     `json:",omitempty"`
	DeleteOnTermination *bool      `json:",omitempty"`
}

var deviceName = regexp.MustCompile(`^(/dev/)?(sda1|sd[a-z]|xvd[a-z][a-z]?|hd[a-z])$`)

// MachineSlots is how many volumes and interfaces together a machine has room for.
const MachineSlots = 33

// ValidDevice says whether a volume of an HVM instance may be attached under the name: one of a whole disk, but for a root
// that is called sda1, and none of those that the guest gives to NVMe disks (rule device-names).
func ValidDevice(name string) bool { return deviceName.MatchString(name) }

// Volume is an EBS volume.
type Volume struct {
	ID              VolumeID
	Account, Region string
	Zone            string
	Host            HostID // which holds its file
	SizeGiB         int32
	Type            string     // gp2, gp3, io1, io2, st1, sc1, standard
	IOPS            int32      `json:",omitempty"`
	Throughput      int32      `json:",omitempty"` // MiB/s
	Snapshot        SnapshotID `json:",omitempty"`
	Encrypted       bool       `json:",omitempty"`
	Key             string     `json:",omitempty"`
	Secret          []byte     `json:",omitempty"`
	BaseSecret      []byte     `json:",omitempty"` // of the snapshot it lies on, whose record may go first
	Created         time.Time
	State           VolumeState
	Attachment      *VolumeAttachment `json:",omitempty"`
	MultiAttach     bool              `json:",omitempty"`
	ClientToken     string            `json:",omitempty"`
	Modification    *Modification     `json:",omitempty"`
	AutoEnableIO    bool              `json:",omitempty"`
	Tags            Tags              `json:",omitempty"`
}

// gp2Burst is what a gp2 volume may do for as long as its credit lasts, unless its size gives it more.
const gp2Burst = 3000

// BurstIOPS is what the volume may do at times beyond its IOPS; 0 when it has no such credit.
func (v *Volume) BurstIOPS() int32 {
	if v.Type == "gp2" && v.IOPS < gp2Burst {
		return gp2Burst
	}
	return 0
}

// VolumeAttachment joins a volume to an instance.
type VolumeAttachment struct {
	Instance            InstanceID
	Device              string
	State               VolumeAttachmentState
	AttachTime          time.Time
	DeleteOnTermination bool
}

// Modification is the last ModifyVolume.
type Modification struct {
	State                                ModificationState
	OriginalSize, TargetSize             int32
	OriginalType, TargetType             string
	OriginalIOPS, TargetIOPS             int32
	OriginalThroughput, TargetThroughput int32
	Start, End                           time.Time
}

// Snapshot is a volume's content at one moment.
type Snapshot struct {
	ID              SnapshotID
	Account, Region string
	Host            HostID
	Volume          VolumeID `json:",omitempty"`
	SizeGiB         int32
	Description     string
	Boot            Boot `json:",omitzero"`  // how what was its disk came up
	Reboots         int  `json:",omitempty"` // it waits until its instance has rebooted so often
	State           SnapshotState
	Message         string `json:",omitempty"`
	Progress        int32  // percent
	Start           time.Time
	Completed       time.Time       `json:",omitzero"`
	Encrypted       bool            `json:",omitempty"`
	Key             string          `json:",omitempty"`
	Secret          []byte          `json:",omitempty"`
	Source          SnapshotID      `json:",omitempty"` // copied from
	SourceRegion    string          `json:",omitempty"`
	SharedWith      []string        `json:",omitempty"`
	Public          bool            `json:",omitempty"`
	PublicBarred    bool            `json:",omitempty"` // public, were it not for its account's block-all-sharing
	Tags            Tags            `json:",omitempty"`
	TagsOf          map[string]Tags `json:",omitempty"` // of other accounts
}

// tagsFor are the tags that an account sees: on what is not its own, its own tags, and those that slipway put on what it
// brings along.
func tagsFor(account, owner string, tags Tags, others map[string]Tags) Tags {
	if account == owner {
		return tags
	}
	out := Tags{}
	if owner == SystemAccount {
		maps.Copy(out, tags)
	}
	maps.Copy(out, others[account])
	return out
}

// TagsFor are the tags that an account sees.
func (s *Snapshot) TagsFor(account string) Tags { return tagsFor(account, s.Account, s.Tags, s.TagsOf) }

// TagsFor are the tags that an account sees.
func (im *Image) TagsFor(account string) Tags { return tagsFor(account, im.Owner, im.Tags, im.TagsOf) }

// UsableBy says whether an account may make volumes and copies of the snapshot.
func (s *Snapshot) UsableBy(account string) bool {
	return s.Public || s.Account == account || slices.Contains(s.SharedWith, account)
}

// KeyPair is a public key that instances let in; the private half was given away once and is not kept.
type KeyPair struct {
	ID              KeyPairID
	Account, Region string
	Name            string
	Type            string // rsa | ed25519
	Fingerprint     string
	PublicKey       string // an authorized_keys line
	Created         time.Time
	Tags            Tags `json:",omitempty"`
}
