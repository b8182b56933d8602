package admission

import (
	"cmp"
	"slices"
	"slipway"
	"slipway/internal/state"
	"strings"
)

// findImage is rule R1.
func (l *launch) findImage() error {
	id := string(l.spec.Image)
	if name, ok := strings.CutPrefix(id, "resolve:ssm:"); ok {
		if public := state.AliasedImage(l.tx, l.scope.Region, name); public == nil {
			l.parameter, _ = state.ParameterName(name)
		}
		found, err := state.ImageOf(l.tx, l.scope, name)
		if err != nil {
			return err
		}
		id, l.spec.Image = string(found), found
	}
	im := state.FindImage(l.tx, l.scope.Region, id)
	switch {
	case im == nil || !im.LaunchableFrom(l.scope.Account):
		return state.Images.Absent(id)
	case im.State != slipway.ImageStateAvailable || im.Disabled:
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
		return slipway.Errorf(slipway.InvalidParameterValue,
			"The architecture '%s' of the specified instance type does not match the architecture '%s' of the "+
				"specified AMI. Specify an instance type and an AMI that have matching architectures, and try "+
				"again. You can use 'describe-instance-types' or 'describe-images' to discover the architecture of "+
				"the instance type or AMI.",
			strings.Join(l.kind.Architectures, ", "), l.image.Architecture)
	case l.kind.Launchable() != nil:
		return l.kind.Launchable()
	case l.image.BootMode == "uefi" && !l.kind.UEFI():
		return slipway.Errorf(slipway.InvalidParameterValue,
			"The boot mode '%s' of the specified AMI is not supported by the instance type '%s'.", l.image.BootMode,
			l.kind.Name)
	}
	l.boot = l.image.Boot.On(l.kind, l.image.BootMode)
	return nil
}

func (l *launch) findKey() error {
	if l.spec.KeyName == "" {
		return nil
	}
	var err error
	l.key, err = state.KeyPairs.Require(l.tx, l.scope, l.spec.KeyName)
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
		return slipway.Errorf(slipway.InstanceCreditSpecificationNotSupported,
			"The instance type %s does not support credit specification. Burstable types do.", t.Name)
	}
	if err := cmp.Or(checkOptimized(t, s.EBSOptimized != nil && *s.EBSOptimized), checkPorts(t, len(l.ports))); err != nil {
		return err
	}
	if n := len(l.devices) + max(1, len(l.ports)); n > slipway.MachineSlots {
		return slipway.Errorf(slipway.AttachmentLimitExceeded,
			"The request attaches %d volumes and interfaces, and a machine has room for %d.", n, slipway.MachineSlots)
	}
	for _, p := range l.ports {
		if err := checkAddresses(t, p.count4(), len(p.wanted.IPv6)+p.wanted.IPv6Count); err != nil {
			return err
		}
	}
	l.options = l.metadata()
	if l.region.Settings.TokensEnforced && l.options.HTTPTokens != "required" {
		return slipway.Errorf(slipway.InvalidParameterCombination,
			"The account requires instance metadata tokens: HttpTokens must be 'required'.")
	}
	return nil
}

// metadata settles the options: request, then the account's default, then what the image says, then the built-in default.
func (l *launch) metadata() slipway.MetadataOptions {
	m := slipway.MetadataOptions{
		HTTPTokens: "optional", HopLimit: 1, HTTPEndpoint: "enabled", HTTPIPv6: "disabled", Tags: "disabled",
	}
	if l.image.IMDSSupport == "v2.0" {
		m.HTTPTokens, m.HopLimit = "required", 2
	}
	return m.With(l.region.Settings.Metadata).With(l.spec.Metadata)
}

// subscribed is rule R9.
func (l *launch) subscribed() error {
	for _, code := range l.image.ProductCodes {
		if !slices.Contains(l.account.Subscriptions, code) {
			return slipway.Errorf(slipway.OptInRequired,
				"In order to use this AWS Marketplace product you need to accept terms and subscribe. To do so "+
					"please visit https://aws.amazon.com/marketplace/pp?sku=%s",
				code)
		}
	}
	return nil
}
