package spot_test

import (
	"strings"
	"testing"
	"time"

	"slipway"
	"slipway/internal/apitest"
	"slipway/internal/spot"
)

func TestSpot(t *testing.T) {
	w := apitest.New(t)
	market := []string{"InstanceMarketOptions.MarketType", "spot"}
	id := w.Launch("t3.micro",
		append(market, "TagSpecification.1.ResourceType", "spot-instances-request", "TagSpecification.1.Tag.1.Key", "k",
			"TagSpecification.1.Tag.1.Value", "v")...)
	body := w.Call("DescribeInstances", "InstanceId.1", id).Body
	request := apitest.First(body, "spotInstanceRequestId")
	if apitest.First(body, "instanceLifecycle") != "spot" || !strings.HasPrefix(request, "sir-") || len(request) != 12 {
		t.Errorf("its lifecycle is %q, its request %q", apitest.First(body, "instanceLifecycle"), request)
	}
	w.Await(id, "running")
	got := w.Call("DescribeSpotInstanceRequests", "SpotInstanceRequestId.1", request).Body
	if apitest.First(got, "state") != "active" || apitest.First(apitest.First(got, "status"), "code") != "fulfilled" ||
		apitest.First(got, "launchSpecification") == "" || apitest.First(got, "instanceId") != id ||
		!strings.Contains(got, "<key>k</key>") {
		t.Errorf("the request is %s", got)
	}
	if a := w.Call("StopInstances", "InstanceId.1", id); a.Code != "UnsupportedOperation" {
		t.Errorf("a one-time spot instance is stopped: %s", a.Code)
	}

	t.Run("an interruption is noticed, then comes", func(t *testing.T) {
		if err := spot.GiveNotice(t.Context(), w.DB, slipway.InstanceID(id), time.Now(), time.Second, 0); err != nil {
			t.Fatal(err)
		}
		a, _, err := w.Hosts.Instance(t.Context(), apitest.HostID, slipway.InstanceID(id))
		if err != nil || a.Metadata.Interruption == nil || a.Metadata.Interruption.Action != "terminate" {
			t.Errorf("the metadata show %+v (%v)", a.Metadata.Interruption, err)
		}
		w.Await(id, "terminated")
		body := w.Call("DescribeInstances", "InstanceId.1", id).Body
		if code := apitest.First(apitest.First(body, "stateReason"), "code"); code != "Server.SpotInstanceTermination" {
			t.Errorf("its reason is %s", code)
		}
		if got := w.Must("state", "DescribeSpotInstanceRequests", "SpotInstanceRequestId.1", request); got != "closed" {
			t.Errorf("the request is %s", got)
		}
	})
	t.Run("a persistent one comes back", func(t *testing.T) {
		id := w.Launch("t3.micro",
			append(market, "InstanceMarketOptions.SpotOptions.SpotInstanceType", "persistent",
				"InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior", "stop")...)
		w.Await(id, "running")
		if err := spot.GiveNotice(t.Context(), w.DB, slipway.InstanceID(id), time.Now(), 0, 1500*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		w.Await(id, "stopped")
		if a := w.Call("StartInstances", "InstanceId.1", id); a.Code != "IncorrectSpotRequestState" {
			t.Errorf("started by hand while its capacity is away: %s", a.Code)
		}
		w.Await(id, "running")
		request := apitest.First(w.Call("DescribeInstances", "InstanceId.1", id).Body, "spotInstanceRequestId")
		w.Terminate(id)
		w.Eventually("another instance serves the request", func() bool {
			next := apitest.First(w.Call("DescribeSpotInstanceRequests", "SpotInstanceRequestId.1", request).Body, "instanceId")
			return next != "" && next != id
		})
		next := w.Must("instanceId", "DescribeSpotInstanceRequests", "SpotInstanceRequestId.1", request)
		w.Must("state", "CancelSpotInstanceRequests", "SpotInstanceRequestId.1", request)
		if got := apitest.First(apitest.First(w.Call("DescribeSpotInstanceRequests", "SpotInstanceRequestId.1",
			request).Body, "status"), "code"); got != "request-canceled-and-instance-running" {
			t.Errorf("cancelled, its status is %s", got)
		}
		w.Terminate(next)
	})
}

// TestRequestsForSpotInstances are kept, each once for its token, and wait while they offer too little.
func TestRequestsForSpotInstances(t *testing.T) {
	w := apitest.New(t)
	spec := []string{
		"LaunchSpecification.ImageId", w.Image(), "LaunchSpecification.InstanceType", "t3.micro", "InstanceCount",
		"2", "ClientToken", "once",
	}
	a := w.Call("RequestSpotInstances", spec...)
	if strings.Count(a.Body, "<spotInstanceRequestId>") != 2 || strings.Count(a.Body, "<state>active</state>") != 2 {
		t.Errorf("two were asked for: %s", a.Body)
	}
	if again := w.Call("RequestSpotInstances",
		spec...); apitest.First(again.Body, "spotInstanceRequestId") != apitest.First(a.Body, "spotInstanceRequestId") {
		t.Error("the same token made other requests")
	}
	low := w.Must("spotInstanceRequestId", "RequestSpotInstances", "SpotPrice", "0.002",
		"LaunchSpecification.ImageId", w.Image(), "LaunchSpecification.InstanceType", "m5.4xlarge")
	if got := apitest.First(apitest.First(w.Call("DescribeSpotInstanceRequests", "SpotInstanceRequestId.1",
		low).Body, "status"), "code"); got != "price-too-low" {
		t.Errorf("a low bid waits with status %q", got)
	}
}

// TestSpotIsRefused where the market, the price or the account say so.
func TestSpotIsRefused(t *testing.T) {
	w := apitest.New(t)
	market := []string{"InstanceMarketOptions.MarketType", "spot"}
	for name, tt := range map[string]struct {
		code string
		more []string
	}{
		"a bid below the price": {"SpotMaxPriceTooLow",
			append(market, "InstanceMarketOptions.SpotOptions.MaxPrice", "0.0011")},
		"a bid of nothing": {"InvalidParameterValue",
			append(market, "InstanceMarketOptions.SpotOptions.MaxPrice", "0.0001")},
		"an unknown market": {"InvalidParameterValue", []string{"InstanceMarketOptions.MarketType", "flea"}},
		"a capacity block": {"UnsupportedOperation",
			[]string{"InstanceMarketOptions.MarketType", "capacity-block"}},
		"stopped at interruption, one-time": {"InvalidParameterCombination",
			append(market, "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior", "stop")},
		"an end for a one-time request": {"InvalidParameterCombination",
			append(market, "InstanceMarketOptions.SpotOptions.ValidUntil", "2030-01-01T00:00:00Z")},
		"a spot block": {"Unsupported",
			append(market, "InstanceMarketOptions.SpotOptions.BlockDurationMinutes", "60")},
		"protected against termination": {"InvalidParameterCombination",
			append(market, "DisableApiTermination", "true")},
		"an unknown kind of request": {"InvalidParameterValue",
			append(market, "InstanceMarketOptions.SpotOptions.SpotInstanceType", "twice")},
		"hibernated without hibernation asked": {"UnsupportedHibernationConfiguration",
			append(market, "InstanceMarketOptions.SpotOptions.SpotInstanceType", "persistent",
				"InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior", "hibernate")},
	} {
		params := []string{"ImageId", w.Image(), "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"}
		if a := w.Call("RunInstances", append(params, tt.more...)...); a.Code != tt.code {
			t.Errorf("%s: %d %s %s, want %s", name, a.Status, a.Code, a.Message, tt.code)
		}
	}
	if a := w.Call("DescribeSpotInstanceRequests", "SpotInstanceRequestId.1",
		"sir-00000000"); a.Code != "InvalidSpotInstanceRequestID.NotFound" {
		t.Errorf("an unknown request: %s", a.Code)
	}
	if got := w.Must("spotPrice", "DescribeSpotPriceHistory", "InstanceType.1", "t3.micro", "AvailabilityZone",
		"us-east-1a"); got == "" || got == "0.000000" {
		t.Errorf("the price of t3.micro is %q", got)
	}
	w.Edit("quota", "spot-instances=1")
	if a := w.Call("RunInstances",
		append([]string{"ImageId", w.Image(), "InstanceType", "t3.micro", "MinCount", "2", "MaxCount", "2"},
			market...)...); a.Code != "MaxSpotInstanceCountExceeded" {
		t.Errorf("beyond the quota: %s", a.Code)
	}
}
