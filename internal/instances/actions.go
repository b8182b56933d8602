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
			}).Filters("group-id", "group-name", "iam-instance-profile.name").On(action.Nothing),
		"DescribeInstanceStatus": action.Read(s.Status).
			Also(func(in *ec2wire.DescribeInstanceStatusRequest) (action.Bucket, int) {
				return action.Pages(len(in.Filters) > 0, in.MaxResults != nil)
			}).Filters().On(action.Nothing),
		"DescribeInstanceAttribute": action.Read(s.Attribute).On(
			action.One("instance", func(in *ec2wire.DescribeInstanceAttributeRequest) *string { return in.InstanceId })),
		"ModifyInstanceAttribute": action.Void(s.Modify).Bucket(action.Mutating).Repeats(action.NoToken).On(
			modified),
		"ModifyInstanceMetadataOptions": action.Do(s.ModifyMetadata).Bucket(action.Frequent).Repeats(action.NoToken).On(
			action.One("instance", func(in *ec2wire.ModifyInstanceMetadataOptionsRequest) *string { return in.InstanceId })),
		"DescribeInstanceCreditSpecifications": action.Read(s.Credits).Filters().On(action.Nothing),
		"ModifyInstanceCreditSpecification": action.Do(s.ModifyCredits).Bucket(action.Mutating).
			Repeats(action.ByToken).On(
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
		"DescribeIamInstanceProfileAssociations": action.Read(s.Associations).Filters().On(action.Nothing),
		"GetInstanceUefiData": action.Read(s.UEFI).On(
			action.One("instance", func(in *ec2wire.GetInstanceUefiDataRequest) *string { return in.InstanceId })),
		"DescribeInstanceTopology":      action.Read(s.Topology).Filters().On(action.Nothing),
		"DescribeInstanceImageMetadata": action.Read(s.ImageMetadata).Filters().On(action.Nothing),
	}
}
