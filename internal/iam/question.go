package iam

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/launchtemplates"
	"slipway/internal/securitygroups"
	"slipway/internal/state"
	"slipway/internal/store"
)

// completed is the form with all that will be launched in the words of RunInstances: a launch template's parameters stand under the request's,
// and a spot request's specification beside its own members. The template is nil where there is none, or it is not there.
func completed(r store.Reader, call slipway.Call, form url.Values) (url.Values, *slipway.LaunchTemplate) {
	switch call.Action {
	case "RequestSpotInstances":
		out := make(url.Values, len(form))
		for name, values := range form {
			out[strings.TrimPrefix(name, "LaunchSpecification.")] = values
		}
		return out, nil
	case "RunInstances":
	default:
		return form, nil
	}
	id, name := form.Get("LaunchTemplate.LaunchTemplateId"), form.Get("LaunchTemplate.LaunchTemplateName")
	if id == "" && name == "" {
		return form, nil
	}
	t, err := launchtemplates.Find(r, state.Scope{Account: call.Account, Region: call.Region}, &id, &name)
	if err != nil {
		return form, nil // the action will say what is wrong with it
	}
	v, err := launchtemplates.Pick(r, t, form.Get("LaunchTemplate.Version"))
	if err != nil {
		return form, nil
	}
	out := maps.Clone(form)
	for k, value := range v.Data {
		if tag, ok := strings.CutPrefix(k, "TagSpecification."); ok {
			k = "TagSpecification.template-" + tag // beside the request's own of that number
		}
		if out.Get(k) == "" {
			out.Set(k, value)
		}
	}
	return out, t
}

// resource is one thing that a call concerns.
type resource struct {
	arn, kind, id string
	under         string // the part of the form that describes it: one block device of several
	member        string // the member of the form that names it
}

// question is a call taken apart for judgement.
type question struct {
	reader   store.Reader
	call     slipway.Call
	given    url.Values // as it came
	form     url.Values // completed
	template *slipway.LaunchTemplate
	scope    state.Scope
}

func (q *question) arn(kind, id string) string {
	account := q.call.Account
	if kind == "image" || kind == "snapshot" {
		account = "" // EC2 names them without their owner
	}
	return "arn:" + slipway.Partition(q.call.Region) + ":ec2:" + q.call.Region + ":" + account + ":" + kind + "/" + id
}

// made are the resource types that an action makes.
var made = map[string][]string{
	"RunInstances": {"instance", "volume", "network-interface"}, "CreateVolume": {"volume"}, "CreateSnapshot": {"snapshot"}, "CreateImage": {"image"}, "RegisterImage": {"image"},
	"CopyImage": {"image"}, "CreateVpc": {"vpc"}, "CreateSubnet": {"subnet"}, "CreateSecurityGroup": {"security-group"}, "CreateKeyPair": {"key-pair"}, "ImportKeyPair": {"key-pair"},
	"CreateLaunchTemplate": {"launch-template"}, "CreatePlacementGroup": {"placement-group"}, "CreateNetworkInterface": {"network-interface"}, "AllocateAddress": {"elastic-ip"},
	"CreateInternetGateway": {"internet-gateway"}, "CreateRouteTable": {"route-table"}, "CreateNetworkAcl": {"network-acl"}, "CreateNatGateway": {"natgateway"},
	"CreateCapacityReservation": {"capacity-reservation"}, "AllocateHosts": {"dedicated-host"}, "RequestSpotInstances": {"spot-instances-request"}, "CreateFleet": {"fleet"},
	"ImportImage": {"import-image-task", "image", "snapshot"}, "ImportSnapshot": {"import-snapshot-task", "snapshot"},
	"CreateEgressOnlyInternetGateway": {"egress-only-internet-gateway"}, "CreateVpcPeeringConnection": {"vpc-peering-connection"}, "CreateDhcpOptions": {"dhcp-options"},
	"CreateManagedPrefixList": {"prefix-list"}, "CopySnapshot": {"snapshot"}, "CreateSnapshots": {"snapshot"}, "CreateDefaultVpc": {"vpc"}, "CreateDefaultSubnet": {"subnet"},
}

// launching are the actions whose forms say what an instance is to be.
var launching = map[string]bool{"RunInstances": true, "RequestSpotInstances": true}

// resources are what the call makes and what its form names; "*" when that is nothing, and for what only reads.
func (q *question) resources() []resource {
	if strings.HasPrefix(q.call.Action, "Describe") {
		return []resource{{arn: "*"}}
	}
	var out []resource
	put := func(r resource) {
		r.arn = q.arn(r.kind, r.id)
		same := func(o resource) bool { return o.arn == r.arn && o.under == r.under }
		if !slices.ContainsFunc(out, same) {
			out = append(out, r)
		}
	}
	add := func(kind, id, member string) { put(resource{kind: kind, id: id, member: member}) }
	for _, kind := range made[q.call.Action] {
		if devices := q.devices(); kind == "volume" && launching[q.call.Action] && len(devices) > 0 {
			for _, under := range devices {
				put(resource{kind: kind, id: "*", under: under})
			}
			continue
		}
		add(kind, "*", "")
	}
	if q.template != nil {
		add("launch-template", string(q.template.ID), "LaunchTemplate")
	}
	for name, values := range q.form {
		if strings.HasPrefix(name, "Filter.") || tagSpecification(name) || strings.HasPrefix(name, "Tag.") || strings.HasPrefix(name, "LaunchTemplateData.") {
			continue
		}
		for _, v := range values {
			if kind := slipway.ResourceTypes[slipway.Prefix(v)]; kind != "" && slipway.WellFormed(slipway.Prefix(v), v) {
				add(kind, v, name)
			}
		}
		if kind, id := q.byName(name, q.form.Get(name)); kind != "" {
			add(kind, id, name)
		}
	}
	if launching[q.call.Action] {
		q.networkOf(add)
	}
	if len(out) == 0 {
		out = []resource{{arn: "*"}}
	}
	slices.SortFunc(out, func(a, b resource) int { return strings.Compare(a.arn, b.arn) })
	return out
}

// byName is what a member of the form names by another word than its id; the id is "*" where there is no such thing.
func (q *question) byName(member, name string) (kind, id string) {
	if name == "" || slices.Contains(made[q.call.Action], naming[member]) {
		return "", "" // the name of what is made
	}
	switch {
	case member == "KeyName":
		return "key-pair", name
	case member == "Placement.GroupName", member == "GroupName" && q.call.Action == "DeletePlacementGroup":
		return "placement-group", name
	case member == "LaunchTemplateName":
		if t, err := launchtemplates.Find(q.reader, q.scope, nil, &name); err == nil {
			return "launch-template", string(t.ID)
		}
		return "launch-template", "*"
	case member == "GroupName" && strings.Contains(q.call.Action, "SecurityGroup"), launching[q.call.Action] && strings.HasPrefix(member, "SecurityGroup."):
		if g, err := securitygroups.Named(q.reader, q.scope, name); err == nil {
			return "security-group", string(g.ID)
		}
		return "security-group", "*"
	}
	return "", ""
}

// naming is the kind of what a member names when an action makes it.
var naming = map[string]string{"KeyName": "key-pair", "GroupName": "security-group", "LaunchTemplateName": "launch-template"}

// networkOf adds the subnet and group that a launch will have without naming them: any, since it is not chosen yet.
func (q *question) networkOf(add func(kind, id, member string)) {
	subnet, group := false, false
	for name := range q.form {
		subnet = subnet || name == "SubnetId" && q.form.Get(name) != "" || strings.HasSuffix(name, ".SubnetId") || strings.HasSuffix(name, ".NetworkInterfaceId")
		group = group || strings.Contains(name, "SecurityGroup")
	}
	if !subnet {
		add("subnet", "*", "")
	}
	if !group {
		add("security-group", "*", "")
	}
}

// devices are the parts of the form that each describe a volume of the launch.
func (q *question) devices() []string {
	var out []string
	for name := range q.form {
		if at := strings.Index(name, ".Ebs."); at > 0 && strings.HasPrefix(name, "BlockDeviceMapping.") && !slices.Contains(out, name[:at+5]) {
			out = append(out, name[:at+5])
		}
	}
	return out
}

// tagSpecification says whether a parameter is of tags for what is made; one action, CreateCapacityReservation, spells it with an s.
func tagSpecification(name string) bool {
	return strings.HasPrefix(name, "TagSpecification.") || strings.HasPrefix(name, "TagSpecifications.")
}

// fleetTags begin what a fleet's launches have of its tags: the right to those is judged once, with the fleet.
const fleetTags = "TagSpecification.fleet-"

// tagsAtCreation are what the call wants on what it makes, by resource type, but for what a prefix leaves out.
func (q *question) tagsAtCreation(without string) map[string]slipway.Tags {
	out := map[string]slipway.Tags{}
	for name := range q.form {
		prefix, ok := strings.CutSuffix(name, ".ResourceType")
		if !ok || !tagSpecification(name) || without != "" && strings.HasPrefix(name, without) {
			continue
		}
		kind := q.form.Get(name)
		if out[kind] == nil {
			out[kind] = slipway.Tags{}
		}
		for key := range q.form {
			if tag, ok := strings.CutSuffix(key, ".Key"); ok && strings.HasPrefix(key, prefix+".Tag.") {
				out[kind][q.form.Get(key)] = q.form.Get(tag + ".Value")
			}
		}
	}
	return out
}

// passedRole is the role that an instance profile hands to an instance.
func (q *question) passedRole() string {
	name := q.form.Get("IamInstanceProfile.Name")
	if arn := q.form.Get("IamInstanceProfile.Arn"); arn != "" {
		name = arn[strings.LastIndexByte(arn, '/')+1:]
	}
	if name == "" {
		return ""
	}
	if p := state.InstanceProfiles.See(q.reader, state.IAM(q.call.Account), name); p != nil {
		if role := state.Roles.See(q.reader, state.IAM(q.call.Account), p.Role); role != nil {
			return role.ARN()
		}
	}
	return slipway.IAMARN(q.call.Account, "role", "/", "*")
}
