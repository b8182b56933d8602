package main

import (
	"strings"
	"testing"
)

func TestThrottlingThatIsNoneIsRefused(t *testing.T) {
	for _, bad := range []Throttle{
		{Mode: "maybe"}, {Mode: "on", Actions: []string{"RunInstances"}}, {Mode: "on", Actions: []string{"Launch=1/1"}},
		{Mode: "on", Accounts: []string{"1=x"}},
	} {
		c := defaults()
		c.Throttle = bad
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "throttle") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
