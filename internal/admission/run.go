package admission

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/interfaces"
	"slipway/internal/launchspec"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/volumes"
)

// Prepare completes a request by its launch template and checks all that needs no other state; it uses the request up.
func (s *Service) Prepare(ctx context.Context, in *ec2wire.RunInstancesRequest) (slipway.LaunchSpec, error) {
	sent, zonal := launchspec.Hash(in), launchspec.FixesZone(in)
	template, origin, err := s.applyTemplate(ctx, in)
	if err != nil {
		return slipway.LaunchSpec{}, err
	}
	spec, err := launchspec.Read(in)
	if err != nil {
		return slipway.LaunchSpec{}, err
	}
	spec.Template, spec.Origin, spec.Hash, spec.ZoneOfTemplate = template, origin, sent, template.ID != "" && !zonal
	return spec, nil
}

// applyTemplate completes the request by its launch template.
func (s *Service) applyTemplate(ctx context.Context, in *ec2wire.RunInstancesRequest) (slipway.TemplateRef, map[string]string, error) {
	if !launchspec.Templated(in) {
		return slipway.TemplateRef{}, nil, nil
	}
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return slipway.TemplateRef{}, nil, err
	}
	return launchspec.Complete(r, state.Of(ctx), in)
}

// Launch admits a launch: every check that needs the state, the choice of hosts, and the records, in one transaction. A zone that
// was chosen for the caller and turns out to lack addresses or capacity is passed over for the next best.
func (s *Service) Launch(ctx context.Context, spec slipway.LaunchSpec) ([]*slipway.Instance, error) {
	var first error
	for passed := map[string]bool{}; ; {
		made, chosen, err := s.launchIn(ctx, spec, passed)
		switch code := slipway.CodeOf(err); {
		case errors.Is(err, errNoOtherZone):
			return nil, first
		case err == nil || chosen == "" || code != slipway.InsufficientFreeAddressesInSubnet && code != slipway.InsufficientInstanceCapacity:
			return made, err
		}
		first, passed[chosen] = cmp.Or(first, err), true
	}
}

// errNoOtherZone says that every zone that could be chosen has been passed over.
var errNoOtherZone = errors.New("no other zone is left")

// launchIn is Launch in any zone but those to pass over; chosen is the zone if it was not the caller's choice.
func (s *Service) launchIn(ctx context.Context, spec slipway.LaunchSpec, passed map[string]bool) (made []*slipway.Instance, chosen string, err error) {
	err = s.db.Update(ctx, func(tx store.Tx) error {
		l := &launch{s: s, tx: tx, scope: state.Of(ctx), call: slipway.CallFrom(ctx), spec: spec, now: s.now(), notes: map[string]string{}, passed: passed}
		made = nil
		defer func() { chosen = l.chosen }()
		if err := l.resolve(); err != nil {
			return err
		}
		if err := l.judge(ctx, "ec2:RunInstances"); err != nil {
			return err
		}
		if l.call.DryRun {
			return slipway.Errorf(slipway.DryRunOperation, "Request would have succeeded, but DryRun flag is set.")
		}
		before, err := l.seen()
		if err != nil || before != nil {
			made = before
			return err
		}
		if err := l.admit(); err != nil {
			return err
		}
		made = l.made
		return nil
	})
	return made, chosen, err
}

// launch is one launch on its way through the rules.
type launch struct {
	s     *Service
	tx    store.Tx
	scope state.Scope
	call  slipway.Call
	spec  slipway.LaunchSpec
	now   time.Time

	region  *slipway.Region
	account *slipway.Account
	image   *slipway.Image
	kind    *slipway.InstanceType
	boot    slipway.Boot
	key     *slipway.KeyPair
	profile *slipway.InstanceProfile
	zone    slipway.Zone
	chosen  string          // the zone, where nobody asked for one
	passed  map[string]bool // zones that have been tried
	fixed   bool            // the zone was fixed by the request: the token's scope is zonal
	vpc     *slipway.VPC
	ports   []port // by device index; none in EC2-Classic
	groups  []slipway.SecurityGroupID
	devices []device
	stores  []slipway.InstanceStore
	group   *slipway.PlacementGroup
	options slipway.MetadataOptions
	notes   map[string]string
	hosts   []slipway.HostID
	// partitions are the hosts' counterparts in a group of partitions.
	partitions []int32
	reserved   []slipway.CapacityReservationID // the first hosts' capacity reservations
	fault      *slipway.Reason                 // why the instances will end as soon as they begin (rule R15)
	have       *[2]int                         // volumes of the account before, and their GiB, where a quota asks
	volumes    int                             // made by this launch
	gib        int                             // of them
	full       bool                            // nothing but reserved capacity will do
	dedicated  *slipway.DedicatedHost
	made       []*slipway.Instance
}

// resolve turns names into records, rule by rule: existence, then consistency, then what the account may.
func (l *launch) resolve() error {
	l.region = state.Regions.See(l.tx, l.scope, "-")
	l.account = state.Accounts.See(l.tx, state.Global, l.scope.Account)
	if l.region == nil || l.account == nil {
		return fmt.Errorf("account %s has not been furnished in %s", l.scope.Account, l.scope.Region)
	}
	for _, rule := range []func() error{
		l.findImage, l.findType, l.findKey, l.findProfile, l.findZone, l.findGroup, l.findNetwork, l.findFirmware, l.findCapacity, l.findDevices, l.fits, l.fitsHibernation, l.affords, l.subscribed,
	} {
		if err := rule(); err != nil {
			return err
		}
	}
	return nil
}

// findImage is rule R1.
func (l *launch) findImage() error {
	id := string(l.spec.Image)
	if name, ok := strings.CutPrefix(id, "resolve:ssm:"); ok {
		found := state.AliasedImage(l.tx, l.scope.Region, name)
		if found == nil {
			return slipway.Errorf(slipway.InvalidParameterValue, "The parameter %s was not found or does not name an image.", name)
		}
		id, l.spec.Image = string(found.ID), found.ID
	}
	im := state.FindImage(l.tx, l.scope.Region, id)
	switch {
	case im == nil || !im.LaunchableFrom(l.scope.Account):
		return state.Images.Absent(id)
	case im.State != "available" || im.Disabled:
		return slipway.Errorf(slipway.InvalidAMIIDUnavailable, "The image ID '%s' is no longer available", id)
	}
	l.image = im
	return nil
}

// findType is the instance type and whether the image can run on it.
func (l *launch) findType() error {
	l.kind = slipway.FindInstanceType(l.spec.Type)
	switch {
	case l.kind == nil:
		return slipway.Errorf(slipway.InvalidParameterValue, "Invalid value '%s' for InstanceType.", l.spec.Type)
	case !slices.Contains(l.kind.Architectures, l.image.Architecture):
		return slipway.Errorf(slipway.InvalidParameterValue, "The architecture '%s' of the specified instance type does not match the architecture '%s' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to discover the architecture of the instance type or AMI.",
			strings.Join(l.kind.Architectures, ", "), l.image.Architecture)
	case l.image.BootMode == "uefi" && !l.kind.UEFI():
		return slipway.Errorf(slipway.InvalidParameterValue, "The boot mode '%s' of the specified AMI is not supported by the instance type '%s'.", l.image.BootMode, l.kind.Name)
	}
	l.boot = l.image.Boot.On(l.kind, l.image.BootMode)
	return nil
}

func (l *launch) findKey() error {
	if l.spec.KeyName == "" {
		return nil
	}
	var err error
	l.key, err = state.KeyPairs.Must(l.tx, l.scope, l.spec.KeyName)
	return err
}

// findZone is the zone that the request names, if it does.
func (l *launch) findZone() error {
	if l.spec.Zone == "" {
		return nil
	}
	z, ok := slipway.FindZone(l.scope.Region, l.spec.Zone)
	if !ok {
		return slipway.Errorf(slipway.InvalidParameterValue, "Invalid availability zone: [%s]", l.spec.Zone)
	}
	l.zone, l.fixed = z, true
	return nil
}

// fits are the checks of options against the type and the image.
func (l *launch) fits() error {
	t, s := l.kind, &l.spec
	if s.Cores != 0 {
		if err := CheckCPU(t, s.Cores, s.Threads); err != nil {
			return err
		}
	}
	if s.CPUCredits != "" && !t.Burstable {
		return slipway.Errorf(slipway.InstanceCreditSpecificationNotSupported, "The instance type %s does not support credit specification. Burstable types do.", t.Name)
	}
	if s.EBSOptimized != nil && *s.EBSOptimized && t.EBSOptimized == "unsupported" {
		return slipway.Errorf(slipway.Unsupported, "The instance type %s does not support EBS optimization.", t.Name)
	}
	if len(l.ports) > int(t.MaxInterfaces) {
		return slipway.Errorf(slipway.AttachmentLimitExceeded, "Interface count %d exceeds the limit for %s", len(l.ports), t.Name)
	}
	if n := len(l.devices) + max(1, len(l.ports)); n > slipway.MachineSlots {
		return slipway.Errorf(slipway.AttachmentLimitExceeded, "The request attaches %d volumes and interfaces, and a machine has room for %d.", n, slipway.MachineSlots)
	}
	for _, p := range l.ports {
		if n := p.count4(); n > int(t.IPv4PerInterface) {
			return slipway.Errorf(slipway.PrivateIpAddressLimitExceeded, "Number of private addresses %d exceeds the limit of %d for %s", n, t.IPv4PerInterface, t.Name)
		}
		n := len(p.wanted.IPv6) + p.wanted.IPv6Count
		if n > 0 && !t.IPv6 {
			return slipway.Errorf(slipway.InvalidParameterCombination, "The instance type %s does not support IPv6 addresses.", t.Name)
		}
		if n > int(t.IPv6PerInterface) {
			return slipway.Errorf(slipway.InvalidInterfaceIpAddressLimitExceeded, "Number of IPv6 addresses %d exceeds the limit of %d for %s", n, t.IPv6PerInterface, t.Name)
		}
	}
	l.options = l.metadata()
	if l.region.Settings.TokensEnforced && l.options.HTTPTokens != "required" {
		return slipway.Errorf(slipway.InvalidParameterCombination, "The account requires instance metadata tokens: HttpTokens must be 'required'.")
	}
	return nil
}

// metadata settles the options: request, then the account's default, then what the image says, then the built-in default.
func (l *launch) metadata() slipway.MetadataOptions {
	m := slipway.MetadataOptions{HTTPTokens: "optional", HopLimit: 1, HTTPEndpoint: "enabled", HTTPIPv6: "disabled", Tags: "disabled"}
	if l.image.IMDSSupport == "v2.0" {
		m.HTTPTokens, m.HopLimit = "required", 2
	}
	return m.With(l.region.Settings.Metadata).With(l.spec.Metadata)
}

// subscribed is rule R9.
func (l *launch) subscribed() error {
	for _, code := range l.image.ProductCodes {
		if !slices.Contains(l.account.Subscriptions, code) {
			return slipway.Errorf(slipway.OptInRequired, "In order to use this AWS Marketplace product you need to accept terms and subscribe. To do so please visit https://aws.amazon.com/marketplace/pp?sku=%s", code)
		}
	}
	return nil
}

// seen answers a request that came before with the same token (reference, 4.7).
func (l *launch) seen() ([]*slipway.Instance, error) {
	if l.spec.ClientToken == "" {
		return nil, nil
	}
	t := state.Tokens.See(l.tx, l.scope, l.tokenID())
	if t == nil {
		return nil, nil
	}
	if t.Hash != l.spec.Hash {
		return nil, slipway.Errorf(slipway.IdempotentParameterMismatch, "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
	}
	var out []*slipway.Instance
	for _, id := range t.Instances {
		in := state.Instances.See(l.tx, l.scope, string(id))
		if in == nil || in.State == slipway.Terminated {
			return nil, slipway.Errorf(slipway.IdempotentInstanceTerminated, "The instance '%s' that the client token launched has been terminated.", id)
		}
		out = append(out, in)
	}
	return out, nil
}

func (l *launch) tokenID() string {
	if l.fixed && !l.spec.ZoneOfTemplate {
		return l.zone.Name + "/" + l.spec.ClientToken
	}
	return l.scope.Region + "/" + l.spec.ClientToken
}

// admit takes capacity and writes the records.
func (l *launch) admit() error {
	if err := l.place(); err != nil {
		return err
	}
	reservation := slipway.NewReservationID()
	count := len(l.hosts)
	for i := range count {
		in, err := l.instance(reservation, int32(i))
		if err != nil {
			if short := slipway.CodeOf(err); i >= int(l.spec.Min) && (short == slipway.InsufficientFreeAddressesInSubnet || short == slipway.InsufficientAddressCapacity) {
				count = i
				break
			}
			return err
		}
		l.made = append(l.made, in)
	}
	l.hosts = l.hosts[:count]
	if err := l.ChargeSize(); err != nil {
		return err
	}
	if l.spec.ClientToken != "" {
		t := &state.Token{Scope: l.scope, ID: l.tokenID(), Hash: l.spec.Hash, Result: string(reservation), Created: l.now}
		for _, in := range l.made {
			t.Instances = append(t.Instances, in.ID)
		}
		if err := state.Tokens.Put(l.tx, t); err != nil {
			return err
		}
	}
	return l.explain(reservation)
}

// instance writes one instance with its interfaces and volumes.
func (l *launch) instance(reservation slipway.ReservationID, index int32) (*slipway.Instance, error) {
	s := &l.spec
	in := &slipway.Instance{
		ID: slipway.NewInstanceID(), Account: l.scope.Account, Region: l.scope.Region, Zone: l.zone.Name, Reservation: reservation,
		Host: l.hosts[index], Image: l.image.ID, Type: l.kind.Name, LaunchIndex: index, LaunchTime: l.now, ClientToken: s.ClientToken,
		KeyName: s.KeyName, UserData: s.UserData, Architecture: l.image.Architecture, RootDevice: l.image.RootDevice,
		BootMode: l.image.BootMode, Boot: l.boot, ProductCodes: l.image.ProductCodes,
		State: slipway.Pending, Reason: slipway.ReasonPending, Wanted: slipway.WantRunning, Boots: 1,
		Monitoring: s.Monitoring, ProtectTerminate: s.ProtectTerminate, ProtectStop: s.ProtectStop, ShutdownBehavior: s.ShutdownBehavior,
		Metadata: l.options, Placement: s.Placement, Cores: l.kind.Cores, ThreadsPerCore: l.kind.ThreadsPerCore,
		AutoRecovery: s.AutoRecovery, CapacityPreference: s.CapacityPreference, CapacityTarget: s.CapacityTarget, Hibernation: s.Hibernation, Licenses: s.Licenses,
		Stores: l.stores, Fault: l.fault, Tags: s.Tags["instance"],
	}
	if in.ShutdownBehavior == "" {
		in.ShutdownBehavior = "stop"
	}
	if in.CapacityPreference == "" {
		in.CapacityPreference = "open"
	}
	if int(index) < len(l.reserved) {
		in.CapacityReservation = l.reserved[index]
	}
	if l.profile != nil {
		GiveProfile(in, l.profile)
	}
	if l.dedicated != nil {
		in.Placement.DedicatedHost = l.dedicated.ID
	}
	if err := l.bidFor(in); err != nil {
		return nil, err
	}
	if l.key != nil {
		in.PublicKey = l.key.PublicKey
	}
	if s.Cores != 0 {
		in.Cores, in.ThreadsPerCore = s.Cores, s.Threads
	}
	if l.kind.Burstable {
		in.CPUCredits = s.CPUCredits
		if in.CPUCredits == "" {
			in.CPUCredits = l.region.Settings.DefaultCredits(l.kind)
		}
	}
	if s.EBSOptimized != nil {
		in.EBSOptimized = *s.EBSOptimized
	}
	if s.Template.ID != "" {
		in.Tags, _ = in.Tags.With(slipway.Tags{"aws:ec2launchtemplate:id": string(s.Template.ID), "aws:ec2launchtemplate:version": fmt.Sprint(s.Template.Version)})
	}
	if l.group != nil {
		in.Placement.GroupID, in.Placement.GroupName = l.group.ID, l.group.Name
		if l.partitions != nil {
			in.Placement.Partition = l.partitions[index]
		}
	}
	if err := l.attach(in); err != nil {
		return nil, err
	}
	if err := l.disks(in); err != nil {
		return nil, err
	}
	return in, state.Instances.Put(l.tx, in)
}

// attach makes the instance's interfaces.
func (l *launch) attach(in *slipway.Instance) error {
	if l.vpc == nil {
		return l.classic(in)
	}
	in.VPC, in.Subnet, in.DNS = l.vpc.ID, l.ports[0].wanted.Subnet.ID, l.names()
	for _, p := range l.ports {
		n := p.existing
		if n == nil {
			w := p.wanted
			w.Tags = l.spec.Tags["network-interface"]
			var err error
			if n, err = interfaces.Create(l.tx, w, l.now); err != nil {
				return err
			}
		}
		n.Attachment = &slipway.Attachment{
			ID: slipway.NewAttachmentID(), Instance: in.ID, DeviceIndex: p.index, AttachTime: l.now, DeleteOnTermination: p.deleteWith,
		}
		if n.AutoPublic && len(n.Addresses) > 0 && !n.Addresses[0].Public.IsValid() {
			ip, err := l.s.pool.Take(l.tx, string(n.ID))
			if err != nil {
				return err
			}
			n.Addresses[0].Public = ip
		}
		if err := state.Interfaces.Put(l.tx, n); err != nil {
			return err
		}
		in.Interfaces = append(in.Interfaces, n.ID)
	}
	return nil
}

// names are the host name options: the request's over the subnet's.
func (l *launch) names() slipway.PrivateDNS {
	d := l.ports[0].wanted.Subnet.DNS
	if d.HostnameType == "" {
		d.HostnameType = "ip-name"
	}
	if l.spec.HostnameType != "" {
		d.HostnameType = l.spec.HostnameType
	}
	if l.spec.ARecord != nil {
		d.ARecord = *l.spec.ARecord
	}
	if l.spec.AAAARecord != nil {
		d.AAAARecord = *l.spec.AAAARecord
	}
	return d
}

// disks makes the instance's volumes.
func (l *launch) disks(in *slipway.Instance) error {
	if in.Fault = cmp.Or(in.Fault, l.volumeFault()); in.Fault != nil {
		return nil // the launch will end without having had a disk
	}
	for _, d := range l.devices {
		v := &slipway.Volume{
			ID: slipway.NewVolumeID(), Account: in.Account, Region: in.Region, Zone: in.Zone, Host: in.Host, SizeGiB: d.spec.SizeGiB,
			Type: d.spec.Type, IOPS: d.spec.IOPS, Throughput: d.spec.Throughput, Snapshot: d.snapshot, Encrypted: d.encrypted, Key: d.key,
			Created: l.now, State: "in-use", Tags: l.spec.Tags["volume"],
			Attachment: &slipway.VolumeAttachment{Instance: in.ID, Device: d.name, State: "attaching", AttachTime: l.now, DeleteOnTermination: d.deleteWith},
		}
		if v.Encrypted {
			v.Secret = volumes.NewSecret()
		}
		if snap := state.FindSnapshot(l.tx, in.Region, string(d.snapshot)); snap != nil {
			v.BaseSecret = snap.Secret
		}
		if err := state.Volumes.Put(l.tx, v); err != nil {
			return err
		}
		l.volumes, l.gib = l.volumes+1, l.gib+int(d.spec.SizeGiB)
		in.Volumes = append(in.Volumes, slipway.BlockDevice{Device: d.name, Volume: v.ID, AttachTime: l.now, DeleteOnTermination: d.deleteWith})
	}
	return nil
}
