package iam

import (
	"strconv"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/tags"
)

// existing adds what is known of a resource that is there. A tag without value is a tag; other keys are there when
// they say something.
func existing(r store.Reader, scope state.Scope, x action.Resource, c keys) {
	if x.ID == action.New {
		return
	}
	has := tags.Of(r, scope, x.Kind, x.ID)
	c.tagged("aws:ResourceTag/", has)
	c.tagged("ec2:ResourceTag/", has)
	arn := func(kind, id string) string { return slipway.EC2ARN(scope.Region, scope.Account, kind, id) }
	switch x.Kind {
	case "instance":
		if in := state.Instances.See(r, scope, x.ID); in != nil {
			c.put("ec2:InstanceType", in.Type)
			c.put("ec2:AvailabilityZone", in.Zone)
			c.put("ec2:Tenancy", in.Placement.Tenancy)
			c.put("ec2:InstanceProfile", in.Profile)
			c.put("ec2:RootDeviceType", "ebs")
			c.put("ec2:EbsOptimized", strconv.FormatBool(in.EBSOptimized))
			if in.Placement.GroupName != "" {
				c.put("ec2:PlacementGroup", arn("placement-group", in.Placement.GroupName))
			}
		}
	case "image":
		if im := state.FindImage(r, scope.Region, x.ID); im != nil {
			owner := im.Owner
			if owner == slipway.SystemAccount {
				owner = "amazon"
			}
			c.put("ec2:Owner", owner)
			c.put("ec2:ImageType", "machine")
			c.put("ec2:RootDeviceType", "ebs")
			c.put("ec2:Public", strconv.FormatBool(im.Public))
		}
	case "volume":
		if v := state.Volumes.See(r, scope, x.ID); v != nil {
			c.put("ec2:VolumeType", v.Type)
			c.put("ec2:VolumeSize", strconv.Itoa(int(v.SizeGiB)))
			c.put("ec2:Encrypted", strconv.FormatBool(v.Encrypted))
			c.put("ec2:AvailabilityZone", v.Zone)
			if v.Snapshot != "" {
				c.put("ec2:ParentSnapshot", arn("snapshot", string(v.Snapshot)))
			}
		}
	case "subnet":
		if s := state.Subnets.See(r, scope, x.ID); s != nil {
			c.put("ec2:AvailabilityZone", s.Zone)
			c.put("ec2:Vpc", arn("vpc", string(s.VPC)))
		}
	case "security-group":
		if g := state.SecurityGroups.See(r, scope, x.ID); g != nil && g.VPC != "" {
			c.put("ec2:Vpc", arn("vpc", string(g.VPC)))
		}
	case "route-table":
		if t := state.RouteTables.See(r, scope, x.ID); t != nil {
			c.put("ec2:Vpc", arn("vpc", string(t.VPC)))
		}
	case "network-interface":
		if n := state.Interfaces.See(r, scope, x.ID); n != nil {
			c.put("ec2:Vpc", arn("vpc", string(n.VPC)))
			c.put("ec2:Subnet", arn("subnet", string(n.Subnet)))
			c.put("ec2:AvailabilityZone", n.Zone)
		}
	case "snapshot":
		if n := state.FindSnapshot(r, scope.Region, x.ID); n != nil {
			c.put("ec2:Owner", n.Account)
			c.put("ec2:VolumeSize", strconv.Itoa(int(n.SizeGiB)))
			c.put("ec2:Encrypted", strconv.FormatBool(n.Encrypted))
		}
	}
}
