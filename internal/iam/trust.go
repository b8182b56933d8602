package iam

import (
	"strings"

	"slipway"
	"slipway/internal/policy"
	"slipway/internal/state"
	"slipway/internal/store"
)

// trust is a needed trust policy that can be read.
func (c *checks) trust(parameter string, v *string) string {
	text := c.need(parameter, v)
	if text != "" && c.err == nil {
		if _, err := policy.Parse(text, policy.Trust); err != nil {
			c.refuse(slipway.Errorf(slipway.MalformedPolicyDocument,
				"The trust policy is not in the valid JSON format or breaks the grammar: %s.", err))
		}
	}
	return text
}

// ofSomebody says whether a principal is a user, a role or a role's session, and not an account or everybody.
func ofSomebody(principal string) bool {
	return strings.Contains(principal, ":user/") || strings.Contains(principal, ":role/") ||
		strings.Contains(principal, ":assumed-role/")
}

// trusted are the unique ids of whom a trust policy names. A name that nobody of an account here has is refused, as by
// IAM: who takes it later would be trusted unseen. Accounts that are not here cannot be asked, and nobody of them comes.
func trusted(tx store.Tx, document string) (map[string]string, error) {
	d, err := policy.Parse(document, policy.Trust)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	d.Rename(func(principal string) string {
		if !ofSomebody(principal) {
			return principal
		}
		id, known := idOf(tx, principal)
		if id == "" && known && err == nil {
			err = slipway.Errorf(slipway.MalformedPolicyDocument, "Invalid principal in policy: \"AWS\":\"%s\"", principal)
		}
		if id != "" {
			out[principal] = id
		}
		return principal
	})
	return out, err
}

// idOf is the unique id of the user or role that an ARN names; known says that its account is one of ours.
func idOf(tx store.Tx, arn string) (id string, known bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return "", true
	}
	account, rest := parts[4], parts[5]
	if state.Accounts.See(tx, state.Global, account) == nil {
		return "", false
	}
	kind, path, _ := strings.Cut(rest, "/")
	name := path[strings.LastIndexByte(path, '/')+1:]
	switch kind {
	case "user":
		if u := state.Users.See(tx, state.IAM(account), name); u != nil && u.ARN() == arn {
			return u.ID, true
		}
	case "role":
		if role := state.Roles.See(tx, state.IAM(account), name); role != nil && role.ARN() == arn {
			return role.ID, true
		}
	case "assumed-role":
		name, _, _ = strings.Cut(path, "/")
		if role := state.Roles.See(tx, state.IAM(account), name); role != nil {
			return role.ID, true
		}
	}
	return "", true
}
