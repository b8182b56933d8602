package instancedefaults_test

import (
	"slipway/internal/apitest"
	"testing"
)

// TestDefaultCredits: an account's choice for a family is what its launches have, unless they say otherwise.
func TestDefaultCredits(t *testing.T) {
	w := apitest.New(t)
	option := func(id string) string {
		return w.Must("cpuCredits", "DescribeInstanceCreditSpecifications", "InstanceId.1", id)
	}
	for family, want := range map[string]string{"t2": "standard", "t3": "unlimited"} {
		if got := w.Must("cpuCredits", "GetDefaultCreditSpecification", "InstanceFamily", family); got != want {
			t.Errorf("%s begins with %s, want %s", family, got, want)
		}
	}
	before := w.Launch("t3.micro")
	w.Must("cpuCredits", "ModifyDefaultCreditSpecification", "InstanceFamily", "t3", "CpuCredits", "standard")
	if got := w.Must("cpuCredits", "GetDefaultCreditSpecification", "InstanceFamily", "t3"); got != "standard" {
		t.Errorf("t3 has %s", got)
	}
	after, chosen := w.Launch("t3.micro"), w.Launch("t3.micro", "CreditSpecification.CpuCredits", "unlimited")
	if a, b, c := option(before), option(after), option(chosen); a != "unlimited" || b != "standard" || c != "unlimited" {
		t.Errorf("the instances have %s, %s and %s", a, b, c)
	}
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("no family", "MissingParameter", "InstanceFamily", "GetDefaultCreditSpecification", nil),
		apitest.Case("a family without credits", "InvalidParameterValue", "m5", "ModifyDefaultCreditSpecification",
			[]string{"InstanceFamily", "m5", "CpuCredits", "standard"}),
		apitest.Case("an option that is none", "InvalidParameterValue", "some", "ModifyDefaultCreditSpecification",
			[]string{"InstanceFamily", "t3", "CpuCredits", "some"}),
	})
}
