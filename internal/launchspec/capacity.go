package launchspec

import (
	"strconv"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
)

// readCapacity reads which capacity reservation the launch wants: any that fits, none, only one, or a named one.
func readCapacity(s *slipway.LaunchSpec, in *ec2wire.RunInstancesRequest) error {
	if in.CapacityReservationSpecification == nil {
		return nil
	}
	var err error
	s.CapacityPreference, s.CapacityTarget, err = CapacityChoice(in.CapacityReservationSpecification)
	return err
}

// CapacityChoice is also what ModifyInstanceCapacityReservationAttributes takes.
func CapacityChoice(
	o *ec2wire.CapacityReservationSpecification,
) (preference string, target slipway.CapacityReservationID, err error) {
	if err := OneOf(o.CapacityReservationPreference, "capacityReservationPreference", "open", "none",
		"capacity-reservations-only"); err != nil {
		return "", "", err
	}
	preference = shape.Get(o.CapacityReservationPreference)
	t := o.CapacityReservationTarget
	if t == nil {
		return preference, "", nil
	}
	id := shape.Get(t.CapacityReservationId)
	switch {
	case shape.Get(t.CapacityReservationResourceGroupArn) != "":
		return "", "", slipway.Errorf(slipway.UnsupportedOperation,
			"The parameter CapacityReservationTarget.CapacityReservationResourceGroupArn is not supported: there "+
				"are no resource groups here.")
	case id == "":
		return preference, "", nil
	case preference != "" && preference != "capacity-reservations-only":
		return "", "",
			Combination("The parameter capacityReservationPreference cannot be used with the parameter capacityReservationTarget")
	}
	target, err = slipway.ParseCapacityReservationID(id)
	return preference, target, err
}

// leastSpotPrice is what every bid must exceed, in dollars an hour.
const leastSpotPrice = 0.001

// readMarket reads InstanceMarketOptions (rule market-options).
func readMarket(s *slipway.LaunchSpec, in *ec2wire.RunInstancesRequest) error {
	o := in.InstanceMarketOptions
	if o == nil || shape.Get(o.MarketType) == "" && o.SpotOptions == nil {
		return nil
	}
	switch kind := shape.Get(o.MarketType); kind {
	case "spot":
	case "capacity-block", "interruptible-capacity-reservation":
		return slipway.Errorf(slipway.UnsupportedOperation,
			"The market type %s (InstanceMarketOptions.MarketType) is not supported: there are no such reservations here.",
			kind)
	case "":
		return slipway.Missing("InstanceMarketOptions.MarketType")
	default:
		return slipway.Invalid(kind, "marketType", "It must be spot.")
	}
	spot := &slipway.SpotOptions{Interruption: "terminate"}
	if w := o.SpotOptions; w != nil {
		if w.BlockDurationMinutes != nil {
			return slipway.Errorf(slipway.Unsupported,
				"The parameter SpotOptions.BlockDurationMinutes is not supported: EC2 has ended spot blocks.")
		}
		if err := OneOf(w.SpotInstanceType, "spotInstanceType", "one-time", "persistent"); err != nil {
			return err
		}
		if err := OneOf(w.InstanceInterruptionBehavior, "instanceInterruptionBehavior", "hibernate", "stop",
			"terminate"); err != nil {
			return err
		}
		spot.Persistent = shape.Get(w.SpotInstanceType) == "persistent"
		if b := shape.Get(w.InstanceInterruptionBehavior); b != "" {
			spot.Interruption = b
		}
		var err error
		if spot.MaxPrice, err = bid(shape.Get(w.MaxPrice)); err != nil {
			return err
		}
		switch {
		case spot.Interruption != "terminate" && !spot.Persistent:
			return Combination("The interruption behavior '%s' requires a persistent spot request.", spot.Interruption)
		case w.ValidUntil != nil && !spot.Persistent:
			return Combination("The parameter validUntil requires a persistent spot request.")
		case w.ValidUntil != nil:
			spot.ValidUntil = *w.ValidUntil
		}
	}
	switch {
	case s.ProtectTerminate || s.ProtectStop:
		return Combination("Termination and stop protection are not supported for Spot Instances.")
	case spot.Interruption == "hibernate" && !s.Hibernation:
		return slipway.Errorf(slipway.UnsupportedHibernationConfiguration,
			"The interruption behavior 'hibernate' requires HibernationOptions.Configured.")
	case s.Placement.Tenancy == "host":
		return Combination("Spot Instances are not supported on Dedicated Hosts.")
	}
	s.Spot = spot
	return nil
}

// bid reads a price cap; none is no cap.
func bid(text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	price, err := strconv.ParseFloat(text, 64)
	if err != nil || price <= leastSpotPrice {
		return 0, slipway.Invalid(text, "price", "It must be a number above 0.001.")
	}
	return price, nil
}
