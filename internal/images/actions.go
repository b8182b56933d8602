package images

import "slipway/internal/action"

// Actions are what the room serves.
func (s *Service) Actions() action.Table {
	return action.Table{
		"CreateImage":                          action.Do(s.Create).Bucket(action.Mutating).Repeats(action.NoToken),
		"RegisterImage":                        action.Do(s.Register).Bucket(action.Mutating).Repeats(action.NoToken),
		"CopyImage":                            action.Do(s.Copy).Bucket(action.Copies).Repeats(action.ByToken),
		"DeregisterImage":                      action.Do(s.Deregister).Bucket(action.Frequent).Repeats(action.NoToken),
		"DescribeImages":                       action.Read(s.Describe).Filters(documentedFilters...),
		"DescribeImageAttribute":               action.Read(s.Attribute),
		"ModifyImageAttribute":                 action.Void(s.Modify).Bucket(action.Mutating).Repeats(action.NoToken),
		"ResetImageAttribute":                  action.Void(s.Reset).Bucket(action.Mutating).Repeats(action.NoToken),
		"EnableImage":                          action.Do(s.Enable).Bucket(action.Mutating).Repeats(action.NoToken),
		"DisableImage":                         action.Do(s.Disable).Bucket(action.Mutating).Repeats(action.NoToken),
		"EnableImageDeprecation":               action.Do(s.Deprecate).Bucket(action.Mutating).Repeats(action.NoToken),
		"DisableImageDeprecation":              action.Do(s.Undeprecate).Bucket(action.Mutating).Repeats(action.NoToken),
		"EnableImageDeregistrationProtection":  action.Do(s.Protect).Bucket(action.Mutating).Repeats(action.NoToken),
		"DisableImageDeregistrationProtection": action.Do(s.Unprotect).Bucket(action.Mutating).Repeats(action.NoToken),
		"EnableImageBlockPublicAccess":         action.Do(s.BlockPublic).Bucket(action.Mutating).Repeats(action.NoToken),
		"DisableImageBlockPublicAccess":        action.Do(s.UnblockPublic).Bucket(action.Mutating).Repeats(action.NoToken),
		"GetImageBlockPublicAccessState":       action.Read(s.PublicBlock),
	}
}

// The filters that the descriptions document.
var documentedFilters = []string{
	"architecture", "block-device-mapping.delete-on-termination", "block-device-mapping.device-name",
	"block-device-mapping.encrypted", "block-device-mapping.snapshot-id", "block-device-mapping.volume-size",
	"block-device-mapping.volume-type", "boot-mode", "creation-date", "description", "ena-support",
	"free-tier-eligible", "hypervisor", "image-allowed", "image-id", "image-type", "imds-support", "is-public",
	"kernel-id", "manifest-location", "name", "owner-alias", "owner-id", "platform", "product-code",
	"product-code.type", "ramdisk-id", "root-device-name", "root-device-type", "source-image-id",
	"source-image-region", "source-instance-id", "sriov-net-support", "state", "state-reason-code",
	"state-reason-message", "tag-key", "tag-value", "tag:<key>", "virtualization-type",
}
