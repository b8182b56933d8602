package controlplane_test

import (
	"testing"

	"slipway/internal/apitest"
)

// TestAKeyNeedsEncryption: every action that takes a key and Encrypted refuses the one without the other.
func TestAKeyNeedsEncryption(t *testing.T) {
	w := apitest.New(t)
	image := apitest.First(w.Call("DescribeImages").Body, "imageId")
	volume := w.Must("volumeId", "CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1")
	w.AwaitVolume(volume, "available")
	snapshot := w.Must("snapshotId", "CreateSnapshot", "VolumeId", volume)
	const key = "alias/mine"
	for action, send := range map[string][]string{
		"CreateVolume": {"AvailabilityZone", "us-east-1a", "Size", "1", "KmsKeyId", key},
		"CopySnapshot": {"SourceRegion", "us-east-1", "SourceSnapshotId", snapshot, "KmsKeyId", key},
		"CopyImage":    {"SourceRegion", "us-east-1", "SourceImageId", image, "Name", "copy", "KmsKeyId", key},
		"RunInstances": {
			"ImageId", image, "MinCount", "1", "MaxCount", "1", "BlockDeviceMapping.1.DeviceName", "/dev/sdf",
			"BlockDeviceMapping.1.Ebs.VolumeSize", "1", "BlockDeviceMapping.1.Ebs.KmsKeyId", key,
		},
		"RequestSpotInstances": {
			"LaunchSpecification.ImageId", image, "LaunchSpecification.InstanceType", "t3.micro",
			"LaunchSpecification.BlockDeviceMapping.1.DeviceName", "/dev/sdf",
			"LaunchSpecification.BlockDeviceMapping.1.Ebs.VolumeSize", "1",
			"LaunchSpecification.BlockDeviceMapping.1.Ebs.KmsKeyId", key,
		},
	} {
		for _, encrypted := range []string{"", "false"} {
			sent := send
			if encrypted != "" && action[0] == 'C' {
				sent = append(append([]string{}, send...), "Encrypted", encrypted)
			}
			w.Refuses(t, []apitest.Refusal{apitest.Case(action+" "+encrypted, "InvalidParameterDependency",
				"The parameter KmsKeyId requires the parameter Encrypted to be set.", action, sent)})
		}
	}
}

// TestOwnersAreAccounts: a typing error is no empty list.
func TestOwnersAreAccounts(t *testing.T) {
	w := apitest.New(t)
	for _, tt := range [][2]string{
		{"DescribeImages", "Owner.1"}, {"DescribeImages", "ExecutableBy.1"},
		{"DescribeSnapshots", "Owner.1"}, {"DescribeSnapshots", "RestorableBy.1"},
	} {
		for _, bad := range []string{"nobody", "12345678901", "1234567890123"} {
			w.Refuses(t, []apitest.Refusal{apitest.Case(tt[0]+" "+tt[1]+" "+bad, "InvalidUserID.Malformed", bad, tt[0],
				[]string{tt[1], bad})})
		}
		for _, good := range []string{"self", "123456789012"} {
			if a := w.Call(tt[0], tt[1], good); a.Status != 200 {
				t.Errorf("%s of %s %s: %s %s", tt[0], tt[1], good, a.Code, a.Message)
			}
		}
	}
}

// TestTagsOfNothing: who asks for tags on what the launch does not make has made an error.
func TestTagsOfNothing(t *testing.T) {
	w := apitest.New(t)
	image := apitest.First(w.Call("DescribeImages").Body, "imageId")
	subnet := apitest.First(w.Call("DescribeSubnets").Body, "subnetId")
	n := w.Must("networkInterfaceId", "CreateNetworkInterface", "SubnetId", subnet)
	run := func(kind string, more ...string) []string {
		return append([]string{
			"ImageId", image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1",
			"TagSpecification.1.ResourceType", kind, "TagSpecification.1.Tag.1.Key", "k",
			"TagSpecification.1.Tag.1.Value", "v",
		}, more...)
	}
	existing := []string{"NetworkInterface.1.DeviceIndex", "0", "NetworkInterface.1.NetworkInterfaceId", n}
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("a spot request", "InvalidParameterValue",
			"You cannot specify tags for Spot instances requests if there are no Spot instances requests being created",
			"RunInstances", run("spot-instances-request")),
		apitest.Case("an interface", "InvalidParameterValue",
			"You cannot specify tags for network interfaces if there are no network interfaces being created",
			"RunInstances", run("network-interface", existing...)),
	})
	w.Must("instanceId", "RunInstances", run("network-interface")...)
	w.Must("instanceId", "RunInstances", run("spot-instances-request", "InstanceMarketOptions.MarketType", "spot")...)
}

// TestASpotRequestsToken stands for one request.
func TestASpotRequestsToken(t *testing.T) {
	w := apitest.New(t)
	image := apitest.First(w.Call("DescribeImages").Body, "imageId")
	ask := func(kind string) []string {
		return []string{
			"LaunchSpecification.ImageId", image, "LaunchSpecification.InstanceType", kind, "ClientToken", "once",
		}
	}
	id := w.Must("spotInstanceRequestId", "RequestSpotInstances", ask("t3.micro")...)
	if again := w.Must("spotInstanceRequestId", "RequestSpotInstances", ask("t3.micro")...); again != id {
		t.Errorf("the retry made %s, want %s", again, id)
	}
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("another type", "IdempotentParameterMismatch", "", "RequestSpotInstances", ask("t3.small")),
		apitest.Case("another number", "IdempotentParameterMismatch", "", "RequestSpotInstances",
			append(ask("t3.micro"), "InstanceCount", "2")),
	})
}
