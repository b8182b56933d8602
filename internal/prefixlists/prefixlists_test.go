package prefixlists_test

import (
	"slipway/internal/apitest"
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
		apitest.Case("a list in use", "DependencyViolation", group, "DeleteManagedPrefixList", []string{"PrefixListId", list}),
	})
	w.Must("prefixListId", "ModifyManagedPrefixList", "PrefixListId", list, "CurrentVersion", "1", "AddEntry.1.Cidr",
		"198.51.100.0/24", "RemoveEntry.1.Cidr", "192.0.2.0/24")
	apitest.Shows(t, w.Call("GetManagedPrefixListEntries", "PrefixListId", list).Body, "cidr", "198.51.100.0/24")
	apitest.Shows(t, w.Call("GetManagedPrefixListEntries", "PrefixListId", list, "TargetVersion", "1").Body, "cidr",
		"192.0.2.0/24")
	apitest.Shows(t, w.Call("GetManagedPrefixListAssociations", "PrefixListId", list).Body, "resourceId", group)
	w.Must("return", "RevokeSecurityGroupIngress", allow...)
	w.Must("prefixListId", "DeleteManagedPrefixList", "PrefixListId", list)
	w.Refuses(t,
		[]apitest.Refusal{
			apitest.Case("the list is gone", "InvalidPrefixListID.NotFound", list, "DescribeManagedPrefixLists",
				[]string{"PrefixListId.1", list}),
		})
}
