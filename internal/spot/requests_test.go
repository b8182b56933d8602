package spot_test

import (
	"slipway/internal/apitest"
	"testing"
	"time"
)

// TestSpotRequestsExpire: a persistent request whose time is over does not come back.
func TestSpotRequestsExpire(t *testing.T) {
	w := apitest.New(t)
	id := w.Launch("t3.micro", "InstanceMarketOptions.MarketType", "spot",
		"InstanceMarketOptions.SpotOptions.SpotInstanceType", "persistent",
		"InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior", "stop",
		"InstanceMarketOptions.SpotOptions.ValidUntil", time.Now().Add(2*time.Second).UTC().Format(time.RFC3339Nano))
	request := apitest.First(w.Call("DescribeInstances", "InstanceId.1", id).Body, "spotInstanceRequestId")
	w.Eventually("the request is closed", func() bool {
		return apitest.First(w.Call("DescribeSpotInstanceRequests", "SpotInstanceRequestId.1", request).Body,
			"state") == "closed"
	})
	if got := apitest.First(apitest.First(w.Call("DescribeSpotInstanceRequests", "SpotInstanceRequestId.1",
		request).Body, "status"), "code"); got != "schedule-expired" {
		t.Errorf("its status is %s", got)
	}
	w.Terminate(id)
}
