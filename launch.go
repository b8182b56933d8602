package slipway

import (
	"encoding/base64"
	"net/netip"
	"strings"
	"time"
)

// MaxUserData is in bytes after decoding.
const MaxUserData = 16384

// ParseUserData decodes exactly once, as EC2 does: what a client encoded twice stays encoded once.
func ParseUserData(encoded string) ([]byte, error) {
	if encoded == "" {
		return nil, nil
	}
	data, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r", "").Replace(encoded))
	if err != nil {
		return nil, Errorf(InvalidUserDataMalformed, "Invalid BASE64 encoding of user data.")
	}
	if len(data) > MaxUserData {
		return nil, Errorf(InvalidParameterValue, "User data is limited to %d bytes", MaxUserData)
	}
	return data, nil
}

// LaunchSpec is a RunInstances call after its wire form has been read and every check that needs no state has passed. What
// the template gave has been merged in.
type LaunchSpec struct {
	Image     ImageID
	Type      string
	Min, Max  int32
	Zone      string // name or id; "": chosen
	Network   LaunchNetwork
	Devices   []Mapping
	Placement Placement
	Tags      map[string]Tags // by resource type
	Template  TemplateRef
	Origin    map[string]string // parameter to where it came from: request, template, default

	LaunchAccess
	LaunchToken
	LaunchHardware
	LaunchOptions
	LaunchMarket
}

// LaunchAccess is who may log in to the instances, and as whom they call.
type LaunchAccess struct {
	KeyName                 string
	UserData                []byte
	ProfileARN, ProfileName string
	ProfileID               string // of the profile that was found under them, for a launch that comes later
}

// LaunchToken makes a repeated request one launch.
type LaunchToken struct {
	ClientToken string
	Hash        string // of the parameters as sent, without what a template added, for ClientToken
	// ZoneOfTemplate says that the template, not the request, fixed the zone: the token's scope is then the region, or a
	// retry would miss its first reservation when the template has moved on.
	ZoneOfTemplate bool
}

// LaunchHardware is what is asked of the type's options.
type LaunchHardware struct {
	EBSOptimized   *bool
	Cores, Threads int32 // 0: the type's own
	CPUCredits     string
	Hibernation    bool
	Bandwidth      string
}

// LaunchOptions are what the owner chooses of the instances.
type LaunchOptions struct {
	Monitoring          bool
	ProtectTerminate    bool
	ProtectStop         bool
	ShutdownBehavior    string          // "": stop
	Metadata            MetadataOptions // empty members: not given
	HostnameType        string
	ARecord, AAAARecord *bool
	AutoRecovery        string
	Licenses            []string
}

// LaunchMarket is whose capacity is used, and on what terms.
type LaunchMarket struct {
	CapacityPreference string
	CapacityTarget     CapacityReservationID
	Spot               *SpotOptions
}

// TemplateRef is the launch template that a launch used, resolved to a version.
type TemplateRef struct {
	ID      LaunchTemplateID
	Version int64
}

// SpotOptions ask for spot capacity.
type SpotOptions struct {
	MaxPrice     float64 // dollars an hour; 0: whatever it costs
	Persistent   bool
	Interruption string    // terminate | stop | hibernate
	ValidUntil   time.Time `json:",omitzero"` // of a persistent request
	// Request is the one that this launch fulfils; "": a new one.
	Request SpotRequestID `json:",omitempty"`
}

// LaunchNetwork is where a launch wants its interfaces: one implied by the instance-level members, or those named.
type LaunchNetwork struct {
	Subnet      SubnetID
	GroupIDs    []SecurityGroupID
	GroupNames  []string
	PrivateIP   netip.Addr
	IPv6Count   int32
	IPv6        []netip.Addr
	PrimaryIPv6 bool
	Interfaces  []LaunchInterface
}

// InterfaceAddresses are those that a new interface shall have: given, or so many of the subnet's, chosen for it.
type InterfaceAddresses struct {
	Primary                   netip.Addr // zero: chosen
	Secondary                 []netip.Addr
	SecondaryCount            int
	IPv6                      []netip.Addr // the primary one first, if there is one
	IPv6Count                 int
	PrimaryIPv6               bool
	Prefixes, Prefixes6       []netip.Prefix
	PrefixCount, Prefix6Count int
}

// LaunchInterface is one NetworkInterface.N.
type LaunchInterface struct {
	DeviceIndex int32
	Existing    InterfaceID
	Subnet      SubnetID
	Groups      []SecurityGroupID
	InterfaceAddresses
	Public              *bool
	DeleteOnTermination *bool
	Description         string
	Type                string
	Card                int32
}
