package launchspec

import (
	"compress/gzip"
	"encoding/json"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"

	"slipway"
	"slipway/internal/ec2query"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
)

// request reads a form as it might come over the wire.
func request(t testing.TB, form string) *ec2wire.RunInstancesRequest {
	t.Helper()
	values, err := url.ParseQuery(strings.ReplaceAll(form, " ", "&"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := ec2query.NewReader(values)
	if err != nil {
		t.Fatal(err)
	}
	in := new(ec2wire.RunInstancesRequest)
	in.DecodeQuery(r)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return in
}

func TestTheRequestGoesOverTheTemplate(t *testing.T) {
	for _, tt := range []struct{ name, template, request, want string }{
		{"a scalar of the request wins", "ImageId=a KeyName=k", "ImageId=b", "ImageId=b KeyName=k"},
		{"an empty text is not given", "ImageId=a", "ImageId=", "ImageId=a"},
		{"false is given", "EbsOptimized=true DisableApiStop=true", "EbsOptimized=false",
			"EbsOptimized=false DisableApiStop=true"},
		{"a structure is merged member by member",
			"MetadataOptions.HttpTokens=optional MetadataOptions.HttpEndpoint=disabled", "MetadataOptions.HttpTokens=required",
			"MetadataOptions.HttpTokens=required MetadataOptions.HttpEndpoint=disabled"},
		{"a zone sent empty leaves the template's", "Placement.AvailabilityZone=us-east-1b",
			"Placement.AvailabilityZone=", "Placement.AvailabilityZone=us-east-1b"},
		{"a list of groups is replaced whole", "SecurityGroupId.1=a SecurityGroupId.2=b", "SecurityGroupId.1=c",
			"SecurityGroupId.1=c"},
		{"ids of groups leave the template's names", "SecurityGroup.1=a", "SecurityGroupId.1=c",
			"SecurityGroup.1=a SecurityGroupId.1=c"},
		{"tags are merged by type and key",
			"TagSpecification.1.ResourceType=instance TagSpecification.1.Tag.1.Key=Name " +
				"TagSpecification.1.Tag.1.Value=old TagSpecification.1.Tag.2.Key=Env " +
				"TagSpecification.1.Tag.2.Value=dev TagSpecification.2.ResourceType=volume TagSpecification.2.Tag.1.Key=x",
			"TagSpecification.1.ResourceType=instance TagSpecification.1.Tag.1.Key=Name TagSpecification.1.Tag.1.Value=new",
			"TagSpecification.1.ResourceType=volume TagSpecification.1.Tag.1.Key=x " +
				"TagSpecification.2.ResourceType=instance TagSpecification.2.Tag.1.Key=Name " +
				"TagSpecification.2.Tag.1.Value=new TagSpecification.2.Tag.2.Key=Env TagSpecification.2.Tag.2.Value=dev"},
		{"devices are merged by name",
			"BlockDeviceMapping.1.DeviceName=/dev/sda1 BlockDeviceMapping.1.Ebs.VolumeSize=9 " +
				"BlockDeviceMapping.1.Ebs.VolumeType=gp3 BlockDeviceMapping.2.DeviceName=/dev/sdf " +
				"BlockDeviceMapping.2.Ebs.VolumeSize=1",
			"BlockDeviceMapping.1.DeviceName=/dev/sda1 BlockDeviceMapping.1.Ebs.VolumeSize=20",
			"BlockDeviceMapping.1.DeviceName=/dev/sdf BlockDeviceMapping.1.Ebs.VolumeSize=1 " +
				"BlockDeviceMapping.2.DeviceName=/dev/sda1 BlockDeviceMapping.2.Ebs.VolumeSize=20 " +
				"BlockDeviceMapping.2.Ebs.VolumeType=gp3"},
		{"a device may be left out", "BlockDeviceMapping.1.DeviceName=/dev/sdf BlockDeviceMapping.1.Ebs.VolumeSize=1",
			"BlockDeviceMapping.1.DeviceName=/dev/sdf BlockDeviceMapping.1.NoDevice=",
			"BlockDeviceMapping.1.DeviceName=/dev/sdf BlockDeviceMapping.1.NoDevice="},
		{"a device that was left out may be brought back",
			"BlockDeviceMapping.1.DeviceName=/dev/sdf BlockDeviceMapping.1.NoDevice=",
			"BlockDeviceMapping.1.DeviceName=/dev/sdf BlockDeviceMapping.1.Ebs.VolumeSize=1",
			"BlockDeviceMapping.1.DeviceName=/dev/sdf BlockDeviceMapping.1.Ebs.VolumeSize=1"},
		{"interfaces are merged by index",
			"NetworkInterface.1.DeviceIndex=0 NetworkInterface.1.SubnetId=s NetworkInterface.1.SecurityGroupId.1=g " +
				"NetworkInterface.2.DeviceIndex=1 NetworkInterface.2.SubnetId=s",
			"NetworkInterface.1.DeviceIndex=0 NetworkInterface.1.SubnetId=t",
			"NetworkInterface.1.DeviceIndex=1 NetworkInterface.1.SubnetId=s NetworkInterface.2.DeviceIndex=0 " +
				"NetworkInterface.2.SubnetId=t NetworkInterface.2.SecurityGroupId.1=g"},
		{"an interface that exists takes nothing of a new one",
			"NetworkInterface.1.DeviceIndex=0 NetworkInterface.1.SubnetId=s NetworkInterface.1.Description=d",
			"NetworkInterface.1.DeviceIndex=0 NetworkInterface.1.NetworkInterfaceId=eni-1",
			"NetworkInterface.1.DeviceIndex=0 NetworkInterface.1.NetworkInterfaceId=eni-1"},
		{"a device given twice is left for the checks to refuse", "BlockDeviceMapping.1.DeviceName=x",
			"BlockDeviceMapping.1.DeviceName=x BlockDeviceMapping.2.DeviceName=x",
			"BlockDeviceMapping.1.DeviceName=x BlockDeviceMapping.2.DeviceName=x"},
		{"interfaces without an index are left for the checks to refuse", "NetworkInterface.1.SubnetId=s",
			"NetworkInterface.1.SubnetId=t", "NetworkInterface.1.SubnetId=s NetworkInterface.2.SubnetId=t"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := request(t, tt.request)
			merge(got, request(t, tt.template))
			if want := request(t, tt.want); !reflect.DeepEqual(got, want) {
				t.Errorf("got %s\nwant %s", asJSON(got), asJSON(want))
			}
		})
	}
}

func asJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func TestEachParameterHasAnOrigin(t *testing.T) {
	got := merge(request(t,
		"ImageId=a MetadataOptions.HttpTokens=required BlockDeviceMapping.1.DeviceName=/dev/sdf "+
			"BlockDeviceMapping.1.Ebs.VolumeSize=9"),
		request(t,
			"ImageId=b KeyName=k MetadataOptions.HttpEndpoint=enabled BlockDeviceMapping.1.DeviceName=/dev/sdf "+
				"BlockDeviceMapping.1.Ebs.VolumeSize=8 BlockDeviceMapping.1.Ebs.VolumeType=gp3 "+
				"TagSpecification.1.ResourceType=instance TagSpecification.1.Tag.1.Key=Name"))
	for name, want := range map[string]string{
		"ImageId": FromRequest, "KeyName": FromTemplate, "MetadataOptions.HttpTokens": FromRequest,
		"MetadataOptions.HttpEndpoint":                 FromTemplate,
		"BlockDeviceMappings[/dev/sdf].Ebs.VolumeSize": FromRequest,
		"BlockDeviceMappings[/dev/sdf].Ebs.VolumeType": FromTemplate,
		"TagSpecifications[instance].Name":             FromTemplate, "UserData": "",
	} {
		if got[name] != want {
			t.Errorf("%s comes from %q, want %q", name, got[name], want)
		}
	}
}

// schemaMember is what of tools/wiregen's schema matters here.
type schemaMember struct {
	Name, XML, Query, Kind, Ref string
	Of                          *schemaMember
}

// TestEveryTemplateParameterReachesTheLaunch reads the schema: a name that a template knows and RunInstances does not would be
// accepted without effect.
func TestEveryTemplateParameterReachesTheLaunch(t *testing.T) {
	f, err := os.Open("../../tools/wiregen/schema.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var schema struct{ Structures map[string][]schemaMember }
	if err := json.NewDecoder(z).Decode(&schema); err != nil {
		t.Fatal(err)
	}
	p := slipway.Parameters{}
	var walk func(structure, path string)
	walk = func(structure, path string) {
		for _, m := range schema.Structures[structure] {
			name := m.Query
			if name == "" {
				name = m.Name
				if m.XML != "" {
					name = m.XML
				}
				name = strings.ToUpper(name[:1]) + name[1:]
			}
			name = path + name
			if m.Kind == "list" {
				name, m = name+".1", *m.Of
			}
			switch m.Kind {
			case "structure":
				walk(m.Ref, name+".")
			case "number":
				p[name] = "1"
			case "boolean":
				p[name] = "true"
			case "time":
				p[name] = "2026-01-01T00:00:00Z"
			default:
				p[name] = "x"
			}
		}
	}
	walk("RequestLaunchTemplateData", "")
	if len(p) < 100 {
		t.Fatalf("the schema names only %d parameters", len(p))
	}
	r, err := ec2query.Resend(p)
	if err != nil {
		t.Fatal(err)
	}
	new(ec2wire.RunInstancesRequest).DecodeQuery(r)
	r.String("RamDiskId") // as templateRequest reads it
	if s := r.Struct("InstanceRequirements"); s != nil {
		new(ec2wire.InstanceRequirementsRequest).DecodeQuery(s) // refused by name when it matters
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	in, fleet, err := templateRequest(p)
	if err != nil || !fleet || shape.Get(in.RamdiskId) != "x" || len(in.ElasticGpuSpecification) != 1 {
		t.Errorf("templateRequest: fleet %v, RAM disk %v, %d GPUs, %v", fleet, in.RamdiskId,
			len(in.ElasticGpuSpecification), err)
	}
}

func TestCheckTemplateSaysWhatNoRequestCouldMend(t *testing.T) {
	for _, tt := range []struct {
		name string
		p    slipway.Parameters
		want slipway.Code
	}{
		{"nothing", slipway.Parameters{}, ""},
		{"an image alone", slipway.Parameters{"ImageId": "ami-12345678"}, ""},
		{"a malformed image", slipway.Parameters{"ImageId": "x"}, slipway.InvalidAMIIDMalformed},
		{"an unknown credit", slipway.Parameters{"CreditSpecification.CpuCredits": "many"}, slipway.InvalidCpuCredits},
		{"an enclave", slipway.Parameters{"EnclaveOptions.Enabled": "true"}, slipway.UnsupportedOperation},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Check(tt.p)
			if (err == nil) != (tt.want == "") || err != nil && slipway.CodeOf(err) != tt.want {
				t.Errorf("CheckTemplate = %v, want %s", err, tt.want)
			}
		})
	}
}

// FuzzTemplateMerge: no two forms make merging panic, and what the request gave is what the launch gets.
func FuzzTemplateMerge(f *testing.F) {
	f.Add("ImageId=a&Placement.Tenancy=default", "ImageId=b&Placement.Tenancy=")
	f.Add("BlockDeviceMapping.1.DeviceName=x&BlockDeviceMapping.1.NoDevice=",
		"BlockDeviceMapping.3.DeviceName=x&BlockDeviceMapping.3.Ebs.Iops=5&BlockDeviceMapping.4.DeviceName=x")
	f.Add("NetworkInterface.0.DeviceIndex=0&NetworkInterface.0.SubnetId=s",
		"NetworkInterface.1.DeviceIndex=0&NetworkInterface.1.NetworkInterfaceId=e&NetworkInterface.2.SubnetId=t")
	f.Add("TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=a",
		"TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=v&TagSpecification.2.Tag.1.Key=")
	f.Add("InstanceMarketOptions.SpotOptions.ValidUntil=2026-01-01T00:00:00Z", "InstanceMarketOptions.SpotOptions.MaxPrice=1")
	f.Fuzz(func(t *testing.T, template, given string) {
		read := func(form string) *ec2wire.RunInstancesRequest {
			values, err := url.ParseQuery(form)
			if err != nil {
				t.Skip()
			}
			r, err := ec2query.NewReader(values)
			if err != nil {
				t.Skip()
			}
			in := new(ec2wire.RunInstancesRequest)
			in.DecodeQuery(r)
			return in
		}
		before, after := read(given), read(given)
		merge(after, read(template))
		keeps(t, "", reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem())
	})
}

// keeps fails where before has a value that after has not. Lists that grow keep the request's entries at their end, except the
// tags of one resource type, which keep them at the front.
func keeps(t *testing.T, path string, before, after reflect.Value) {
	switch before.Kind() {
	case reflect.Struct:
		if before.Type() == timeType.Elem() {
			if !before.Equal(after) {
				t.Errorf("%s: %v became %v", path, before, after)
			}
			return
		}
		for i := range before.NumField() {
			keeps(t, path+"."+before.Type().Field(i).Name, before.Field(i), after.Field(i))
		}
	case reflect.Pointer:
		if before.IsNil() || before.Elem().Kind() == reflect.String && before.Elem().Len() == 0 {
			return
		}
		if after.IsNil() {
			t.Errorf("%s was given and is gone", path)
			return
		}
		keeps(t, path, before.Elem(), after.Elem())
	case reflect.Slice:
		from := after.Len() - before.Len()
		if strings.HasSuffix(path, ".Tags") {
			from = 0
		}
		if after.Len() < before.Len() {
			t.Errorf("%s had %d entries and has %d", path, before.Len(), after.Len())
			return
		}
		for i := range before.Len() {
			keeps(t, path, before.Index(i), after.Index(from+i))
		}
	default:
		if !before.Equal(after) {
			t.Errorf("%s: %v became %v", path, before, after)
		}
	}
}
