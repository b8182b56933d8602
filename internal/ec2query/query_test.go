package ec2query_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"slipway"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
)

func decode(t testing.TB, query string) (*ec2wire.RunInstancesRequest, error) {
	t.Helper()
	form, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ec2query.NewReader(form)
	if err != nil {
		return nil, err
	}
	in := new(ec2wire.RunInstancesRequest)
	in.DecodeQuery(r)
	return in, r.Err()
}

func TestDecodeFollowsTheProtocol(t *testing.T) {
	in, err := decode(t,
		"Action=RunInstances&Version=2016-11-15&ImageId=ami-1&MinCount=1&MaxCount=2&SecurityGroupId.7=sg-b&SecurityGroupId.2=sg-a"+
			"&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fsdb&BlockDeviceMapping.1.NoDevice=&Ipv6Address.1.Ipv6Address=fd00%3A%3A1"+
			"&NetworkInterface.1.Ipv6Addresses.1.Ipv6Address=fd00%3A%3A2&NetworkInterface.1.SecurityGroupId.1=sg-c&NetworkInterface.1.Ipv4Prefix.1.Ipv4Prefix=10.0.0.0%2F28"+
			"&EbsOptimized=1&Monitoring.Enabled=True&SubnetId=&InstanceMarketOptions.SpotOptions.ValidUntil=2026-08-01T12%3A00%3A00Z"+
			"&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=")
	if err != nil {
		t.Fatal(err)
	}
	for name, ok := range map[string]bool{
		"a list is ordered by number, with gaps": len(in.SecurityGroupIds) == 2 && in.SecurityGroupIds[0] == "sg-a",
		"NoDevice counts by presence": in.BlockDeviceMappings[0].NoDevice != nil &&
			in.BlockDeviceMappings[0].Ebs == nil,
		"Ipv6Address at top level":                  *in.Ipv6Addresses[0].Ipv6Address == "fd00::1",
		"Ipv6Addresses inside an interface":         *in.NetworkInterfaces[0].Ipv6Addresses[0].Ipv6Address == "fd00::2",
		"an interface's groups are SecurityGroupId": in.NetworkInterfaces[0].Groups[0] == "sg-c",
		"prefixes inside an interface lose the s":   *in.NetworkInterfaces[0].Ipv4Prefixes[0].Ipv4Prefix == "10.0.0.0/28",
		"1 is true":                         *in.EbsOptimized,
		"True is true":                      *in.Monitoring.Enabled,
		"an empty text is there, and empty": in.SubnetId != nil && *in.SubnetId == "",
		"a time is read": in.InstanceMarketOptions.SpotOptions.ValidUntil.Equal(time.Date(2026,
			8, 1, 12, 0, 0, 0, time.UTC)),
		"a tag's empty value is there": in.TagSpecifications[0].Tags[0].Value != nil,
		"what was not sent is absent, not its zero": in.DryRun == nil && in.KeyName == nil &&
			in.NetworkInterfaces[0].DeviceIndex == nil,
	} {
		if !ok {
			t.Errorf("%s: not so", name)
		}
	}
}

func TestDecodeNamesTheFirstFault(t *testing.T) {
	for query, want := range map[string]string{
		"MinCount=1&Zzz=1&Aaa=2":  "UnknownParameter: The parameter Aaa is not recognized",
		"SecurityGroupId=sg-1":    "UnknownParameter: The parameter SecurityGroupId is not recognized",
		"SecurityGroupId.01=sg-1": "UnknownParameter: The parameter SecurityGroupId.01 is not recognized",
		"NetworkInterface.1.Groups.1=sg-1": "UnknownParameter: The parameter NetworkInterface.1.Groups.1 " +
			"is not recognized",
		"MinCount=2147483648": "InvalidParameterValue: Value (2147483648) for parameter " +
			"minCount is invalid. It must be a whole number.",
		"a" + strings.Repeat(".a", 20) + "=1": "UnknownParameter: The parameter a" + strings.Repeat(".a", 20) +
			" is not recognized",
		"NetworkInterface.1.DeviceIndex=x&MaxCount=y": "InvalidParameterValue: Value (y) for parameter maxCount is " +
			"invalid. It must be a whole number.",
	} {
		if _, err := decode(t, query); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", query, err, want)
		}
	}
}

func TestAnswersAreEC2sXML(t *testing.T) {
	yes, n, text, at := true, int32(7), "a<b&\"c\"\x00\r", time.Date(2026, 8, 1, 12, 34, 56, 0, time.UTC)
	got := written(ec2query.Answer("DescribeThings", "2016-11-15", "id", writes(func(w *ec2query.Writer) {
		w.String("absent", nil)
		w.String("text", &text)
		w.Bool("yes", &yes)
		w.Int32("n", &n)
		w.Time("at", &at)
		w.Blob("blob", []byte("hi"))
	})))
	want := `<?xml version="1.0" encoding="UTF-8"?>
<DescribeThingsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>id</requestId><text>a&lt;b&amp;&#34;c&#34;&#xD;</text><yes>true</yes><n>7</n><at>2026-08-01T12:34:56.000Z</at><blob>aGk=</blob></DescribeThingsResponse>`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got = written(ec2query.Answer("DeleteThing", "2016-11-15", "id", nil))
	if !strings.Contains(got, "<return>true</return>") {
		t.Errorf("an action that only succeeds answers %s", got)
	}
	got = written(ec2query.Refusal(slipway.Errorf(slipway.InvalidVpcIDNotFound, "The vpc ID 'x' does not exist"), "id"))
	want = `<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code><Message>The vpc ID 'x' does not exist</Message></Error></Errors><RequestID>id</RequestID></Response>`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func written(w *ec2query.Writer) string { defer w.Free(); return string(w.Bytes()) }

type writes func(*ec2query.Writer)

func (f writes) EncodeXML(w *ec2query.Writer) { f(w) }

// FuzzForm: no form makes the decoder fall over, and what it accepts holds no name that it did not read.
func FuzzForm(f *testing.F) {
	f.Add("ImageId=ami-1&MinCount=1&MaxCount=1&SecurityGroupId.1=a")
	f.Add("BlockDeviceMapping.1.Ebs.VolumeSize=8&BlockDeviceMapping.2.NoDevice=")
	f.Add("NetworkInterface.1.PrivateIpAddresses.1.Primary=true&NetworkInterface.1.DeviceIndex=0&UserData=%ff")
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		r, err := ec2query.NewReader(form)
		if err != nil {
			return
		}
		new(ec2wire.RunInstancesRequest).DecodeQuery(r)
		if r.Err() == nil && form.Has("Nonsense") {
			t.Errorf("a form with an unknown name is accepted: %s", query)
		}
	})
}

const minimal = "ImageId=ami-0aaaaaaaaaaaaaaa1&MinCount=1&MaxCount=1&InstanceType=t3.micro"

func BenchmarkDecodeMinimal(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(b, minimal); err != nil {
			b.Fatal(err)
		}
	}
}
