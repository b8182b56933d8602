package controlplane_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"slipway"
	"slipway/internal/apitest"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
)

// everyMember sets every member of RunInstances that can stand beside the others.
const everyMember = "ImageId=$IMAGE&InstanceType=m5.xlarge&MinCount=1&MaxCount=1&KeyName=$KEY&ClientToken=bench&UserData=IyEvYmluL3NoCg==&EbsOptimized=true&Monitoring.Enabled=true" +
	"&DisableApiTermination=true&DisableApiStop=true&InstanceInitiatedShutdownBehavior=stop&Placement.AvailabilityZone=us-east-1a&Placement.Tenancy=default&Placement.GroupName=together" +
	"&CapacityReservationSpecification.CapacityReservationPreference=open&CpuOptions.CoreCount=1&CpuOptions.ThreadsPerCore=2&HibernationOptions.Configured=true&EnclaveOptions.Enabled=false" +
	"&LicenseSpecification.1.LicenseConfigurationArn=arn:aws:license-manager:us-east-1:1:license-configuration:lic-1&MaintenanceOptions.AutoRecovery=disabled" +
	"&NetworkPerformanceOptions.BandwidthWeighting=default&MetadataOptions.HttpTokens=required&MetadataOptions.HttpPutResponseHopLimit=2&MetadataOptions.HttpEndpoint=enabled" +
	"&MetadataOptions.HttpProtocolIpv6=disabled&MetadataOptions.InstanceMetadataTags=enabled&PrivateDnsNameOptions.HostnameType=ip-name&PrivateDnsNameOptions.EnableResourceNameDnsARecord=true" +
	"&NetworkInterface.1.DeviceIndex=0&NetworkInterface.1.SubnetId=$SUBNET&NetworkInterface.1.SecurityGroupId.1=$GROUP&NetworkInterface.1.Description=d&NetworkInterface.1.AssociatePublicIpAddress=true" +
	"&NetworkInterface.1.SecondaryPrivateIpAddressCount=2&NetworkInterface.1.Ipv6AddressCount=1&NetworkInterface.1.DeleteOnTermination=true&NetworkInterface.1.InterfaceType=interface" +
	"&BlockDeviceMapping.1.DeviceName=/dev/xvda&BlockDeviceMapping.1.Ebs.VolumeSize=20&BlockDeviceMapping.1.Ebs.Encrypted=true&BlockDeviceMapping.1.Ebs.VolumeType=gp3&BlockDeviceMapping.1.Ebs.Iops=4000" +
	"&BlockDeviceMapping.2.DeviceName=/dev/sdf&BlockDeviceMapping.2.Ebs.SnapshotId=$SNAP&BlockDeviceMapping.2.Ebs.DeleteOnTermination=false&BlockDeviceMapping.3.DeviceName=/dev/sdg&BlockDeviceMapping.3.NoDevice=" +
	"&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=web&TagSpecification.2.ResourceType=volume&TagSpecification.2.Tag.1.Key=Name&TagSpecification.2.Tag.1.Value=web"

// benchRun measures reading a request, resolving it up to the point of a dry run, and writing an answer.
func benchRun(b *testing.B, query string) {
	w := apitest.New(b)
	o := apitest.NewWorld(w)
	form, err := url.ParseQuery(w.Names(o).Replace(query))
	if err != nil {
		b.Fatal(err)
	}
	answer := sampleAnswer(w, form)
	run := w.Actions()["RunInstances"]
	call := slipway.Call{
		Caller: slipway.Caller{Account: w.Keys.Account}, Region: "us-east-1", RequestID: "bench",
		Action: "RunInstances", DryRun: true,
	}
	ctx := slipway.WithCall(context.Background(), call)
	b.ReportAllocs()
	for b.Loop() {
		r, err := ec2query.NewReader(form)
		if err != nil {
			b.Fatal(err)
		}
		asked, err := run.Read(r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := asked.Do(ctx); slipway.CodeOf(err) != slipway.DryRunOperation {
			b.Fatal(err)
		}
		ec2query.Answer("RunInstances", "2016-11-15", "bench", answer).Free()
	}
}

// sampleAnswer is what the launch would answer.
func sampleAnswer(w *apitest.Wire, form url.Values) ec2query.Encoder {
	r, err := ec2query.NewReader(form)
	if err != nil {
		w.T.Fatal(err)
	}
	in := new(ec2wire.RunInstancesRequest)
	in.DecodeQuery(r)
	call := slipway.Call{
		Caller: slipway.Caller{Account: w.Keys.Account}, Region: "us-east-1", RequestID: "sample", Action: "RunInstances",
	}
	out, err := w.API.Instances.Run(slipway.WithCall(context.Background(), call), in)
	if err != nil {
		w.T.Fatal(err)
	}
	return out
}

func BenchmarkRunInstancesMinimal(b *testing.B) {
	benchRun(b, "ImageId=$IMAGE&InstanceType=t3.micro&MinCount=1&MaxCount=1")
}

func BenchmarkRunInstancesEveryMember(b *testing.B) { benchRun(b, everyMember) }

// TestTheBenchmarkSetsEveryMember keeps the promise about "every member" honest.
func TestTheBenchmarkSetsEveryMember(t *testing.T) {
	top := map[string]bool{}
	for pair := range strings.SplitSeq(everyMember, "&") {
		name, _, _ := strings.Cut(pair, ".")
		name, _, _ = strings.Cut(name, "=")
		top[name] = true
	}
	if len(top) < 24 {
		t.Errorf("the benchmark sets %d of the top members", len(top))
	}
}
