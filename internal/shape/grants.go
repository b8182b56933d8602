package shape

import (
	"slices"
	"strings"

	"slipway"
)

// Grants are the accounts and groups that a permission of an image or a snapshot names.
type Grants struct{ Users, Groups []string }

// Take adds one entry of a request's list; empty members are not given.
func (g *Grants) Take(user, group *string) {
	if u := Get(user); u != "" {
		g.Users = append(g.Users, u)
	}
	if n := Get(group); n != "" {
		g.Groups = append(g.Groups, n)
	}
}

// Empty says that nobody is named.
func (g Grants) Empty() bool { return len(g.Users)+len(g.Groups) == 0 }

// OldGrants reads the older form of a permission: one operation for lists of accounts and groups.
func OldGrants(operation *string, users, groups []string, add, remove *Grants) error {
	given := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" })
	}
	users, groups = given(users), given(groups)
	into := add
	switch op := Get(operation); op {
	case "add":
	case "remove":
		into = remove
	case "":
		if len(users)+len(groups) == 0 {
			return nil
		}
		return slipway.Missing("OperationType")
	default:
		return slipway.Invalid(op, "operationType", "It must be add or remove.")
	}
	into.Users, into.Groups = append(into.Users, users...), append(into.Groups, groups...)
	return nil
}

// Grant is who has the permission afterwards: those who had it, those added, less those removed.
func (g Grants) Grant(remove Grants, users []string, public bool) ([]string, bool) {
	users = append(slices.Clone(users), g.Users...)
	slices.Sort(users)
	users = slices.DeleteFunc(slices.Compact(users), func(u string) bool { return slices.Contains(remove.Users, u) })
	return users, (public || slices.Contains(g.Groups, "all")) && !slices.Contains(remove.Groups, "all")
}

// AccountForm says whether s looks like an account: 12 digits.
func AccountForm(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }
