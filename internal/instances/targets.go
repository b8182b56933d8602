package instances

import (
	"slipway"
	"slipway/internal/action"
	"slipway/internal/admission"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
)

// exchanging is what giving an instance another profile concerns.
func exchanging(v action.View, id slipway.InstanceID, spec *ec2wire.IamInstanceProfileSpecification) []action.Resource {
	x := action.OrAny("instance", id)
	if spec == nil {
		return []action.Resource{x}
	}
	p, _ := admission.FindProfile(v, v.Call.Account, shape.Get(spec.Arn), shape.Get(spec.Name))
	if p != nil {
		x.Keys = map[string]string{"ec2:NewInstanceProfile": p.ARN()}
	}
	return []action.Resource{
		x, admission.Passing(v, v.Call.Account, p, slipway.EC2ARN(v.Call.Region, v.Call.Account, "instance", x.ID)),
	}
}

func associated(v action.View, in *ec2wire.AssociateIamInstanceProfileRequest) []action.Resource {
	return exchanging(v, slipway.InstanceID(shape.Get(in.InstanceId)), in.IamInstanceProfile)
}

// associationOf is the instance that has an association; "" for none.
func associationOf(v action.View, id *string) slipway.InstanceID {
	for i := range state.Instances.All(v, v.Scope()) {
		if i.ProfileAssociation != "" && i.ProfileAssociation == shape.Get(id) && i.Alive() {
			return i.ID
		}
	}
	return ""
}

func reassociated(v action.View, in *ec2wire.ReplaceIamInstanceProfileAssociationRequest) []action.Resource {
	return exchanging(v, associationOf(v, in.AssociationId), in.IamInstanceProfile)
}

func disassociated(v action.View, in *ec2wire.DisassociateIamInstanceProfileRequest) []action.Resource {
	return []action.Resource{action.OrAny("instance", associationOf(v, in.AssociationId))}
}

// modified is the instance with the attribute that it shall have, however that is said, and its new groups.
func modified(_ action.View, in *ec2wire.ModifyInstanceAttributeRequest) []action.Resource {
	said := *in
	_ = byName(&said) // the action says what is wrong
	x := action.OrAny("instance", shape.Get(in.InstanceId))
	if said.InstanceType != nil {
		x.Keys = map[string]string{"ec2:Attribute/InstanceType": shape.Get(said.InstanceType.Value)}
	}
	return append([]action.Resource{x}, action.Many("security-group", said.Groups)...)
}

func credited(_ action.View, in *ec2wire.ModifyInstanceCreditSpecificationRequest) []action.Resource {
	var out []action.Resource
	for _, c := range in.InstanceCreditSpecifications {
		out = append(out, action.Some("instance", c.InstanceId)...)
	}
	return out
}

func placed(v action.View, in *ec2wire.ModifyInstancePlacementRequest) []action.Resource {
	out := append(action.Some("instance", in.InstanceId), action.Some("dedicated-host", in.HostId)...)
	if shape.Get(in.GroupName)+shape.Get(in.GroupId) == "" {
		return out
	}
	name := ""
	if g, err := groupOf(v, v.Scope(), shape.Get(in.GroupName), shape.Get(in.GroupId)); err == nil && g != nil {
		name = g.Name
	}
	return append(out, action.OrAny("placement-group", name))
}

func reserving(_ action.View, in *ec2wire.ModifyInstanceCapacityReservationAttributesRequest) []action.Resource {
	out := action.Some("instance", in.InstanceId)
	if c := in.CapacityReservationSpecification; c != nil && c.CapacityReservationTarget != nil {
		out = append(out, action.Some("capacity-reservation", c.CapacityReservationTarget.CapacityReservationId)...)
	}
	return out
}
