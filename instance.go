package slipway

import (
	"cmp"
	"net/netip"
	"time"
)

// State is an instance's state, in EC2's words.
type State string

const (
	Pending      State = "pending"
	Running      State = "running"
	ShuttingDown State = "shutting-down"
	Terminated   State = "terminated"
	Stopping     State = "stopping"
	Stopped      State = "stopped"
)

// Code is the number that EC2 sends beside the name (rule instance-states).
func (s State) Code() int32 {
	switch s {
	case Running:
		return 16
	case ShuttingDown:
		return 32
	case Terminated:
		return 48
	case Stopping:
		return 64
	case Stopped:
		return 80
	}
	return 0
}

// Reason is why an instance is in its state: stateReason on the wire.
type Reason struct{ Code, Message string }

// The reasons of rule state-reasons.
var (
	ReasonPending          = Reason{"pending", "pending"}
	ReasonUserShutdown     = Reason{"Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"}
	ReasonUserHibernate    = Reason{"Client.UserInitiatedHibernate", "Client.UserInitiatedHibernate: User initiated hibernate"}
	ReasonInstanceShutdown = Reason{
		"Client.InstanceInitiatedShutdown", "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
	}
	ReasonInternal         = Reason{"Server.InternalError", "Server.InternalError: Internal error on launch"}
	ReasonSpotInterruption = Reason{
		"Server.SpotInstanceTermination", "Server.SpotInstanceTermination: Spot instance termination",
	}
	ReasonSpotStop          = Reason{"Server.SpotInstanceShutdown", "Server.SpotInstanceShutdown: Spot instance shutdown"}
	ReasonVolumeLimit       = Reason{"Server.InternalError", "Client.VolumeLimitExceeded: Volume limit exceeded"}
	ReasonClientLaunchError = Reason{"Client.InternalError", "Client.InternalError: Client error on launch"}
)

// Wanted is what a host shall make true of an instance.
type Wanted string

const (
	WantRunning    Wanted = "running"
	WantStopped    Wanted = "stopped"
	WantHibernated Wanted = "hibernated"
	WantTerminated Wanted = "terminated"
)

// BlockDevice is a volume in an instance.
type BlockDevice struct {
	Device              string // "/dev/xvda"
	Volume              VolumeID
	AttachTime          time.Time
	DeleteOnTermination bool
	Detaching           bool `json:",omitempty"`
}

// InstanceStore is a disk of the instance type's own: empty at each start, gone at each stop.
type InstanceStore struct {
	Virtual string // ephemeral0…
	Device  string // as mapped; "" where the type's stores need no mapping
	SizeGB  int64
}

// MetadataOptions steer the instance metadata service (rule metadata-options).
type MetadataOptions struct {
	HTTPTokens   string // optional | required
	HopLimit     int32  // 1…64
	HTTPEndpoint string // enabled | disabled
	HTTPIPv6     string // enabled | disabled
	Tags         string // enabled | disabled
	Applied      bool
}

// With has what the others say instead, where they say something.
func (m MetadataOptions) With(others MetadataOptions) MetadataOptions {
	m.HTTPTokens, m.HTTPEndpoint = cmp.Or(others.HTTPTokens, m.HTTPTokens), cmp.Or(others.HTTPEndpoint, m.HTTPEndpoint)
	m.HTTPIPv6, m.Tags = cmp.Or(others.HTTPIPv6, m.HTTPIPv6), cmp.Or(others.Tags, m.Tags)
	m.HopLimit = cmp.Or(others.HopLimit, m.HopLimit)
	return m
}

// Placement is where an instance was put and with whom.
type Placement struct {
	Tenancy       string           `json:",omitempty"` // default | dedicated | host
	GroupName     string           `json:",omitempty"`
	GroupID       PlacementGroupID `json:",omitempty"`
	Partition     int32            `json:",omitempty"`
	DedicatedHost DedicatedHostID  `json:",omitempty"`
	Affinity      string           `json:",omitempty"`
}

// PrivateDNS says how an instance is named inside its VPC.
type PrivateDNS struct {
	HostnameType        string // ip-name | resource-name
	ARecord, AAAARecord bool
}

// HostID names a machine of the operator's.
type HostID string

// Instance is a virtual machine of a customer's.
type Instance struct {
	InstanceIdentity
	InstanceSoftware
	InstanceHardware
	InstanceAccess
	InstanceStatus
	InstanceAssignment
	InstanceNetwork
	InstanceDisks
	InstanceOptions
	InstanceMarket
}

// InstanceIdentity is what never changes of an instance, and its tags.
type InstanceIdentity struct {
	ID          InstanceID
	Account     string
	Region      string
	Zone        string
	Reservation ReservationID
	Requester   string `json:",omitempty"`
	LaunchIndex int32
	ClientToken string `json:",omitempty"`
	Tags        Tags   `json:",omitempty"`
}

// InstanceSoftware is what it runs, copied from its image, which may be deregistered.
type InstanceSoftware struct {
	Image        ImageID
	Architecture string
	RootDevice   string
	BootMode     string
	Boot         Boot     // how the guest comes up, copied from the image, which may be deregistered
	Platform     string   `json:",omitempty"` // "windows" or nothing
	ProductCodes []string `json:",omitempty"`
	Licenses     []string `json:",omitempty"`
}

// InstanceHardware is what it runs on.
type InstanceHardware struct {
	Type                  string
	EBSOptimized          bool `json:",omitempty"`
	Cores, ThreadsPerCore int32
	CPUCredits            string `json:",omitempty"`
	Hibernation           bool   `json:",omitempty"`
	BandwidthWeighting    string `json:",omitempty"`
}

// InstanceAccess is who may log in, and as whom it calls.
type InstanceAccess struct {
	KeyName            string `json:",omitempty"`
	PublicKey          string `json:",omitempty"` // a copy: deleting the key pair changes nothing here
	UserData           []byte `json:",omitempty"`
	Profile            string `json:",omitempty"` // ARN of the instance profile
	ProfileID          string `json:",omitempty"`
	ProfileAssociation string `json:",omitempty"`
}

// InstanceStatus is where it is in its life, and since when.
type InstanceStatus struct {
	LaunchTime       time.Time // of the last start
	State            State
	Reason           Reason    `json:",omitzero"`
	TransitionReason string    `json:",omitempty"` // "User initiated (2026-05-31 04:36:20 GMT)"
	TerminatedAt     time.Time `json:",omitzero"`
	StatusSince      time.Time `json:",omitzero"`  // when the status checks last changed
	Recovered        time.Time `json:",omitzero"`  // when its machine had died and was started again
	Reachable        string    `json:",omitempty"` // instance status check: "", passed, failed
}

// InstanceAssignment is what its host shall make of it.
type InstanceAssignment struct {
	Host       HostID
	Wanted     Wanted
	Boots      int     // counts starts; a report about an earlier one is stale
	Reboots    int     `json:",omitempty"`
	Force      bool    `json:",omitempty"` // the stop that is wanted shall not wait for the guest
	Hibernated bool    `json:",omitempty"` // memory is saved; the next start resumes it
	Fault      *Reason `json:",omitempty"` // why this launch cannot be (rule R15)
}

// InstanceNetwork is where its traffic goes.
type InstanceNetwork struct {
	VPC        VPCID         `json:",omitempty"`
	Subnet     SubnetID      `json:",omitempty"`
	Interfaces []InterfaceID `json:",omitempty"` // by device index
	// EC2-Classic, which has no ENI.
	ClassicIP     netip.Addr        `json:",omitzero"`
	ClassicPublic netip.Addr        `json:",omitzero"`
	ClassicGroups []SecurityGroupID `json:",omitempty"`
	DNS           PrivateDNS        `json:",omitzero"`
}

// InstanceDisks are its volumes and instance stores.
type InstanceDisks struct {
	Volumes []BlockDevice   `json:",omitempty"`
	Stores  []InstanceStore `json:",omitempty"`
}

// InstanceOptions are what its owner chose of it.
type InstanceOptions struct {
	Monitoring       bool   `json:",omitempty"`
	ProtectTerminate bool   `json:",omitempty"`
	ProtectStop      bool   `json:",omitempty"`
	ShutdownBehavior string // stop | terminate
	Metadata         MetadataOptions
	Placement        Placement `json:",omitzero"`
	AutoRecovery     string    `json:",omitempty"`
}

// InstanceMarket is whose capacity it uses, and on what terms.
type InstanceMarket struct {
	CapacityPreference  string                `json:",omitempty"`
	CapacityReservation CapacityReservationID `json:",omitempty"` // the one it runs in
	CapacityTarget      CapacityReservationID `json:",omitempty"` // the one it asked for
	SpotRequest         SpotRequestID         `json:",omitempty"`
	Lifecycle           string                `json:",omitempty"` // "" | spot
	Interruption        *Interruption         `json:",omitempty"`
}

// Interruption is a spot instance's notice.
type Interruption struct {
	Action string // terminate | stop | hibernate
	At     time.Time
	Done   bool          `json:",omitempty"` // the action was taken
	Away   time.Duration `json:",omitempty"` // how long capacity stays away: a persistent request comes back after that
}

// Become changes the state, or refuses a change that cannot happen.
func (in *Instance) Become(to State, why Reason) error {
	if in.State == to {
		return nil
	}
	if err := become(&in.State, to, instanceChanges, string(in.ID)); err != nil {
		return err
	}
	in.Reason = why
	return nil
}

// Alive says whether the instance holds resources: everything but a terminated one.
func (in *Instance) Alive() bool { return in.State != Terminated }

// ClassicNetwork stands for the flat network that all of EC2-Classic's instances in a region share.
func ClassicNetwork(region string) VPCID { return VPCID("classic-" + region) }

// Network is where the instance's traffic goes: its VPC, or its region's EC2-Classic.
func (in *Instance) Network() VPCID {
	if in.VPC != "" {
		return in.VPC
	}
	return ClassicNetwork(in.Region)
}

// RootVolume is the volume the instance boots from.
func (in *Instance) RootVolume() (BlockDevice, bool) {
	for _, b := range in.Volumes {
		if b.Device == in.RootDevice {
			return b, true
		}
	}
	return BlockDevice{}, false
}

// UserInitiated is EC2's text for a transition that an API call caused; tools parse its date.
func UserInitiated(at time.Time) string {
	return "User initiated (" + at.UTC().Format("2006-01-02 15:04:05") + " GMT)"
}
