package slipway

import (
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"strings"
)

// Every kind of resource has an id of its own type, so that a function that takes a SubnetID cannot be handed a VPC.
type (
	InstanceID          string // "i-0123456789abcdef0"
	ReservationID       string // "r-0123456789abcdef0"
	ImageID             string // "ami-0123456789abcdef0"
	InterfaceID         string // "eni-0123456789abcdef0"
	AttachmentID        string // "eni-attach-0123456789abcdef0"
	KeyPairID           string // "key-0123456789abcdef0"
	VolumeID            string // "vol-0123456789abcdef0"
	SnapshotID          string // "snap-0123456789abcdef0"
	SecurityGroupID     string // "sg-0123456789abcdef0"
	SecurityGroupRuleID string // "sgr-0123456789abcdef0"
	SubnetID            string // "subnet-0123456789abcdef0"
	VPCID               string // "vpc-0123456789abcdef0"
	LaunchTemplateID    string // "lt-0123456789abcdef0"
	AllocationID        string // "eipalloc-0123456789abcdef0"
	AssociationID       string // "eipassoc-0123456789abcdef0"
	PlacementGroupID    string // "pg-0123456789abcdef0"
	RouteTableID        string // "rtb-0123456789abcdef0"
	InternetGatewayID   string // "igw-0123456789abcdef0"
	NetworkACLID        string // "acl-0123456789abcdef0"
	DHCPOptionsID       string // "dopt-0123456789abcdef0"

	CapacityReservationID string // "cr-0123456789abcdef0"
	DedicatedHostID       string // "h-0123456789abcdef0"
	SpotRequestID         string // "sir-0a1b2c3d"
	NATGatewayID          string // "nat-0123456789abcdef0"
	PeeringID             string // "pcx-0123456789abcdef0"
	PrefixListID          string // "pl-0123456789abcdef0"
)

// NewID makes an id in EC2's long form: the prefix, a hyphen, "0" and 16 random hexadecimal digits (rule id-forms).
func NewID(prefix string) string {
	var b [8]byte
	rand.Read(b[:])
	return prefix + "-0" + hex.EncodeToString(b[:])
}

// WellFormed says whether s is prefix, a hyphen and 8 or 17 lower-case hexadecimal digits, the two lengths EC2 has
// issued. A spot request has eight letters and digits, a fleet a form of its own.
func WellFormed(prefix, s string) bool {
	digits, ok := strings.CutPrefix(s, prefix+"-")
	switch {
	case prefix == "fleet":
		return fleetForm.MatchString(s)
	case prefix == "sir":
		return ok && len(digits) == 8 && strings.Trim(digits, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
	case !ok || len(digits) != 8 && len(digits) != 17:
		return false
	}
	return strings.Trim(digits, "0123456789abcdef") == ""
}

// fleetForm is the form of a fleet's id, whose digits stand in groups as those of no other resource do.
var fleetForm = regexp.MustCompile(`^fleet-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// Prefix is the part of an id before its last hyphen, which names the resource's kind; "" for what is no id.
func Prefix(id string) string {
	if fleetForm.MatchString(id) {
		return "fleet"
	}
	if i := strings.LastIndexByte(id, '-'); i > 0 {
		return id[:i]
	}
	return ""
}

// ResourceTypes are EC2's names of the kinds that can be tagged, as policies and DescribeTags call them, by the prefix
// of their ids.
var ResourceTypes = map[string]string{
	"i": "instance", "ami": "image", "vol": "volume", "snap": "snapshot", "subnet": "subnet", "vpc": "vpc",
	"scr": "subnet-cidr-reservation",
	"sg":  "security-group", "sgr": "security-group-rule",
	"eni": "network-interface", "rtb": "route-table", "igw": "internet-gateway", "acl": "network-acl",
	"dopt": "dhcp-options", "eipalloc": "elastic-ip", "lt": "launch-template",
	"pg": "placement-group", "key": "key-pair", "nat": "natgateway", "pcx": "vpc-peering-connection",
	"eigw": "egress-only-internet-gateway", "pl": "prefix-list",
	"cr": "capacity-reservation", "h": "dedicated-host", "sir": "spot-instances-request", "fleet": "fleet",
	ImageImport: "import-image-task", SnapshotImport: "import-snapshot-task",
}

// NewInstanceID issues a fresh id.
func NewInstanceID() InstanceID { return InstanceID(NewID("i")) }

// ParseInstanceID is the one place that answers InvalidInstanceIDMalformed.
func ParseInstanceID(s string) (InstanceID, error) {
	if !WellFormed("i", s) {
		return "", Errorf(InvalidInstanceIDMalformed, "Invalid id: %q", s)
	}
	return InstanceID(s), nil
}

// NewReservationID issues a fresh id.
func NewReservationID() ReservationID { return ReservationID(NewID("r")) }

// NewImageID issues a fresh id.
func NewImageID() ImageID { return ImageID(NewID("ami")) }

// ParseImageID is the one place that answers InvalidAMIIDMalformed.
func ParseImageID(s string) (ImageID, error) {
	if !WellFormed("ami", s) {
		return "", Errorf(InvalidAMIIDMalformed, "Invalid id: %q (expecting \"ami-...\")", s)
	}
	return ImageID(s), nil
}

// NewInterfaceID issues a fresh id.
func NewInterfaceID() InterfaceID { return InterfaceID(NewID("eni")) }

// ParseInterfaceID is the one place that answers InvalidNetworkInterfaceIDMalformed.
func ParseInterfaceID(s string) (InterfaceID, error) {
	if !WellFormed("eni", s) {
		return "", Errorf(InvalidNetworkInterfaceIDMalformed, "Invalid id: %q", s)
	}
	return InterfaceID(s), nil
}

// NewAttachmentID issues a fresh id.
func NewAttachmentID() AttachmentID { return AttachmentID(NewID("eni-attach")) }

// ParseAttachmentID is the one place that answers InvalidNetworkInterfaceAttachmentIDMalformed.
func ParseAttachmentID(s string) (AttachmentID, error) {
	if !WellFormed("eni-attach", s) {
		return "", Errorf(InvalidNetworkInterfaceAttachmentIDMalformed, "Invalid id: %q", s)
	}
	return AttachmentID(s), nil
}

// NewKeyPairID issues a fresh id.
func NewKeyPairID() KeyPairID { return KeyPairID(NewID("key")) }

// NewVolumeID issues a fresh id.
func NewVolumeID() VolumeID { return VolumeID(NewID("vol")) }

// ParseVolumeID is the one place that answers InvalidVolumeIDMalformed.
func ParseVolumeID(s string) (VolumeID, error) {
	if !WellFormed("vol", s) {
		return "", Errorf(InvalidVolumeIDMalformed, "Invalid id: %q", s)
	}
	return VolumeID(s), nil
}

// NewSnapshotID issues a fresh id.
func NewSnapshotID() SnapshotID { return SnapshotID(NewID("snap")) }

// ParseSnapshotID is the one place that answers InvalidSnapshotIDMalformed.
func ParseSnapshotID(s string) (SnapshotID, error) {
	if !WellFormed("snap", s) {
		return "", Errorf(InvalidSnapshotIDMalformed, "Invalid id: %q", s)
	}
	return SnapshotID(s), nil
}

// NewSecurityGroupID issues a fresh id.
func NewSecurityGroupID() SecurityGroupID { return SecurityGroupID(NewID("sg")) }

// ParseSecurityGroupID is the one place that answers InvalidGroupIDMalformed.
func ParseSecurityGroupID(s string) (SecurityGroupID, error) {
	if !WellFormed("sg", s) {
		return "", Errorf(InvalidGroupIDMalformed, "Invalid id: %q", s)
	}
	return SecurityGroupID(s), nil
}

// NewSecurityGroupRuleID issues a fresh id.
func NewSecurityGroupRuleID() SecurityGroupRuleID { return SecurityGroupRuleID(NewID("sgr")) }

// NewSubnetID issues a fresh id.
func NewSubnetID() SubnetID { return SubnetID(NewID("subnet")) }

// ParseSubnetID is the one place that answers InvalidSubnetIDMalformed.
func ParseSubnetID(s string) (SubnetID, error) {
	if !WellFormed("subnet", s) {
		return "", Errorf(InvalidSubnetIDMalformed, "Invalid id: %q", s)
	}
	return SubnetID(s), nil
}

// NewCapacityReservationID issues a fresh id.
func NewCapacityReservationID() CapacityReservationID { return CapacityReservationID(NewID("cr")) }

// ParseCapacityReservationID is the one place that answers InvalidCapacityReservationIDMalformed.
func ParseCapacityReservationID(s string) (CapacityReservationID, error) {
	if !WellFormed("cr", s) {
		return "", Errorf(InvalidCapacityReservationIDMalformed, "Invalid id: %q", s)
	}
	return CapacityReservationID(s), nil
}

// NewDedicatedHostID issues a fresh id.
func NewDedicatedHostID() DedicatedHostID { return DedicatedHostID(NewID("h")) }

// ParseDedicatedHostID is the one place that answers InvalidHostIDMalformed.
func ParseDedicatedHostID(s string) (DedicatedHostID, error) {
	if !WellFormed("h", s) {
		return "", Errorf(InvalidHostIDMalformed, "Invalid id: %q", s)
	}
	return DedicatedHostID(s), nil
}

// NewSpotRequestID issues a fresh id, which has eight characters behind its prefix.
func NewSpotRequestID() SpotRequestID {
	return SpotRequestID("sir-" + strings.ToLower(rand.Text()[:8]))
}

// NewVPCID issues a fresh id.
func NewVPCID() VPCID { return VPCID(NewID("vpc")) }

// ParseVPCID is the one place that answers InvalidVpcIDMalformed.
func ParseVPCID(s string) (VPCID, error) {
	if !WellFormed("vpc", s) {
		return "", Errorf(InvalidVpcIDMalformed, "Invalid id: %q", s)
	}
	return VPCID(s), nil
}

// NewLaunchTemplateID issues a fresh id.
func NewLaunchTemplateID() LaunchTemplateID { return LaunchTemplateID(NewID("lt")) }

// ParseLaunchTemplateID is the one place that answers InvalidLaunchTemplateIDMalformed.
func ParseLaunchTemplateID(s string) (LaunchTemplateID, error) {
	if !WellFormed("lt", s) {
		return "", Errorf(InvalidLaunchTemplateIDMalformed, "Invalid id: %q", s)
	}
	return LaunchTemplateID(s), nil
}

// NewAllocationID issues a fresh id.
func NewAllocationID() AllocationID { return AllocationID(NewID("eipalloc")) }

// NewAssociationID issues a fresh id.
func NewAssociationID() AssociationID { return AssociationID(NewID("eipassoc")) }

// NewPlacementGroupID issues a fresh id.
func NewPlacementGroupID() PlacementGroupID { return PlacementGroupID(NewID("pg")) }

// ParsePlacementGroupID is the one place that answers InvalidPlacementGroupIDMalformed.
func ParsePlacementGroupID(s string) (PlacementGroupID, error) {
	if !WellFormed("pg", s) {
		return "", Errorf(InvalidPlacementGroupIDMalformed, "Invalid id: %q", s)
	}
	return PlacementGroupID(s), nil
}

// NewRouteTableID issues a fresh id.
func NewRouteTableID() RouteTableID { return RouteTableID(NewID("rtb")) }

// NewInternetGatewayID issues a fresh id.
func NewInternetGatewayID() InternetGatewayID { return InternetGatewayID(NewID("igw")) }

// NewNetworkACLID issues a fresh id.
func NewNetworkACLID() NetworkACLID { return NetworkACLID(NewID("acl")) }

// NewDHCPOptionsID issues a fresh id.
func NewDHCPOptionsID() DHCPOptionsID { return DHCPOptionsID(NewID("dopt")) }

// NewNATGatewayID issues a fresh id.
func NewNATGatewayID() NATGatewayID { return NATGatewayID(NewID("nat")) }

// NewPeeringID issues a fresh id.
func NewPeeringID() PeeringID { return PeeringID(NewID("pcx")) }

// NewPrefixListID issues a fresh id.
func NewPrefixListID() PrefixListID { return PrefixListID(NewID("pl")) }
