package images

import (
	"slipway/internal/action"
	"slipway/internal/ec2wire"
)

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateImage": action.Do(s.Create).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Makes(func(in *ec2wire.CreateImageRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "image"),
			action.One("instance", func(in *ec2wire.CreateImageRequest) *string { return in.InstanceId }),
			snapshotsOf(func(in *ec2wire.CreateImageRequest) []ec2wire.BlockDeviceMapping { return in.BlockDeviceMappings }),
		),
		"RegisterImage": action.Do(s.Register).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.Makes(func(in *ec2wire.RegisterImageRequest) []ec2wire.TagSpecification {
				return in.TagSpecifications
			}, "image"),
			snapshotsOf(func(in *ec2wire.RegisterImageRequest) []ec2wire.BlockDeviceMapping { return in.BlockDeviceMappings }),
		),
		"CopyImage": action.Do(s.Copy).Bucket(action.Copies).Repeats(action.ByToken).On(
			action.Makes(func(in *ec2wire.CopyImageRequest) []ec2wire.TagSpecification { return in.TagSpecifications },
				"image"),
			source,
		),
		"DeregisterImage": action.Do(s.Deregister).Bucket(action.Frequent).Repeats(action.NoToken).On(
			action.One("image", func(in *ec2wire.DeregisterImageRequest) *string { return in.ImageId }),
			withSnapshots,
		),
		"DescribeImages": action.Read(s.Describe).Filters("imds-support").On(action.Nothing),
		"DescribeImageAttribute": action.Read(s.Attribute).On(
			action.One("image", func(in *ec2wire.DescribeImageAttributeRequest) *string { return in.ImageId })),
		"ModifyImageAttribute": action.Void(s.Modify).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("image", func(in *ec2wire.ModifyImageAttributeRequest) *string { return in.ImageId })),
		"ResetImageAttribute": action.Void(s.Reset).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("image", func(in *ec2wire.ResetImageAttributeRequest) *string { return in.ImageId })),
		"EnableImage": action.Do(s.Enable).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("image", func(in *ec2wire.EnableImageRequest) *string { return in.ImageId })),
		"DisableImage": action.Do(s.Disable).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("image", func(in *ec2wire.DisableImageRequest) *string { return in.ImageId })),
		"EnableImageDeprecation": action.Do(s.Deprecate).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("image", func(in *ec2wire.EnableImageDeprecationRequest) *string { return in.ImageId })),
		"DisableImageDeprecation": action.Do(s.Undeprecate).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("image", func(in *ec2wire.DisableImageDeprecationRequest) *string { return in.ImageId })),
		"EnableImageDeregistrationProtection": action.Do(s.Protect).Bucket(action.Mutating).Repeats(action.NoToken).On(
			action.One("image", func(in *ec2wire.EnableImageDeregistrationProtectionRequest) *string { return in.ImageId })),
		"DisableImageDeregistrationProtection": action.Do(s.Unprotect).Bucket(action.Mutating).
			Repeats(action.NoToken).On(
			action.One("image", func(in *ec2wire.DisableImageDeregistrationProtectionRequest) *string { return in.ImageId })),
		"EnableImageBlockPublicAccess":   action.Do(s.BlockPublic).Bucket(action.Mutating).Repeats(action.NoToken).On(action.Nothing),
		"DisableImageBlockPublicAccess":  action.Do(s.UnblockPublic).Bucket(action.Mutating).Repeats(action.NoToken).On(action.Nothing),
		"GetImageBlockPublicAccessState": action.Read(s.PublicBlock).On(action.Nothing),
	}
}
