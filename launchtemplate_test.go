package slipway

import (
	"maps"
	"testing"
)

func TestParametersGiven(t *testing.T) {
	sent := Parameters{
		"ImageId": "ami-00000001", "KernelId": "", "Placement.AvailabilityZone": "", "BlockDeviceMapping.1.NoDevice": "",
		"TagSpecification.1.Tag.1.Value": "", "SecurityGroupId.1": "",
	}
	want := Parameters{
		"ImageId": "ami-00000001", "BlockDeviceMapping.1.NoDevice": "", "TagSpecification.1.Tag.1.Value": "",
		"SecurityGroupId.1": "",
	}
	if got := sent.Given(); !maps.Equal(got, want) {
		t.Errorf("Given = %v, want %v", got, want)
	}
}

func TestParametersOver(t *testing.T) {
	earlier := Parameters{
		"ImageId": "ami-00000001", "Placement.Tenancy": "default", "Placement.GroupName": "g",
		"SecurityGroupId.1": "sg-1", "SecurityGroupId.2": "sg-2",
	}
	got := Parameters{"Placement.GroupName": "h", "SecurityGroupId.1": "sg-3", "KeyName": "ops"}.Over(earlier)
	want := Parameters{"ImageId": "ami-00000001", "Placement.GroupName": "h", "SecurityGroupId.1": "sg-3", "KeyName": "ops"}
	if !maps.Equal(got, want) {
		t.Errorf("a member that is given replaces the earlier one whole: got %v, want %v", got, want)
	}
	if len(earlier) != 5 {
		t.Error("the earlier version was changed")
	}
}

func TestCheckTemplateName(t *testing.T) {
	for name, ok := range map[string]bool{
		"web": true, "karpenter.k8s.aws/1234": true, "a_(b)-c": true, "ab": false, "": false, "web server": false, "wéb": false,
		string(make([]byte, 129)): false,
	} {
		if err := CheckTemplateName(name); (err == nil) != ok {
			t.Errorf("CheckTemplateName(%q) = %v", name, err)
		} else if err != nil && CodeOf(err) != InvalidLaunchTemplateNameMalformedException {
			t.Errorf("CheckTemplateName(%q) answers %s", name, CodeOf(err))
		}
	}
}
