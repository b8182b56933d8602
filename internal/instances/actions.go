package instances

import (
	"slipway/internal/action"
	"slipway/internal/admission"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"RunInstances": action.Do(s.Run).
			Also(func(in *ec2wire.RunInstancesRequest) (action.Bucket, int) {
				return action.Launched, admission.Count(in)
			}).
			Bucket(action.Launches).Repeats(action.ByToken).Within().On(s.admission.Launched),
		"DescribeInstances": action.Read(s.Describe).
			Also(func(in *ec2wire.DescribeInstancesRequest) (action.Bucket, int) {
				return action.Pages(len(in.Filters) > 0, in.MaxResults != nil)
			}).Filters(documentedFilters...).On(action.Nothing),
		"DescribeInstanceStatus": action.Read(s.Status).
			Also(func(in *ec2wire.DescribeInstanceStatusRequest) (action.Bucket, int) {
				return action.Pages(len(in.Filters) > 0, in.MaxResults != nil)
			}).Filters(statusFilters...).On(action.Nothing),
		"DescribeInstanceAttribute": action.Read(s.Attribute).On(
			action.One("instance", func(in *ec2wire.DescribeInstanceAttributeRequest) *string { return in.InstanceId })),
		"ModifyInstanceAttribute": action.Void(s.Modify).Bucket(action.Mutating).Repeats(action.NoToken).On(
			modified),
		"ModifyInstanceMetadataOptions": action.Do(s.ModifyMetadata).Bucket(action.Frequent).Repeats(action.NoToken).On(
			action.One("instance", func(in *ec2wire.ModifyInstanceMetadataOptionsRequest) *string { return in.InstanceId })),
		"DescribeInstanceCreditSpecifications": action.Read(s.Credits).Filters(creditsFilters...).On(action.Nothing),
		"ModifyInstanceCreditSpecification": action.Do(s.ModifyCredits).Bucket(action.Mutating).
			Repeats(action.TokenUnread).On(
			credited),
		"StartInstances": action.Do(s.Start).Also(func(in *ec2wire.StartInstancesRequest) (action.Bucket, int) {
			return action.Launched, len(in.InstanceIds)
		}).Bucket(action.Launches).Repeats(action.NoToken).On(
			action.Each("instance", func(in *ec2wire.StartInstancesRequest) []string { return in.InstanceIds })),
		"StopInstances": action.Do(s.Stop).
			Also(func(in *ec2wire.StopInstancesRequest) (action.Bucket, int) { return action.Ended, len(in.InstanceIds) }).
			Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Each("instance", func(in *ec2wire.StopInstancesRequest) []string { return in.InstanceIds })),
		"RebootInstances": action.Void(s.Reboot).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Each("instance", func(in *ec2wire.RebootInstancesRequest) []string { return in.InstanceIds })),
		"TerminateInstances": action.Do(s.Terminate).
			Also(func(in *ec2wire.TerminateInstancesRequest) (action.Bucket, int) {
				return action.Ended, len(in.InstanceIds)
			}).Bucket(action.Frequent).Repeats(action.NoToken).On(
			action.Each("instance", func(in *ec2wire.TerminateInstancesRequest) []string { return in.InstanceIds })),
		"MonitorInstances": action.Do(s.Monitor).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Each("instance", func(in *ec2wire.MonitorInstancesRequest) []string { return in.InstanceIds })),
		"UnmonitorInstances": action.Do(s.Unmonitor).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Each("instance", func(in *ec2wire.UnmonitorInstancesRequest) []string { return in.InstanceIds })),
		"GetConsoleOutput": action.Read(s.Console).On(
			action.One("instance", func(in *ec2wire.GetConsoleOutputRequest) *string { return in.InstanceId })),
		"GetConsoleScreenshot": action.Read(s.Screenshot).On(
			action.One("instance", func(in *ec2wire.GetConsoleScreenshotRequest) *string { return in.InstanceId })),
		"SendDiagnosticInterrupt": action.Void(s.Interrupt).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("instance", func(in *ec2wire.SendDiagnosticInterruptRequest) *string { return in.InstanceId })),
		"GetPasswordData": action.Read(s.Password).On(
			action.One("instance", func(in *ec2wire.GetPasswordDataRequest) *string { return in.InstanceId })),
		"ModifyInstancePlacement": action.Do(s.ModifyPlacement).Bucket(action.Mutating).Repeats(action.NoToken).On(
			placed),
		"ModifyInstanceCpuOptions": action.Do(s.ModifyCPU).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("instance", func(in *ec2wire.ModifyInstanceCpuOptionsRequest) *string { return in.InstanceId })),
		"ModifyInstanceMaintenanceOptions": action.Do(s.ModifyMaintenance).Bucket(action.Mutating).
			Repeats(action.NoToken).On(
			action.One("instance", func(in *ec2wire.ModifyInstanceMaintenanceOptionsRequest) *string { return in.InstanceId })),
		"ModifyPrivateDnsNameOptions": action.Do(s.ModifyDNS).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("instance", func(in *ec2wire.ModifyPrivateDnsNameOptionsRequest) *string { return in.InstanceId })),
		"ModifyInstanceCapacityReservationAttributes": action.Do(s.ModifyCapacity).Bucket(action.Mutating).
			Repeats(action.NoToken).On(
			reserving),
		"ModifyInstanceNetworkPerformanceOptions": action.Do(s.ModifyBandwidth).Bucket(action.Mutating).
			Repeats(action.NoToken).On(
			action.One("instance", func(in *ec2wire.ModifyInstanceNetworkPerformanceRequest) *string { return in.InstanceId })),
		"ResetInstanceAttribute": action.Void(s.Reset).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("instance", func(in *ec2wire.ResetInstanceAttributeRequest) *string { return in.InstanceId })),
		"ReportInstanceStatus": action.Void(s.ReportStatus).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Each("instance", func(in *ec2wire.ReportInstanceStatusRequest) []string { return in.Instances })),
		"AssociateIamInstanceProfile": action.Do(s.AssociateProfile).Bucket(action.Frequent).Repeats(action.NoToken).On(
			associated),
		"ReplaceIamInstanceProfileAssociation": action.Do(s.ReplaceProfile).Bucket(action.Mutating).
			Repeats(action.NoToken).On(
			reassociated),
		"DisassociateIamInstanceProfile": action.Do(s.DisassociateProfile).Bucket(action.Mutating).
			Repeats(action.NoToken).On(
			disassociated),
		"DescribeIamInstanceProfileAssociations": action.Read(s.Associations).Filters(associationsFilters...).On(action.Nothing),
		"GetInstanceUefiData": action.Read(s.UEFI).On(
			action.One("instance", func(in *ec2wire.GetInstanceUefiDataRequest) *string { return in.InstanceId })),
		"DescribeInstanceTopology":      action.Read(s.Topology).Filters(topologyFilters...).On(action.Nothing),
		"DescribeInstanceImageMetadata": action.Read(s.ImageMetadata).Filters(documentedFilters...).On(action.Nothing),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"affinity", "architecture", "availability-zone", "availability-zone-id", "block-device-mapping.attach-time",
	"block-device-mapping.delete-on-termination", "block-device-mapping.device-name", "block-device-mapping.status",
	"block-device-mapping.volume-id", "boot-mode", "capacity-reservation-id",
	"capacity-reservation-specification.capacity-reservation-preference",
	"capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id",
	"capacity-reservation-specification.capacity-reservation-target.capacity-reservation-resource-group-arn",
	"client-token", "current-instance-boot-mode", "dns-name", "ebs-optimized", "ena-support",
	"enclave-options.enabled", "group-id", "group-name", "hibernation-options.configured", "host-id", "hypervisor",
	"iam-instance-profile.arn", "iam-instance-profile.id", "iam-instance-profile.name", "image-id", "instance-id",
	"instance-lifecycle", "instance-state-code", "instance-state-name", "instance-type", "instance.group-id",
	"instance.group-name", "ip-address", "ipv6-address", "kernel-id", "key-name", "launch-index", "launch-time",
	"maintenance-options.auto-recovery", "metadata-options.http-endpoint", "metadata-options.http-protocol-ipv4",
	"metadata-options.http-protocol-ipv6", "metadata-options.http-put-response-hop-limit",
	"metadata-options.http-tokens", "metadata-options.instance-metadata-tags", "metadata-options.state",
	"monitoring-state", "network-interface.addresses.association.allocation-id",
	"network-interface.addresses.association.association-id", "network-interface.addresses.association.carrier-ip",
	"network-interface.addresses.association.customer-owned-ip",
	"network-interface.addresses.association.ip-owner-id", "network-interface.addresses.association.public-dns-name",
	"network-interface.addresses.association.public-ip", "network-interface.addresses.primary",
	"network-interface.addresses.private-dns-name", "network-interface.addresses.private-ip-address",
	"network-interface.association.allocation-id", "network-interface.association.association-id",
	"network-interface.association.carrier-ip", "network-interface.association.customer-owned-ip",
	"network-interface.association.ip-owner-id", "network-interface.association.public-dns-name",
	"network-interface.association.public-ip", "network-interface.attachment.attach-time",
	"network-interface.attachment.attachment-id", "network-interface.attachment.delete-on-termination",
	"network-interface.attachment.device-index", "network-interface.attachment.instance-id",
	"network-interface.attachment.instance-owner-id", "network-interface.attachment.network-card-index",
	"network-interface.attachment.status", "network-interface.availability-zone",
	"network-interface.deny-all-igw-traffic", "network-interface.description", "network-interface.group-id",
	"network-interface.group-name", "network-interface.ipv4-prefixes.ipv4-prefix", "network-interface.ipv6-address",
	"network-interface.ipv6-addresses.ipv6-address", "network-interface.ipv6-addresses.is-primary-ipv6",
	"network-interface.ipv6-native", "network-interface.ipv6-prefixes.ipv6-prefix", "network-interface.mac-address",
	"network-interface.network-interface-id", "network-interface.operator.managed",
	"network-interface.operator.principal", "network-interface.outpost-arn", "network-interface.owner-id",
	"network-interface.private-dns-name", "network-interface.private-ip-address",
	"network-interface.public-dns-name", "network-interface.requester-id", "network-interface.requester-managed",
	"network-interface.source-dest-check", "network-interface.status", "network-interface.subnet-id",
	"network-interface.tag-key", "network-interface.tag-value", "network-interface.vpc-id",
	"network-performance-options.bandwidth-weighting", "operator.managed", "operator.principal", "outpost-arn",
	"owner-id", "placement-group-name", "placement-partition-number", "platform", "platform-details",
	"private-dns-name", "private-dns-name-options.enable-resource-name-dns-a-record",
	"private-dns-name-options.enable-resource-name-dns-aaaa-record", "private-dns-name-options.hostname-type",
	"private-ip-address", "product-code", "product-code.type", "ramdisk-id", "reason", "requester-id",
	"reservation-id", "root-device-name", "root-device-type", "source-dest-check", "spot-instance-request-id",
	"state-reason-code", "state-reason-message", "subnet-id", "tag-key", "tag-value", "tag:<key>", "tenancy",
	"tpm-support", "usage-operation", "usage-operation-update-time", "virtualization-type", "vpc-id",
}

var statusFilters = []string{
	"application-status.status", "attached-ebs-status.status", "availability-zone", "availability-zone-id",
	"event.code", "event.description", "event.instance-event-id", "event.not-after", "event.not-before",
	"event.not-before-deadline", "instance-state-code", "instance-state-name", "instance-status.reachability",
	"instance-status.status", "operator.managed", "operator.principal", "system-status.reachability",
	"system-status.status",
}

var creditsFilters = []string{
	"instance-id",
}

var associationsFilters = []string{
	"instance-id", "state",
}

var topologyFilters = []string{
	"availability-zone", "instance-type", "zone-id",
}
