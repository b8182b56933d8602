package networkacls_test

import (
	"slipway/internal/apitest"
	"testing"
)

func TestNetworkACLs(t *testing.T) {
	w := apitest.New(t)
	n := apitest.NewNetwork(w, "45")
	acl := w.Must("networkAclId", "CreateNetworkAcl", "VpcId", n.VPC)
	tcp := []string{
		"NetworkAclId", acl, "RuleNumber", "100", "Protocol", "6", "RuleAction", "allow", "Egress", "false",
		"CidrBlock", "10.9.9.9/8", "PortRange.From", "22", "PortRange.To", "23",
	}
	w.Must("return", "CreateNetworkAclEntry", tcp...)
	w.Must("return", "CreateNetworkAclEntry", "NetworkAclId", acl, "RuleNumber", "100", "Protocol", "icmp",
		"RuleAction", "deny", "Egress", "true", "CidrBlock", "0.0.0.0/0", "Icmp.Type", "8", "Icmp.Code", "-1")
	seen := w.Call("DescribeNetworkAcls", "NetworkAclId.1", acl).Body
	apitest.Shows(t, seen, "cidrBlock", "10.0.0.0/8")
	apitest.Shows(t, seen, "to", "23")
	apitest.Shows(t, seen, "type", "8")
	apitest.Shows(t, seen, "ruleNumber", "32767")
	association := w.AclAssociation(n.Subnet)
	fresh := w.Must("newAssociationId", "ReplaceNetworkAclAssociation", "AssociationId", association, "NetworkAclId", acl)
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("an entry twice", "NetworkAclEntryAlreadyExists", "100", "CreateNetworkAclEntry", tcp),
		apitest.Case("an entry that is not there", "InvalidNetworkAclEntry.NotFound", "7", "DeleteNetworkAclEntry",
			[]string{"NetworkAclId", acl, "RuleNumber", "7", "Egress", "false"}),
		apitest.Case("the closing refusal", "InvalidNetworkAclEntry.NotFound", "32767", "DeleteNetworkAclEntry",
			[]string{"NetworkAclId", acl, "RuleNumber", "32767", "Egress", "false"}),
		apitest.Case("a number out of range", "InvalidParameterValue", "ruleNumber", "CreateNetworkAclEntry",
			append([]string{"NetworkAclId", acl, "RuleNumber", "40000"}, tcp[4:]...)),
		apitest.Case("tcp without ports", "MissingParameter", "PortRange", "CreateNetworkAclEntry",
			[]string{
				"NetworkAclId", acl, "RuleNumber", "7", "Protocol", "6", "RuleAction", "allow", "Egress", "false",
				"CidrBlock", "0.0.0.0/0",
			}),
		apitest.Case("the association's old id", "InvalidAssociationID.NotFound", association,
			"ReplaceNetworkAclAssociation", []string{"AssociationId", association, "NetworkAclId", n.ACL}),
		apitest.Case("an ACL in use", "DependencyViolation", acl, "DeleteNetworkAcl", []string{"NetworkAclId", acl}),
		apitest.Case("the default ACL", "InvalidParameterValue", "default", "DeleteNetworkAcl",
			[]string{"NetworkAclId", n.ACL}),
		apitest.Case("an ACL that is not there", "InvalidNetworkAclID.NotFound", "", "DescribeNetworkAcls",
			[]string{"NetworkAclId.1", "acl-00000000"}),
	})
	w.Must("return", "ReplaceNetworkAclEntry",
		append([]string{"NetworkAclId", acl, "RuleNumber", "100", "Protocol", "-1"}, tcp[6:12]...)...)
	apitest.Lacks(t, w.Call("DescribeNetworkAcls", "NetworkAclId.1", acl).Body, "<to>23</to>")
	w.Must("return", "DeleteNetworkAclEntry", "NetworkAclId", acl, "RuleNumber", "100", "Egress", "false")
	w.Must("newAssociationId", "ReplaceNetworkAclAssociation", "AssociationId", fresh, "NetworkAclId", n.ACL)
	w.Must("return", "DeleteNetworkAcl", "NetworkAclId", acl)
}
