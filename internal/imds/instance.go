// Package imds is the instance metadata service: what a guest sees at 169.254.169.254 and fd00:ec2::254. Tree is a pure
// function of an Instance; Server answers HTTP on listeners that belong to one interface each, so that it knows who asks.
// It must not read the store.
package imds

import (
	"net/netip"
	"time"

	"slipway"
)

// Instance is everything the service knows of one instance.
type Instance struct {
	Options      slipway.MetadataOptions
	Groups       []string          // names
	Devices      map[string]string // block-device-mapping: "ami" → "/dev/xvda", "root", "ebs1" → "sdf"
	Interfaces   []Interface       // by device index; in EC2-Classic one without an id
	Lifecycle    string            // on-demand | spot
	Interruption *slipway.Interruption
	Monitoring   bool
	GroupName    string // placement group
	Partition    int32
	HostID       string
	Tags         slipway.Tags

	Facts
	Access
	Names
}

// Facts are what the identity document says.
type Facts struct {
	ID           slipway.InstanceID
	Account      string
	Region       string
	Zone         string
	ZoneID       string
	Type         string
	Image        slipway.ImageID
	Reservation  slipway.ReservationID
	LaunchIndex  int32
	Launched     time.Time // pendingTime
	Architecture string
	ProductCodes []string
}

// Access is who may log in, and what the instance may do.
type Access struct {
	KeyName   string
	PublicKey string // authorized_keys line
	UserData  []byte
	Profile   *Profile
}

// Names are what it is called.
type Names struct {
	Hostname     string // private DNS name
	PublicName   string // public DNS name, if it has one
	PublicIP     netip.Addr
	DomainSuffix string // services/domain
}

// Interface is one ENI as the guest sees it.
type Interface struct {
	ID          slipway.InterfaceID
	DeviceIndex int32
	NetworkCard int32
	MAC         string
	Owner       string
	Hostname    string
	PublicName  string
	Addresses   []slipway.PrivateAddress
	IPv6        []netip.Addr
	Prefixes    []netip.Prefix
	Prefixes6   []netip.Prefix
	Groups      []string // names
	GroupIDs    []slipway.SecurityGroupID
	Subnet      slipway.SubnetID
	SubnetCIDR  netip.Prefix
	SubnetCIDR6 netip.Prefix
	VPC         slipway.VPCID
	VPCCIDRs    []netip.Prefix
	VPCCIDRs6   []netip.Prefix
}

// Profile is the instance profile with the credentials of its role, which the server renews.
type Profile struct {
	ARN, ID   string
	Role      string
	AccessKey string
	SecretKey string
	Token     string
	Updated   time.Time
	Expires   time.Time
}
