package controlplane_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"slipway/internal/apitest"
	"slipway/internal/golden"
)

// TestIdentityAnswers holds what IAM, STS and SSM answer, byte by byte: each action as it succeeds, and as it is
// refused without each of its parameters, with a wrong value for each, and with one that nobody knows.
func TestIdentityAnswers(t *testing.T) {
	w := apitest.New(t)
	m := &identityIsolation{isolation: &isolation{t: t, first: w, second: w}}
	user, _ := identityWorld(w, secondNames)
	m.same = strings.NewReplacer(w.Keys.Account, "ACCOUNT", user.AccessKeyID, "KEY", "\n", "",
		`<?xml version="1.0" encoding="UTF-8"?>`, "<?xml?>", "</Error></ErrorResponse>", "</Refusal>",
		`<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>`, "<Refusal>")
	m.rest = m.seconds(w.DB.Local())
	calls := identityCalls(w.Keys.Account, secondNames, user.AccessKeyID)
	m.covers(calls)
	var out strings.Builder
	for _, call := range slices.Sorted(maps.Keys(calls)) {
		base, places := calls[call], m.places(call, calls)
		said := map[string][]string{} // what is asked, by the answer
		ask := func(what string, params []string) {
			a := m.ask(w.Root(), call, params, "")
			answer := m.plain(a) + " " + a.Header.Get("Content-Type")
			said[answer] = append(said[answer], what)
		}
		ask("as it succeeds", base)
		ask("with nothing", nil)
		for _, place := range places {
			ask("without "+place, with(base, place, "")[:len(with(base, place, ""))-2])
			for _, value := range []string{"", "?!", "x", "7"} {
				ask(fmt.Sprintf("%s=%q", place, value), with(base, place, value))
			}
		}
		for _, unknown := range []string{"Stranger", "PermissionsBoundary", "Tags.1.Key", "UserName.1", "DryRun"} {
			ask("with "+unknown, with(base, unknown, "x"))
		}
		fmt.Fprintf(&out, "%s (%s)\n", call, strings.Join(places, " "))
		for _, answer := range slices.Sorted(maps.Keys(said)) {
			slices.Sort(said[answer])
			fmt.Fprintf(&out, "\t%s\n\t\t%s\n", strings.Join(said[answer], ", "), answer)
		}
	}
	for _, call := range []string{
		"iam CreateGroup", "iam Nothing", "sts AssumeRoleWithSAML", "sts Nothing", "ssm PutParameter", "ssm Nothing",
	} {
		fmt.Fprintf(&out, "%s\n\t%s\n", call, m.plain(m.ask(w.Root(), call, nil, "")))
	}
	golden.Match(t, "identity_answers.txt", out.String())
}
