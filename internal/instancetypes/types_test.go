package instancetypes

import (
	"encoding/json"
	"reflect"
	"testing"

	"slipway"
	"slipway/internal/ec2wire"
)

// TestTypesAreDescribedWhole: every member that is published is on the wire, with the value that is published.
func TestTypesAreDescribedWhole(t *testing.T) {
	all := described()
	if len(all) != 1373 {
		t.Fatalf("%d types", len(all))
	}
	for i, kind := range slipway.InstanceTypes() {
		var published map[string]any
		if err := json.Unmarshal(kind.Published, &published); err != nil {
			t.Fatal(err)
		}
		published["CurrentGeneration"] = kind.CurrentGeneration
		b, err := json.Marshal(prune(reflect.ValueOf(all[i])))
		if err != nil {
			t.Fatal(err)
		}
		var shown map[string]any
		if err := json.Unmarshal(b, &shown); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(published, shown) {
			t.Errorf("%s is shown as\n%s\nand published as\n%s", kind.Name, b, kind.Published)
			return
		}
	}
}

// prune is a wire shape without the members that are not set.
func prune(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		return prune(v.Elem())
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = prune(v.Index(i))
		}
		return out
	case reflect.Struct:
		out := map[string]any{}
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				out[v.Type().Field(i).Name] = prune(f)
			}
		}
		return out
	}
	return v.Interface()
}

// TestRequirementsKnowAccelerators: what has none is none of those that were asked for.
func TestRequirementsKnowAccelerators(t *testing.T) {
	for _, tt := range []struct {
		name   string
		asked  ec2wire.InstanceRequirementsRequest
		some   []string
		absent []string
	}{
		{"GPUs of NVIDIA", ec2wire.InstanceRequirementsRequest{
			AcceleratorTypes: []string{"gpu"}, AcceleratorManufacturers: []string{"nvidia"},
		}, []string{"g5.xlarge", "p5.48xlarge"}, []string{"g4ad.xlarge", "inf1.xlarge", "m5.large", "g5g.metal"}},
		{"none at all", ec2wire.InstanceRequirementsRequest{
			AcceleratorCount: &ec2wire.AcceleratorCountRequest{Max: new(int32(0))},
		}, []string{"m5.large"}, []string{"g5.xlarge", "f2.6xlarge"}},
		{"80 GiB on each of 8", ec2wire.InstanceRequirementsRequest{
			AcceleratorTotalMemoryMiB: &ec2wire.AcceleratorTotalMemoryMiBRequest{Min: new(int32(600000))},
		}, []string{"p5.48xlarge"}, []string{"g5.xlarge", "m5.large"}},
		{"bare metal", ec2wire.InstanceRequirementsRequest{BareMetal: new("required")},
			[]string{"m5.metal"}, []string{"m5.large"}},
		{"encryption in transit", ec2wire.InstanceRequirementsRequest{RequireEncryptionInTransit: new(true)},
			[]string{"m6i.large"}, []string{"m4.large"}},
		{"20 Gbit of EBS", ec2wire.InstanceRequirementsRequest{
			BaselineEbsBandwidthMbps: &ec2wire.BaselineEbsBandwidthMbpsRequest{Min: new(int32(19000))},
		}, []string{"m5.24xlarge"}, []string{"m5.large"}},
	} {
		tt.asked.VCpuCount = &ec2wire.VCpuCountRangeRequest{Min: new(int32(0))}
		tt.asked.MemoryMiB = &ec2wire.MemoryMiBRequest{Min: new(int32(0))}
		meets, err := requirements(&tt.asked)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for want, names := range map[bool][]string{true: tt.some, false: tt.absent} {
			for _, n := range names {
				if got := meets(slipway.FindInstanceType(n)); got != want {
					t.Errorf("%s: %s meets it: %v", tt.name, n, got)
				}
			}
		}
	}
}
