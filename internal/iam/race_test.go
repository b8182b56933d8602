package iam_test

import (
	"fmt"
	"sync"
	"testing"

	"slipway/internal/apitest"
	"slipway/internal/state"
)

// TestJudgedIsLaunched: while a launch template's default goes to and fro between a version with a profile and one
// without, who may launch but not hand on the profile's role launches with it never, by RunInstances, by CreateFleet,
// by $Default and $Latest.
func TestJudgedIsLaunched(t *testing.T) {
	w := apitest.New(t)
	w.Profiled("admin", apitest.Document(`{"Effect":"Allow","Action":"*","Resource":"*"}`))
	who := w.User("dev", apitest.Document(`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`))
	id := w.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "flip", "LaunchTemplateData.ImageId",
		w.Image(), "LaunchTemplateData.InstanceType", "t3.micro")
	w.Must("launchTemplateId", "CreateLaunchTemplateVersion", "LaunchTemplateId", id, "LaunchTemplateData.ImageId",
		w.Image(), "LaunchTemplateData.InstanceType", "t3.micro",
		"LaunchTemplateData.IamInstanceProfile.Name", "admin")
	root := w.Root()

	const attempts = 150
	var launches, flips sync.WaitGroup
	done := make(chan struct{})
	flips.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			default:
			}
			if a := w.By(root, "ec2", "ModifyLaunchTemplate", "LaunchTemplateId", id, "SetDefaultVersion",
				fmt.Sprint(1+n%2)); a.Status != 200 {
				t.Errorf("flip: %s", a.Body)
				return
			}
		}
	})
	outcomes := map[string]int{}
	var mu sync.Mutex
	for _, call := range [][]string{
		{"RunInstances", "MinCount", "1", "MaxCount", "1", "LaunchTemplate.LaunchTemplateId", id,
			"LaunchTemplate.Version", "$Default"},
		{"RunInstances", "MinCount", "1", "MaxCount", "1", "LaunchTemplate.LaunchTemplateName", "flip"},
		{"CreateFleet", "Type", "instant", "TargetCapacitySpecification.TotalTargetCapacity", "1",
			"LaunchTemplateConfigs.1.LaunchTemplateSpecification.LaunchTemplateId", id,
			"LaunchTemplateConfigs.1.LaunchTemplateSpecification.Version", "$Default"},
	} {
		launches.Go(func() {
			for range attempts {
				a := w.By(who, "ec2", call[0], call[1:]...)
				mu.Lock()
				outcomes[call[0]+" "+a.Code]++
				mu.Unlock()
			}
		})
	}
	launches.Wait()
	close(done)
	flips.Wait()
	stolen := 0
	for in := range state.Instances.All(w.DB.Local(), state.Scope{Account: w.Keys.Account, Region: "us-east-1"}) {
		if in.Profile != "" {
			stolen++
		}
	}
	if stolen > 0 {
		t.Errorf("%d instances have a profile that their launcher may not hand on", stolen)
	}
	if outcomes["RunInstances "] == 0 || outcomes["RunInstances UnauthorizedOperation"] == 0 ||
		outcomes["CreateFleet UnauthorizedOperation"] == 0 {
		t.Errorf("the default did not change under the launches: %v", outcomes)
	}
}
