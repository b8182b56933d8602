package launchspec

import (
	"fmt"
	"reflect"
	"time"

	"slipway"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
	"slipway/internal/launchtemplates"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Templated says whether a request names a launch template.
func Templated(in *ec2wire.RunInstancesRequest) bool {
	want := shape.Get(in.LaunchTemplate)
	return shape.Get(want.LaunchTemplateId)+shape.Get(want.LaunchTemplateName)+shape.Get(want.Version) != ""
}

// Complete lays a request over its launch template and says of each parameter where it came from. What excludes what
// is checked afterwards, on the whole. The template's version is the one that the launch keeps: a version never
// changes, the default does.
func Complete(
	r store.Reader, scope state.Scope, in *ec2wire.RunInstancesRequest,
) (slipway.TemplateRef, map[string]string, error) {
	var ref slipway.TemplateRef
	if !Templated(in) {
		return ref, nil, nil
	}
	want := in.LaunchTemplate
	t, err := launchtemplates.Find(r, scope, want.LaunchTemplateId, want.LaunchTemplateName)
	if err != nil {
		return ref, nil, err
	}
	v, err := launchtemplates.Pick(r, t, shape.Get(want.Version))
	if err != nil {
		return ref, nil, err
	}
	under, fleet, err := templateRequest(v.Data)
	if err != nil {
		return ref, nil, fmt.Errorf("version %d of %s: %w", v.Number, t.ID, err)
	}
	if fleet && shape.Get(in.InstanceType)+shape.Get(under.InstanceType) == "" {
		return ref, nil, slipway.Errorf(slipway.MissingParameter,
			"The request must contain the parameter InstanceType: the launch template's InstanceRequirements choose "+
				"types for fleets, not for RunInstances")
	}
	origin := merge(in, under)
	origin["LaunchTemplate"] = fmt.Sprintf("%s (%s), version %d", t.ID, t.Name, v.Number)
	return slipway.TemplateRef{ID: t.ID, Version: v.Number}, origin, nil
}

// templateRequest is a template's parameters as a request would give them. Two names differ: RamDiskId, and
// InstanceRequirements, which is of fleets alone.
func templateRequest(p slipway.Parameters) (in *ec2wire.RunInstancesRequest, fleet bool, err error) {
	r, err := ec2query.Resend(p)
	if err != nil {
		return nil, false, err
	}
	in = new(ec2wire.RunInstancesRequest)
	in.DecodeQuery(r)
	in.RamdiskId = r.String("RamDiskId")
	return in, r.Struct("InstanceRequirements") != nil, nil
}

// Check says what would refuse a launch from the parameters alone, as far as that can be known without looking
// anything up. What a request may still add is not missed.
func Check(p slipway.Parameters) error {
	in, _, err := templateRequest(p)
	if err != nil {
		return err
	}
	in.MinCount, in.MaxCount = shape.Of[int32](1), shape.Of[int32](1)
	if shape.Get(in.ImageId) == "" {
		in.ImageId = shape.Of("ami-00000000")
	}
	_, err = Read(in)
	return err
}

// FixesZone says whether the members of the request themselves fix the zone.
func FixesZone(in *ec2wire.RunInstancesRequest) bool {
	p := shape.Get(in.Placement)
	fixed := shape.Get(in.SubnetId)+shape.Get(p.AvailabilityZone)+shape.Get(p.AvailabilityZoneId) != ""
	for _, n := range in.NetworkInterfaces {
		fixed = fixed || shape.Get(n.SubnetId)+shape.Get(n.NetworkInterfaceId) != ""
	}
	return fixed
}

// merge lays the request over the template's parameters (rule template-merge) and says where each came from. It uses
// under up. Members that only RunInstances has are never set in under.
func merge(in, under *ec2wire.RunInstancesRequest) map[string]string {
	m := merger{}
	lists := struct {
		tags    []ec2wire.TagSpecification
		devices []ec2wire.BlockDeviceMapping
		ports   []ec2wire.InstanceNetworkInterfaceSpecification
	}{
		keyed(in.TagSpecifications, under.TagSpecifications,
			func(t *ec2wire.TagSpecification) string { return shape.Get(t.ResourceType) }, "TagSpecifications", m.tags),
		keyed(in.BlockDeviceMappings, under.BlockDeviceMappings,
			func(b *ec2wire.BlockDeviceMapping) string { return shape.Get(b.DeviceName) }, "BlockDeviceMappings", m.device),
		keyed(in.NetworkInterfaces, under.NetworkInterfaces, func(n *ec2wire.InstanceNetworkInterfaceSpecification) string {
			if n.DeviceIndex == nil {
				return ""
			}
			return fmt.Sprint(*n.DeviceIndex)
		}, "NetworkInterfaces", m.port),
	}
	in.TagSpecifications, in.BlockDeviceMappings, in.NetworkInterfaces = nil, nil, nil
	under.TagSpecifications, under.BlockDeviceMappings, under.NetworkInterfaces = nil, nil, nil
	m.value("", reflect.ValueOf(in).Elem(), reflect.ValueOf(under).Elem())
	in.TagSpecifications, in.BlockDeviceMappings, in.NetworkInterfaces = lists.tags, lists.devices, lists.ports
	return m
}

// keyed joins two lists by a key: what only the template has stays, what both have is joined by both. An entry without a key,
// or a key given twice, goes with nothing and is left for the checks to refuse.
func keyed[T any](in, under []T, key func(*T) string, name string, join func(path string, over, under *T)) []T {
	place, given := map[string]*T{}, map[string]bool{}
	for i := range in {
		given[key(&in[i])] = true
	}
	var out []T
	for i := range under {
		k := key(&under[i])
		if k != "" && given[k] {
			if place[k] == nil {
				place[k] = &under[i]
			}
			continue
		}
		var none T
		join(name+"["+k+"]", &none, &under[i])
		out = append(out, none)
	}
	for i := range in {
		k, nothing := key(&in[i]), new(T)
		below := place[k]
		if below == nil || k == "" {
			below = nothing
		}
		join(name+"["+k+"]", &in[i], below)
		delete(place, k)
		out = append(out, in[i])
	}
	return out
}

var timeType = reflect.TypeFor[*time.Time]()

// Given are the parameters of a request without a template, each with its origin. The request is written to.
func Given(in *ec2wire.RunInstancesRequest) map[string]string {
	return merge(in, &ec2wire.RunInstancesRequest{})
}

// merger notes for each parameter whether the request or the template gave it.
type merger map[string]string

const FromRequest, FromTemplate = "request", "template"

// value completes over by under, member by member. It goes by reflection, so that no member that EC2 adds is forgotten.
func (m merger) value(path string, over, under reflect.Value) {
	switch over.Kind() {
	case reflect.Struct:
		for i := range over.NumField() {
			name := over.Type().Field(i).Name
			if path != "" {
				name = path + "." + name
			}
			m.value(name, over.Field(i), under.Field(i))
		}
	case reflect.Pointer:
		if over.Type().Elem().Kind() != reflect.Struct || over.Type() == timeType {
			m.leaf(path, over, under, empty(over), under.IsNil())
			return
		}
		if under.IsNil() && over.IsNil() {
			return
		}
		if over.IsNil() {
			over.Set(reflect.New(over.Type().Elem()))
		}
		if under.IsNil() {
			under = reflect.New(over.Type().Elem())
		}
		m.value(path, over.Elem(), under.Elem())
	case reflect.Slice:
		m.leaf(path, over, under, over.Len() == 0, under.Len() == 0)
	}
}

// leaf takes what neither side has parts of.
func (m merger) leaf(path string, over, under reflect.Value, overEmpty, underEmpty bool) {
	switch {
	case !overEmpty:
		m[path] = FromRequest
	case !underEmpty:
		over.Set(under)
		m[path] = FromTemplate
	}
}

// empty says whether a scalar was not given; an empty text is not (rule empty-is-absent).
func empty(v reflect.Value) bool {
	return v.IsNil() || v.Elem().Kind() == reflect.String && v.Elem().Len() == 0
}

// tags joins the tags of one resource type by their keys.
func (m merger) tags(path string, over, under *ec2wire.TagSpecification) {
	if over.ResourceType == nil {
		over.ResourceType = under.ResourceType
	}
	given := map[string]bool{}
	for _, t := range over.Tags {
		given[shape.Get(t.Key)] = true
		m[path+"."+shape.Get(t.Key)] = FromRequest
	}
	for _, t := range under.Tags {
		if !given[shape.Get(t.Key)] {
			over.Tags = append(over.Tags, t)
			m[path+"."+shape.Get(t.Key)] = FromTemplate
		}
	}
}

// device joins two mappings of one device. Being a volume, an instance store or nothing exclude each other: if the request
// says which, the template's word on it does not count.
func (m merger) device(path string, over, under *ec2wire.BlockDeviceMapping) {
	if over.Ebs != nil || shape.Get(over.VirtualName) != "" || over.NoDevice != nil {
		below := *under
		if over.NoDevice == nil {
			below.NoDevice = nil
		}
		if over.Ebs == nil {
			below.Ebs = nil
		}
		if shape.Get(over.VirtualName) == "" {
			below.VirtualName = nil
		}
		under = &below
	}
	said := over.NoDevice
	m.value(path, reflect.ValueOf(over).Elem(), reflect.ValueOf(under).Elem())
	if said != nil {
		over.NoDevice = said // works by being there, though it may be empty
		m[path+".NoDevice"] = FromRequest
	}
}

// port joins two interfaces of one index. One that exists takes nothing of a new one.
func (m merger) port(path string, over, under *ec2wire.InstanceNetworkInterfaceSpecification) {
	if shape.Get(over.NetworkInterfaceId) != "" {
		under = new(ec2wire.InstanceNetworkInterfaceSpecification)
	}
	m.value(path, reflect.ValueOf(over).Elem(), reflect.ValueOf(under).Elem())
}
