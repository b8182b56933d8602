package prefixlists_test

import (
	"slipway/internal/apitest"
	"strings"
	"testing"
)

func TestPrefixLists(t *testing.T) {
	w := apitest.New(t)
	list := w.Must("prefixListId", "CreateManagedPrefixList", "PrefixListName", "office", "MaxEntries", "3",
		"AddressFamily", "IPv4", "Entry.1.Cidr", "192.0.2.9/24", "Entry.1.Description", "first")
	apitest.Shows(t, w.Call("DescribeManagedPrefixLists", "PrefixListId.1", list).Body, "state", "create-complete")
	group := w.Must("groupId", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "web")
	allow := []string{
		"GroupId", group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "22",
		"IpPermissions.1.ToPort", "22", "IpPermissions.1.PrefixListIds.1.PrefixListId", list,
	}
	w.Must("return", "AuthorizeSecurityGroupIngress", allow...)
	apitest.Shows(t, w.Call("DescribeSecurityGroups", "GroupId.1", group).Body, "prefixListId", list)
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("the rule again", "InvalidPermission.Duplicate", list, "AuthorizeSecurityGroupIngress", allow),
		apitest.Case("a list that is not there", "InvalidPrefixListID.NotFound", "pl-00000000",
			"AuthorizeSecurityGroupIngress",
			append(allow[:8:8], "IpPermissions.1.PrefixListIds.1.PrefixListId", "pl-00000000")),
		apitest.Case("a stale version", "PrefixListVersionMismatch", "version", "ModifyManagedPrefixList",
			[]string{"PrefixListId", list, "CurrentVersion", "7", "AddEntry.1.Cidr", "198.51.100.0/24"}),
		apitest.Case("an entry twice", "InvalidPrefixListModification", "192.0.2.0/24", "ModifyManagedPrefixList",
			[]string{"PrefixListId", list, "CurrentVersion", "1", "AddEntry.1.Cidr", "192.0.2.0/24"}),
		apitest.Case("an entry that is not there", "InvalidPrefixListModification", "", "ModifyManagedPrefixList",
			[]string{"PrefixListId", list, "CurrentVersion", "1", "RemoveEntry.1.Cidr", "9.0.0.0/8"}),
		apitest.Case("an entry of the other family", "InvalidParameterValue", "cidr", "ModifyManagedPrefixList",
			[]string{"PrefixListId", list, "CurrentVersion", "1", "AddEntry.1.Cidr", "::/0"}),
		apitest.Case("more than it is made for", "PrefixListMaxEntriesExceeded", "3", "ModifyManagedPrefixList",
			[]string{
				"PrefixListId", list, "CurrentVersion", "1", "AddEntry.1.Cidr", "1.0.0.0/8", "AddEntry.2.Cidr",
				"2.0.0.0/8", "AddEntry.3.Cidr", "3.0.0.0/8",
			}),
	})
	w.Must("prefixListId", "ModifyManagedPrefixList", "PrefixListId", list, "CurrentVersion", "1", "AddEntry.1.Cidr",
		"198.51.100.0/24", "RemoveEntry.1.Cidr", "192.0.2.0/24")
	apitest.Shows(t, w.Call("GetManagedPrefixListEntries", "PrefixListId", list).Body, "cidr", "198.51.100.0/24")
	apitest.Shows(t, w.Call("GetManagedPrefixListEntries", "PrefixListId", list, "TargetVersion", "1").Body, "cidr",
		"192.0.2.0/24")
	apitest.Shows(t, w.Call("GetManagedPrefixListAssociations", "PrefixListId", list).Body, "resourceId", group)
	w.Must("prefixListId", "DeleteManagedPrefixList", "PrefixListId", list) // in use, as EC2 lets it
	apitest.Shows(t, w.Call("DescribeSecurityGroups", "GroupId.1", group).Body, "prefixListId", list)
	w.Must("return", "RevokeSecurityGroupIngress", allow...)
	w.Refuses(t,
		[]apitest.Refusal{
			apitest.Case("the list is gone", "InvalidPrefixListID.NotFound", list, "DescribeManagedPrefixLists",
				[]string{"PrefixListId.1", list}),
		})
}

// TestAWSsOwnLists are everybody's to use, in rules and routes, and nobody's to change.
func TestAWSsOwnLists(t *testing.T) {
	w := apitest.New(t)
	const s3, name = "pl-63a5400a", "com.amazonaws.us-east-1.s3"
	by := func(filter, value string) []string {
		return []string{"Filter.1.Name", filter, "Filter.1.Value.1", value}
	}
	for _, kind := range []string{"DescribeManagedPrefixLists", "DescribePrefixLists"} {
		if got := w.Must("prefixListId", kind, by("prefix-list-name", name)...); got != s3 {
			t.Errorf("%s has %s for %s, want %s", kind, got, name, s3)
		}
		if got := strings.Count(w.Call(kind).Body, "<prefixListId>"); got < 10 {
			t.Errorf("%s shows %d lists", kind, got)
		}
	}
	shown := w.Call("DescribeManagedPrefixLists", "PrefixListId.1", s3).Body
	apitest.Shows(t, shown, "ownerId", "AWS")
	apitest.Shows(t, shown, "prefixListArn", "arn:aws:ec2:us-east-1:aws:prefix-list/"+s3)
	apitest.Lacks(t, shown, "maxEntries")
	apitest.Shows(t, w.Call("DescribePrefixLists", "PrefixListId.1", s3).Body, "item", "52.216.0.0/14")
	apitest.Shows(t, w.Call("GetManagedPrefixListEntries", "PrefixListId", s3).Body, "cidr", "52.216.0.0/14")
	if six := w.Must("prefixListId", "DescribeManagedPrefixLists", by("prefix-list-name",
		"com.amazonaws.us-east-1.ipv6.ec2-instance-connect")...); six != "pl-09f90e410b133fe9f" {
		t.Errorf("the list of Instance Connect is %s", six)
	}
	group := w.Must("groupId", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "web")
	w.Must("return", "AuthorizeSecurityGroupEgress", "GroupId", group, "IpPermissions.1.IpProtocol", "tcp",
		"IpPermissions.1.FromPort", "443", "IpPermissions.1.ToPort", "443",
		"IpPermissions.1.PrefixListIds.1.PrefixListId", s3)
	n := apitest.NewNetwork(w, "77")
	gateway := w.Must("internetGatewayId", "CreateInternetGateway")
	w.Must("return", "AttachInternetGateway", "InternetGatewayId", gateway, "VpcId", n.VPC)
	w.Must("return", "CreateRoute", "RouteTableId", n.Main, "DestinationPrefixListId", s3, "GatewayId", gateway)
	apitest.Shows(t, w.Call("DescribeRouteTables", "RouteTableId.1", n.Main).Body, "destinationPrefixListId", s3)
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("another name", "OperationNotPermitted", s3, "ModifyManagedPrefixList",
			[]string{"PrefixListId", s3, "PrefixListName", "mine"}),
		apitest.Case("deleted", "OperationNotPermitted", s3, "DeleteManagedPrefixList", []string{"PrefixListId", s3}),
		apitest.Case("one's own among AWS's", "InvalidPrefixListID.NotFound", "pl-00000000", "DescribePrefixLists",
			[]string{"PrefixListId.1", "pl-00000000"}),
	})
}
