package admission

import (
	"cmp"
	"fmt"
	"strings"

	"slipway"
	"slipway/internal/state"
)

// explain keeps the choices of a launch for the one who asks why: where it went, what came of its parameters and from
// where each came.
func (l *launch) explain(reservation slipway.ReservationID) error {
	l.notes["zone"] = l.zone.Name + ": " + l.notes["zone why"]
	delete(l.notes, "zone why")
	for i, in := range l.made {
		l.notes[string(in.ID)] = "host " + string(l.hosts[i])
		if i < len(l.reserved) {
			l.notes[string(in.ID)] += ", capacity reservation " + string(l.reserved[i])
		}
	}
	for p, from := range l.spec.Origin {
		l.notes["parameter "+p] = from
	}
	l.outcome()
	t := &state.Timeline{
		Scope: l.scope, ID: string(reservation), Notes: l.notes, Day: state.Day(l.now),
		Events: []state.Event{{Step: "admitted", At: l.now, Note: "request " + l.call.RequestID}},
	}
	if err := state.Timelines.Put(l.tx, t); err != nil {
		return err
	}
	return state.Timelines.Put(l.tx,
		&state.Timeline{
			Scope: l.scope, ID: l.call.RequestID, Day: state.Day(l.now),
			Notes: map[string]string{"reservation": string(reservation)},
		})
}

// outcome says what became of the parameters, the given and the others. User data, keys and tags' values are nobody
// else's matter.
func (l *launch) outcome() {
	set := func(name, value, from string) { l.notes["result "+name] = value + " (" + from + ")" }
	given := func(name string) string { // which of request and template gave a parameter
		for p, from := range l.spec.Origin {
			if p == name || strings.HasPrefix(p, name+".") || strings.HasPrefix(p, name+"[") {
				return from
			}
		}
		return ""
	}
	set("image", string(l.image.ID), cmp.Or(given("ImageId"), "request"))
	set("type", l.kind.Name, cmp.Or(given("InstanceType"), "default"))
	set("shutdown behavior", cmp.Or(l.spec.ShutdownBehavior, "stop"),
		cmp.Or(given("InstanceInitiatedShutdownBehavior"), "default"))
	set("cores and threads",
		fmt.Sprintf("%d and %d", cmp.Or(l.spec.Cores, l.kind.Cores), cmp.Or(l.spec.Threads, l.kind.ThreadsPerCore)),
		cmp.Or(given("CpuOptions"), "the type's"))
	groups := make([]string, len(l.groups))
	for i, g := range l.groups {
		groups[i] = string(g)
	}
	set("security groups", strings.Join(groups, " "),
		cmp.Or(given("SecurityGroupIds"), given("SecurityGroups"), given("NetworkInterfaces"), "the network's default group"))
	for _, d := range l.devices {
		from := ""
		for _, m := range l.image.Devices {
			if m.Device == d.name {
				from = "image"
			}
		}
		for _, m := range l.spec.Devices {
			if m.Device == d.name {
				from = strings.TrimPrefix(cmp.Or(given("BlockDeviceMappings"), "request")+" over "+from, " over ")
			}
		}
		set("device "+d.name,
			fmt.Sprintf("%d GiB %s, %d IOPS, encrypted %v, deleted with the instance %v", d.spec.SizeGiB, d.spec.Type,
				d.spec.IOPS, d.encrypted, d.deleteWith), strings.TrimSuffix(from, " over "))
	}
	m, account := l.options, l.region.Settings.Metadata
	for _, f := range []struct{ name, value, asked, account string }{
		{"HttpTokens", m.HTTPTokens, l.spec.Metadata.HTTPTokens, account.HTTPTokens},
		{"HttpEndpoint", m.HTTPEndpoint, l.spec.Metadata.HTTPEndpoint, account.HTTPEndpoint},
		{"InstanceMetadataTags", m.Tags, l.spec.Metadata.Tags, account.Tags},
	} {
		from := "default"
		switch {
		case f.asked != "":
			from = cmp.Or(given("MetadataOptions."+f.name), "request")
		case f.account != "":
			from = "the account's default"
		case f.name == "HttpTokens" && l.image.IMDSSupport == "v2.0":
			from = "image"
		}
		set("metadata "+f.name, f.value, from)
	}
}
