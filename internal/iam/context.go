package iam

import (
	"cmp"
	"strconv"
	"strings"

	"slipway"
	"slipway/internal/instances"
	"slipway/internal/state"
	"slipway/internal/tags"
)

// context are the condition keys of one resource of the call.
func (q *question) context(r resource) keys {
	c := keys{"ec2:region": {q.call.Region}}
	put := c.put
	if tags := q.tagsAtCreation("")[r.kind]; tags != nil {
		c.tagged("aws:RequestTag/", tags)
		c["aws:tagkeys"] = tags.Keys()
	}
	if q.call.Action == "CreateTags" || q.call.Action == "DeleteTags" {
		tags := slipway.Tags{}
		for name := range q.form {
			if tag, ok := strings.CutSuffix(name, ".Key"); ok && strings.HasPrefix(name, "Tag.") {
				tags[q.form.Get(name)] = q.form.Get(tag + ".Value")
			}
		}
		c.tagged("aws:RequestTag/", tags)
		c["aws:tagkeys"] = tags.Keys()
	}
	if launching[q.call.Action] && (r.kind == "instance" || r.kind == "spot-instances-request" || r.kind == "") {
		put("ec2:InstanceType", cmp.Or(q.form.Get("InstanceType"), instances.DefaultType))
		put("ec2:InstanceMarketType", q.market())
		put("ec2:RootDeviceType", "ebs")
		put("ec2:Tenancy", cmp.Or(q.form.Get("Placement.Tenancy"), "default"))
		put("ec2:AvailabilityZone", q.form.Get("Placement.AvailabilityZone"))
		put("ec2:MetadataHttpTokens", q.form.Get("MetadataOptions.HttpTokens"))
		put("ec2:MetadataHttpEndpoint", q.form.Get("MetadataOptions.HttpEndpoint"))
		put("ec2:MetadataHttpPutResponseHopLimit", q.form.Get("MetadataOptions.HttpPutResponseHopLimit"))
		put("ec2:InstanceProfile", q.form.Get("IamInstanceProfile.Arn"))
		put("ec2:EbsOptimized", cmp.Or(q.form.Get("EbsOptimized"), "false"))
	}
	if q.template != nil {
		put("ec2:LaunchTemplate", q.arn("launch-template", string(q.template.ID)))
		put("ec2:IsLaunchTemplateResource", strconv.FormatBool(!q.overridden(r)))
	}
	if q.call.Action == "ModifyInstanceAttribute" {
		put("ec2:Attribute/InstanceType", q.form.Get("InstanceType.Value"))
	}
	if r.kind == "volume" && r.id == "*" {
		of := func(member string) string { return q.form.Get(r.under + member) }
		put("ec2:VolumeType", of("VolumeType"))
		put("ec2:VolumeSize", cmp.Or(of("Size"), of("VolumeSize")))
		put("ec2:VolumeIops", of("Iops"))
		put("ec2:VolumeThroughput", of("Throughput"))
		put("ec2:Encrypted", of("Encrypted"))
		put("ec2:AvailabilityZone", cmp.Or(of("AvailabilityZone"), q.form.Get("Placement.AvailabilityZone")))
		if snap := of("SnapshotId"); snap != "" {
			put("ec2:ParentSnapshot", q.arn("snapshot", snap))
		}
	}
	q.existing(r, c)
	return c
}

// market is how the instance will be paid for, in the condition key's words.
func (q *question) market() string {
	if q.call.Action == "RequestSpotInstances" || q.form.Get("InstanceMarketOptions.MarketType") == "spot" {
		return "spot"
	}
	return "on-demand"
}

// overridden says that the request itself, and not its template, has the word on a resource.
func (q *question) overridden(r resource) bool {
	if r.member != "" && r.member != "LaunchTemplate" {
		return q.given.Get(r.member) != ""
	}
	if r.kind == "instance" {
		return q.given.Get("InstanceType") != ""
	}
	for name := range q.given {
		if r.under != "" && strings.HasPrefix(name, r.under) {
			return true
		}
	}
	return false
}

// existing adds what is known of a resource that is there. A tag without value is a tag; other keys are there when they say something.
func (q *question) existing(r resource, c keys) {
	put := c.put
	if r.id != "*" {
		has := tags.Of(q.reader, q.scope, r.kind, r.id)
		c.tagged("aws:ResourceTag/", has)
		c.tagged("ec2:ResourceTag/", has)
	}
	switch r.kind {
	case "instance":
		if in := state.Instances.See(q.reader, q.scope, r.id); in != nil {
			put("ec2:InstanceType", in.Type)
			put("ec2:AvailabilityZone", in.Zone)
			put("ec2:Tenancy", in.Placement.Tenancy)
			put("ec2:InstanceProfile", in.Profile)
		}
	case "image":
		if im := state.FindImage(q.reader, q.call.Region, r.id); im != nil {
			owner := im.Owner
			if owner == slipway.SystemAccount {
				owner = "amazon"
			}
			put("ec2:Owner", owner)
			put("ec2:ImageType", "machine")
			put("ec2:RootDeviceType", "ebs")
			put("ec2:Public", strconv.FormatBool(im.Public))
		}
	case "volume":
		if v := state.Volumes.See(q.reader, q.scope, r.id); v != nil {
			put("ec2:VolumeType", v.Type)
			put("ec2:VolumeSize", strconv.Itoa(int(v.SizeGiB)))
			put("ec2:Encrypted", strconv.FormatBool(v.Encrypted))
			put("ec2:AvailabilityZone", v.Zone)
		}
	case "subnet":
		if s := state.Subnets.See(q.reader, q.scope, r.id); s != nil {
			put("ec2:AvailabilityZone", s.Zone)
			put("ec2:Vpc", q.arn("vpc", string(s.VPC)))
		}
	case "security-group":
		if g := state.SecurityGroups.See(q.reader, q.scope, r.id); g != nil {
			put("ec2:Vpc", q.arn("vpc", string(g.VPC)))
		}
	case "network-interface":
		if n := state.Interfaces.See(q.reader, q.scope, r.id); n != nil {
			put("ec2:Vpc", q.arn("vpc", string(n.VPC)))
			put("ec2:Subnet", q.arn("subnet", string(n.Subnet)))
			put("ec2:AvailabilityZone", n.Zone)
		}
	case "snapshot":
		if n := state.FindSnapshot(q.reader, q.call.Region, r.id); n != nil {
			put("ec2:Owner", n.Account)
			put("ec2:VolumeSize", strconv.Itoa(int(n.SizeGiB)))
			put("ec2:Encrypted", strconv.FormatBool(n.Encrypted))
		}
	}
}
