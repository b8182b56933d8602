package admission

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/ec2wire"
	"slipway/internal/launchspec"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// dryTx is a reader where a launch that is only tried wants a transaction: it keeps nothing.
type dryTx struct{ store.Reader }

func (dryTx) Put(string, []byte) {}

func (dryTx) Delete(string) {}

// Count is how many instances a request is for; a number that is none costs nothing, and is refused.
func Count(in *ec2wire.RunInstancesRequest) int {
	return int(min(max(shape.Get(in.MaxCount), 0), launchspec.MaxPerCall))
}

// Launched is what RunInstances concerns.
func (s *Service) Launched(v action.View, in *ec2wire.RunInstancesRequest) []action.Resource {
	return s.Targets(v, in, "ec2:RunInstances")
}

// Targets is what a launch concerns, under a right: as much of it as can be resolved, and any of the kind for the
// rest. A launch that cannot be is refused by the action, but not to who may not launch.
func (s *Service) Targets(v action.View, in *ec2wire.RunInstancesRequest, right string) []action.Resource {
	in = copied(in)
	ref, origin, err := launchspec.Complete(v, v.Scope(), in)
	if err != nil {
		ref, origin = slipway.TemplateRef{}, nil
	}
	spec, _ := launchspec.Read(in)
	spec.Template, spec.Origin = ref, origin
	return s.TargetsOf(v, spec, right)
}

// SpotTargets is what a spot request concerns: the request itself, with what is known of its instance, and the launch.
func (s *Service) SpotTargets(v action.View, in *ec2wire.RunInstancesRequest) []action.Resource {
	spec, _ := launchspec.Read(in)
	return s.TargetsOf(v, spec, "")
}

// TargetsOf is Targets of a launch whose request has been read.
func (s *Service) TargetsOf(v action.View, spec slipway.LaunchSpec, right string) []action.Resource {
	l := s.launch(dryTx{v.Reader}, v.Scope(), v.Call, spec)
	_ = l.resolve() // the action says what is wrong
	return l.targets(right)
}

// copied is a request of its own: completing one uses it up.
func copied(in *ec2wire.RunInstancesRequest) *ec2wire.RunInstancesRequest {
	out := new(ec2wire.RunInstancesRequest)
	if b, err := json.Marshal(in); err != nil || json.Unmarshal(b, out) != nil {
		return in
	}
	return out
}

// judge asks about the launch as it has been resolved.
func (l *launch) judge(ctx context.Context, right string) error {
	return action.Judge(ctx, l.tx, l.targets(right))
}

// own says whether the request itself, and not its launch template, has the word on one of the parameters.
func (l *launch) own(parameters ...string) bool {
	for path, from := range l.spec.Origin {
		if from != launchspec.FromRequest {
			continue
		}
		for _, p := range parameters {
			if path == p || strings.HasPrefix(path, p+".") || strings.HasPrefix(path, p+"[") {
				return true
			}
		}
	}
	return false
}

// targets are the launch's resources.
func (l *launch) targets(right string) []action.Resource {
	var out []action.Resource
	put := func(kind, id string, keys map[string]string, parameters ...string) {
		switch asked := right == ""; { // a spot request, which stands for its instance; the rest of that is made later
		case asked && kind == "instance":
			kind = "spot-instances-request"
		case asked && id == "" && (kind == "volume" || kind == "network-interface"):
			return
		}
		x := action.Resource{Right: right, Kind: kind, ID: cmp.Or(id, action.New), Keys: keys}
		if x.ID == action.New {
			x.Given = l.given(kind)
		}
		if x.Keys == nil {
			x.Keys = map[string]string{}
		}
		if l.spec.Template.ID != "" {
			x.Keys["ec2:LaunchTemplate"] = slipway.EC2ARN(l.scope.Region, l.scope.Account, "launch-template",
				string(l.spec.Template.ID))
			x.Keys["ec2:IsLaunchTemplateResource"] = strconv.FormatBool(!l.own(parameters...))
		}
		out = append(out, x)
	}
	if image := cmp.Or(found(l.image), string(l.spec.Image)); slipway.WellFormed("ami", image) {
		put("image", image, nil, "ImageId")
	} else {
		put("image", "", nil, "ImageId")
	}
	if l.parameter != "" {
		out = append(out, action.Resource{
			Right: "ssm:GetParameters", ARN: slipway.ParameterARN(l.scope.Region, l.scope.Account, l.parameter),
		})
	}
	put("instance", "", l.instanceKeys(), "InstanceType")
	if l.spec.KeyName != "" {
		put("key-pair", l.spec.KeyName, nil, "KeyName")
	}
	if l.spec.Template.ID != "" {
		put("launch-template", string(l.spec.Template.ID), nil)
	}
	l.networkTargets(right == "" || l.spec.Spot != nil && l.spec.Spot.Persistent, put)
	l.volumeTargets(put)
	if p := l.spec.Placement; l.group != nil {
		put("placement-group", l.group.Name, nil, "Placement.GroupName", "Placement.GroupId")
	} else if p.GroupName+string(p.GroupID) != "" {
		put("placement-group", p.GroupName, nil, "Placement.GroupName", "Placement.GroupId")
	}
	if h := l.spec.Placement.DedicatedHost; h != "" {
		put("dedicated-host", string(h), nil, "Placement.HostId")
	}
	if c := l.spec.CapacityTarget; c != "" {
		put("capacity-reservation", string(c), nil, "CapacityReservationSpecification")
	}
	if spec := l.spec; l.profile != nil || spec.ProfileARN+spec.ProfileName != "" {
		out = append(out,
			Passing(l.tx, l.scope.Account, l.profile, slipway.EC2ARN(l.scope.Region, l.scope.Account, "instance", action.New)))
	}
	for kind := range l.spec.Tags {
		if tags := l.tagging(kind); len(tags) > 0 {
			out = append(out,
				action.Resource{
					Right: "ec2:CreateTags", Kind: kind, ID: action.New, Given: tags,
					Keys: map[string]string{"ec2:CreateAction": strings.TrimPrefix(cmp.Or(right, l.call.Action), "ec2:")},
				})
		}
	}
	return out
}

func found(im *slipway.Image) string {
	if im == nil {
		return ""
	}
	return string(im.ID)
}

// given are the tags that the caller gives what is made; nil for none.
func (l *launch) given(kind string) slipway.Tags {
	tags, ok := l.spec.Tags[kind]
	if !ok {
		return nil
	}
	out := slipway.Tags{}
	for k, v := range tags {
		if !strings.HasPrefix(k, "aws:") {
			out[k] = v
		}
	}
	return out
}

// tagging are those of them that there must be a right to give. A fleet's own are judged with the fleet, once.
func (l *launch) tagging(kind string) slipway.Tags {
	tags := l.given(kind)
	if l.call.Action != "CreateFleet" {
		return tags
	}
	for k := range tags {
		if l.spec.Origin["TagSpecifications["+kind+"]."+k] != launchspec.FromTemplate {
			delete(tags, k)
		}
	}
	return tags
}

func (l *launch) instanceKeys() map[string]string {
	market, m := "on-demand", l.spec.Metadata
	if l.spec.Spot != nil {
		market = "spot"
	}
	if l.options.HTTPTokens != "" { // settled
		m = l.options
	}
	keys := map[string]string{
		"ec2:InstanceType": cmp.Or(l.spec.Type, launchspec.DefaultType), "ec2:InstanceMarketType": market,
		"ec2:RootDeviceType": "ebs", "ec2:Tenancy": cmp.Or(l.spec.Placement.Tenancy, "default"),
		"ec2:AvailabilityZone": cmp.Or(l.zone.Name, l.spec.Zone), "ec2:MetadataHttpTokens": m.HTTPTokens,
		"ec2:MetadataHttpEndpoint": m.HTTPEndpoint, "ec2:InstanceMetadataTags": m.Tags,
		"ec2:EbsOptimized":         strconv.FormatBool(l.spec.EBSOptimized != nil && *l.spec.EBSOptimized),
		"ec2:InstanceAutoRecovery": l.spec.AutoRecovery,
		"ec2:InstanceProfile":      l.spec.ProfileARN,
	}
	if m.HopLimit > 0 {
		keys["ec2:MetadataHttpPutResponseHopLimit"] = strconv.Itoa(int(m.HopLimit))
	}
	if l.profile != nil {
		keys["ec2:InstanceProfile"] = l.profile.ARN()
	}
	if l.group != nil {
		keys["ec2:PlacementGroup"] = slipway.EC2ARN(l.scope.Region, l.scope.Account, "placement-group", l.group.Name)
	}
	return keys
}

// networkTargets are the subnets, groups and interfaces; later says that the subnet will be chosen again when the time
// has come.
func (l *launch) networkTargets(later bool, put func(kind, id string, keys map[string]string, parameters ...string)) {
	subnets, groups := map[slipway.SubnetID]bool{}, map[slipway.SecurityGroupID]bool{}
	arn := func(kind, id string) string { return slipway.EC2ARN(l.scope.Region, l.scope.Account, kind, id) }
	for _, p := range l.ports {
		if p.existing != nil {
			put("network-interface", string(p.existing.ID), nil, "NetworkInterfaces")
			continue
		}
		s := p.wanted.Subnet
		subnets[s.ID] = true
		for _, g := range p.wanted.Groups {
			groups[g] = true
		}
		put("network-interface", "",
			map[string]string{
				"ec2:Subnet": arn("subnet", string(s.ID)), "ec2:Vpc": arn("vpc", string(s.VPC)), "ec2:AvailabilityZone": s.Zone,
			}, "NetworkInterfaces")
	}
	n := &l.spec.Network
	if later && l.spec.Zone == "" && n.Subnet == "" && len(n.Interfaces) == 0 && l.region != nil { // it may come to lie in each
		for s := range state.Subnets.By(l.tx, l.scope, "vpc/"+string(l.region.DefaultVPC)) {
			subnets[s.ID] = subnets[s.ID] || s.DefaultForZone
		}
	}
	for _, g := range l.groups {
		groups[g] = groups[g] || len(l.ports) == 0 || l.ports[0].existing == nil
	}
	if len(l.ports) == 0 && (l.vpc != nil || len(l.groups) == 0) { // not resolved, or not as far
		put("network-interface", "", nil, "NetworkInterfaces")
		subnets[n.Subnet] = n.Subnet != "" || len(n.Interfaces) == 0
		for _, g := range n.GroupIDs {
			groups[g] = true
		}
		for _, i := range n.Interfaces {
			if i.Existing != "" {
				put("network-interface", string(i.Existing), nil, "NetworkInterfaces")
			} else {
				subnets[i.Subnet] = true
			}
			for _, g := range i.Groups {
				groups[g] = true
			}
		}
		groups[""] = len(groups) == 0
	}
	for id, is := range subnets {
		if is {
			put("subnet", string(id), nil, "SubnetId", "NetworkInterfaces")
		}
	}
	for id, is := range groups {
		if is {
			put("security-group", string(id), nil, "SecurityGroupIds", "SecurityGroups", "NetworkInterfaces")
		}
	}
}

// volumeTargets are the volumes, and the snapshots that the request or its template names for them.
func (l *launch) volumeTargets(put func(kind, id string, keys map[string]string, parameters ...string)) {
	for _, m := range l.spec.Devices {
		if m.Snapshot != "" {
			put("snapshot", string(m.Snapshot), nil, "BlockDeviceMappings["+m.Device+"]")
		}
	}
	if len(l.devices) == 0 {
		put("volume", "", nil, "BlockDeviceMappings")
	}
	for _, d := range l.devices {
		keys := map[string]string{
			"ec2:VolumeType": d.spec.Type, "ec2:VolumeSize": strconv.Itoa(int(d.spec.SizeGiB)),
			"ec2:Encrypted": strconv.FormatBool(d.encrypted), "ec2:AvailabilityZone": l.zone.Name,
			"ec2:KmsKeyId": d.key,
		}
		if d.spec.IOPS > 0 {
			keys["ec2:VolumeIops"] = strconv.Itoa(int(d.spec.IOPS))
		}
		if d.spec.Throughput > 0 {
			keys["ec2:VolumeThroughput"] = strconv.Itoa(int(d.spec.Throughput))
		}
		if d.snapshot != "" {
			keys["ec2:ParentSnapshot"] = slipway.EC2ARN(l.scope.Region, l.scope.Account, "snapshot", string(d.snapshot))
		}
		put("volume", "", keys, "BlockDeviceMappings["+d.name+"]")
	}
}

// Passing is the right to hand on the role of a profile to an instance; to any role, where there is no such profile.
func Passing(r store.Reader, account string, p *slipway.InstanceProfile, to string) action.Resource {
	arn := slipway.IAMARN(account, "role", "/", action.New)
	if p != nil {
		if role := state.Roles.See(r, state.IAM(account), p.Role); role != nil {
			arn = role.ARN()
		}
	}
	return action.Resource{
		Right: "iam:PassRole", ARN: arn,
		Keys: map[string]string{"iam:PassedToService": "ec2.amazonaws.com", "iam:AssociatedResourceArn": to},
	}
}
