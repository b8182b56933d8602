package peerings_test

import (
	"slipway/internal/apitest"
	"testing"
)

func TestPeerings(t *testing.T) {
	w := apitest.New(t)
	one, two, three := apitest.NewNetwork(w, "11"), apitest.NewNetwork(w, "12"), apitest.NewNetwork(w, "13")
	a := w.Call("CreateVpcPeeringConnection", "VpcId", one.VPC, "PeerVpcId", two.VPC, "PeerOwnerId", w.Keys.Account)
	id := apitest.First(a.Body, "vpcPeeringConnectionId")
	apitest.Shows(t, a.Body, "code", "initiating-request")
	status := func(id string) string {
		return apitest.First(w.Must("status", "DescribeVpcPeeringConnections", "VpcPeeringConnectionId.1", id), "code")
	}
	if s := status(id); s != "pending-acceptance" {
		t.Errorf("asked for, the peering is %s", s)
	}
	w.Must("return", "CreateRoute", "RouteTableId", one.Main, "DestinationCidrBlock", "10.12.0.0/16",
		"VpcPeeringConnectionId", id)
	apitest.Shows(t, w.Call("DescribeRouteTables", "RouteTableId.1", one.Main).Body, "state", "blackhole")
	other := w.Must("groupId", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "web", "VpcId", two.VPC)
	allow := []string{
		"GroupId", one.Group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "80",
		"IpPermissions.1.ToPort", "80", "IpPermissions.1.Groups.1.GroupId", other,
	}
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("a group of a VPC that is not peered yet", "InvalidGroup.NotFound", other,
			"AuthorizeSecurityGroupIngress", allow),
		apitest.Case("a peering again", "VpcPeeringConnectionAlreadyExists", id, "CreateVpcPeeringConnection",
			[]string{"VpcId", two.VPC, "PeerVpcId", one.VPC}),
		apitest.Case("with itself", "InvalidParameterValue", one.VPC, "CreateVpcPeeringConnection",
			[]string{"VpcId", one.VPC, "PeerVpcId", one.VPC}),
		apitest.Case("another region", "UnsupportedOperation", "PeerRegion", "CreateVpcPeeringConnection",
			[]string{"VpcId", one.VPC, "PeerVpcId", two.VPC, "PeerRegion", "eu-west-1"}),
		apitest.Case("one that is not there", "InvalidVpcPeeringConnectionID.NotFound", "",
			"AcceptVpcPeeringConnection", []string{"VpcPeeringConnectionId", "pcx-00000000"}),
		apitest.Case("a route of a third VPC", "InvalidVpcPeeringConnectionID.NotFound", id, "CreateRoute",
			[]string{"RouteTableId", three.Main, "DestinationCidrBlock", "10.12.0.0/16", "VpcPeeringConnectionId", id}),
		apitest.Case("names before it is active", "OperationNotPermitted", id, "ModifyVpcPeeringConnectionOptions",
			[]string{"VpcPeeringConnectionId", id, "AccepterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc", "true"}),
		apitest.Case("ClassicLink", "UnsupportedOperation", "ClassicLink", "ModifyVpcPeeringConnectionOptions",
			[]string{
				"VpcPeeringConnectionId", id,
				"RequesterPeeringConnectionOptions.AllowEgressFromLocalClassicLinkToRemoteVpc", "true",
			}),
	})
	w.Must("vpcPeeringConnectionId", "AcceptVpcPeeringConnection", "VpcPeeringConnectionId", id)
	if s := status(id); s != "active" {
		t.Errorf("accepted, the peering is %s", s)
	}
	apitest.Lacks(t, w.Call("DescribeRouteTables", "RouteTableId.1", one.Main).Body, "blackhole")
	const option = "AccepterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc"
	for _, value := range []string{"true", "false"} {
		apitest.Shows(t, w.Call("ModifyVpcPeeringConnectionOptions", "VpcPeeringConnectionId", id, option, value).Body,
			"allowDnsResolutionFromRemoteVpc", value)
		body := w.Call("DescribeVpcPeeringConnections", "VpcPeeringConnectionId.1", id).Body
		if got := apitest.First(apitest.First(body, "accepterVpcInfo"), "allowDnsResolutionFromRemoteVpc"); got != value {
			t.Errorf("set to %s, the accepter's names are %s", value, got)
		}
		if got := apitest.First(apitest.First(body, "requesterVpcInfo"), "allowDnsResolutionFromRemoteVpc"); got != "false" {
			t.Errorf("the requester's names are %s", got)
		}
	}
	w.Must("return", "AuthorizeSecurityGroupIngress", allow...)
	apitest.Shows(t, w.Call("DescribeSecurityGroupReferences", "GroupId.1", other).Body, "referencingVpcId", one.VPC)
	apitest.Lacks(t, w.Call("DescribeStaleSecurityGroups", "VpcId", one.VPC).Body, "<item>")
	w.Must("return", "CreateTags", "ResourceId.1", id, "Tag.1.Key", "Name", "Tag.1.Value", "bridge")
	apitest.Shows(t,
		w.Call("DescribeVpcPeeringConnections", "Filter.1.Name", "tag:Name", "Filter.1.Value.1", "bridge",
			"Filter.2.Name", "accepter-vpc-info.cidr-block", "Filter.2.Value.1", "10.12.0.0/16").Body,
		"vpcPeeringConnectionId", id)
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("accepted again", "InvalidStateTransition", "active", "AcceptVpcPeeringConnection",
			[]string{"VpcPeeringConnectionId", id}),
		apitest.Case("rejected late", "InvalidStateTransition", "active", "RejectVpcPeeringConnection",
			[]string{"VpcPeeringConnectionId", id}),
	})
	w.Must("return", "DeleteVpcPeeringConnection", "VpcPeeringConnectionId", id)
	if s := status(id); s != "deleted" {
		t.Errorf("deleted, the peering is %s", s)
	}
	apitest.Shows(t, w.Call("DescribeStaleSecurityGroups", "VpcId", one.VPC).Body, "groupId", one.Group)
	w.Refuses(t,
		[]apitest.Refusal{
			apitest.Case("deleted again", "InvalidStateTransition", "deleted", "DeleteVpcPeeringConnection",
				[]string{"VpcPeeringConnectionId", id}),
		})

	again := w.Must("vpcPeeringConnectionId", "CreateVpcPeeringConnection", "VpcId", one.VPC, "PeerVpcId", two.VPC)
	w.Must("return", "RejectVpcPeeringConnection", "VpcPeeringConnectionId", again)
	if s := status(again); s != "rejected" {
		t.Errorf("rejected, the peering is %s", s)
	}
	overlapping := w.Must("vpcId", "CreateVpc", "CidrBlock", "10.11.128.0/20")
	for name, peer := range map[string]string{"overlapping ranges": overlapping, "a VPC that is not there": "vpc-00000000"} {
		if s := status(w.Must("vpcPeeringConnectionId", "CreateVpcPeeringConnection", "VpcId", one.VPC, "PeerVpcId",
			peer)); s != "failed" {
			t.Errorf("%s: the peering is %s, want failed", name, s)
		}
	}
}
