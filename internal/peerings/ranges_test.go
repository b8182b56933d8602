package peerings_test

import (
	"strings"
	"testing"

	"slipway"
	"slipway/internal/apitest"
)

// TestPendingPeeringsKeepRanges: who asks for a peering learns the other side's ranges when that has agreed, by no
// answer and no filter before.
func TestPendingPeeringsKeepRanges(t *testing.T) {
	w := apitest.New(t)
	other := w.As(slipway.Account{})
	mine := w.Must("vpcId", "CreateVpc", "CidrBlock", "10.1.0.0/16")
	theirs := other.Must("vpcId", "CreateVpc", "CidrBlock", "10.77.0.0/16", "AmazonProvidedIpv6CidrBlock", "true")
	ask := func() apitest.Answer {
		return w.Call("CreateVpcPeeringConnection", "VpcId", mine, "PeerVpcId", theirs, "PeerOwnerId", other.Keys.Account)
	}
	made := ask()
	id := apitest.First(made.Body, "vpcPeeringConnectionId")
	shown := func(who *apitest.Wire) string { return who.Call("DescribeVpcPeeringConnections").Body }
	hidden := func(when string) {
		t.Helper()
		for name, body := range map[string]string{"created": made.Body, "the asker": shown(w), "the asked": shown(other)} {
			if strings.Contains(body, "10.77.") || strings.Contains(body, "ipv6CidrBlockSet") {
				t.Errorf("%s, %s sees the accepter's ranges: %s", when, name, body)
			}
			if !strings.Contains(body, "10.1.0.0/16") {
				t.Errorf("%s, %s sees no ranges of the requester: %s", when, name, body)
			}
		}
		if a := w.Call("DescribeVpcPeeringConnections", "Filter.1.Name", "accepter-vpc-info.cidr-block",
			"Filter.1.Value.1", "10.77.0.0/16"); strings.Contains(a.Body, id) {
			t.Errorf("%s, a filter finds the accepter's range", when)
		}
	}
	hidden("pending")
	other.Must("return", "RejectVpcPeeringConnection", "VpcPeeringConnectionId", id)
	hidden("rejected")
	id = apitest.First(ask().Body, "vpcPeeringConnectionId")
	other.Must("vpcPeeringConnectionId", "AcceptVpcPeeringConnection", "VpcPeeringConnectionId", id)
	if body := shown(w); !strings.Contains(body, "10.77.0.0/16") {
		t.Errorf("active, the asker sees %s", body)
	}
}
