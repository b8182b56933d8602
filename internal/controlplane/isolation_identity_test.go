package controlplane_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway"
	"slipway/internal/apitest"
	"slipway/internal/state"
	"slipway/internal/store"
)

// The words that all names of one sharedState's users, roles, policies and profiles are made of. Nobody has the third, which
// begins as the first does, lest what is said of a text that is no document tell them apart.
const firstNames, secondNames, nobodysNames = "first-partys", "second-partys", "first-nobodys"

// publicParameter names an image that every wire has.
const publicParameter = "/aws/service/slipway/tiny/latest"

// identityWorld furnishes an account with each kind of thing that IAM and STS know, in two: one that all hangs
// together, and a spare one that can be deleted. It answers the user's keys and those of its session.
func identityWorld(w *apitest.Wire, p string) (user, session aws.Credentials) {
	w.T.Helper()
	root, account, path := w.Root(), w.Keys.Account, "/"+p+"-path/"
	do := func(action string, params ...string) apitest.Answer { return w.Well(root, "iam", action, params...) }
	tags := []string{"Tags.member.1.Key", p + "-tag", "Tags.member.1.Value", p + "-value"}
	policy := "arn:aws:iam::" + account + ":policy" + path + p + "-policy"
	for _, spare := range []string{"", "-spare"} {
		do("CreateUser", append(tags, "UserName", p+"-user"+spare, "Path", path)...)
		do("CreateRole", append(tags, "RoleName", p+"-role"+spare, "Path", path, "Description", p+"-description",
			"AssumeRolePolicyDocument", trustIn("arn:aws:iam::"+account+":root"))...)
		do("CreatePolicy", append(tags, "PolicyName", p+"-policy"+spare, "Path", path, "PolicyDocument",
			apitest.Document(`{"Sid":"`+strings.ReplaceAll(p, "-", "")+
				`","Effect":"Allow","Action":"ec2:*","Resource":"*"}`))...)
		do("CreateInstanceProfile", append(tags, "InstanceProfileName", p+"-profile"+spare, "Path", path)...)
	}
	for _, spare := range []string{"-kept", "-spare"} {
		body := `{"Name":"/` + p + spare + `","Value":"` + p + `-word","Type":"SecureString","Description":"` + p +
			`-description"}`
		a := w.Signed(root, "ssm", body, http.Header{"X-Amz-Target": {"AmazonSSM.PutParameter"},
			"Content-Type": {"application/x-amz-json-1.1"}})
		if a.Status != http.StatusOK {
			w.T.Fatalf("a parameter: %s", a.Body)
		}
	}
	do("CreatePolicyVersion", "PolicyArn", policy, "SetAsDefault", "true", "PolicyDocument",
		apitest.Document(apitest.MaySeeVPCs))
	for _, kind := range []string{"User", "Role"} {
		name := p + "-" + strings.ToLower(kind)
		for _, arn := range []string{policy, "arn:aws:iam::aws:policy/AmazonEC2FullAccess"} {
			do("Attach"+kind+"Policy", kind+"Name", name, "PolicyArn", arn)
		}
		do("Put"+kind+"Policy", kind+"Name", name, "PolicyName", p+"-inline", "PolicyDocument",
			apitest.Document(apitest.MaySeeVPCs))
	}
	do("AddRoleToInstanceProfile", "InstanceProfileName", p+"-profile", "RoleName", p+"-role")
	user = apitest.KeysIn(do("CreateAccessKey", "UserName", p+"-user").Body)
	return user, apitest.KeysIn(w.Well(user, "sts", "GetSessionToken").Body)
}

func trustIn(principal string) string {
	return apitest.Document(`{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"sts:AssumeRole"}`)
}

// identityCalls are, by service and action, parameters with which each action succeeds in an account whose names are
// of the word p; key is its user's. The two of login profiles find none in any account.
func identityCalls(account, p, key string) map[string][]string {
	policy := "arn:aws:iam::" + account + ":policy/" + p + "-path/" + p + "-policy"
	document, path := apitest.Document(apitest.MaySeeVPCs), "/"+p+"-path/"
	user, role, profile := p+"-user", p+"-role", p+"-profile"
	calls := map[string][]string{
		"iam CreateUser":          {"UserName", p + "-made", "Path", path},
		"iam UpdateUser":          {"UserName", user, "NewUserName", p + "-renamed", "NewPath", path},
		"iam DeleteUser":          {"UserName", user + "-spare"},
		"iam CreateRole":          {"RoleName", p + "-made", "Path", path, "AssumeRolePolicyDocument", apitest.Ec2Trust},
		"iam DeleteRole":          {"RoleName", role + "-spare"},
		"iam UpdateRole":          {"RoleName", role, "Description", p, "MaxSessionDuration", "7200"},
		"iam ListUsers":           {"PathPrefix", path},
		"iam ListRoles":           {"PathPrefix", path},
		"iam DeletePolicy":        {"PolicyArn", policy + "-spare"},
		"iam CreatePolicy":        {"PolicyName", p + "-made", "Path", path, "PolicyDocument", document},
		"iam ListPolicies":        {"PathPrefix", path, "Scope", "Local", "OnlyAttached", "true"},
		"iam GetPolicy":           {"PolicyArn", policy},
		"iam TagPolicy":           {"PolicyArn", policy, "Tags.member.1.Key", p, "Tags.member.1.Value", p},
		"iam UntagPolicy":         {"PolicyArn", policy, "TagKeys.member.1", p + "-tag"},
		"iam GetUser":             {"UserName", user},
		"iam GetRole":             {"RoleName", role},
		"sts AssumeRole":          {"RoleArn", "arn:aws:iam::" + account + ":role" + path + role, "RoleSessionName", p},
		"ssm PutParameter":        {"Name", "/" + p + "-made", "Value", "word-" + p, "Type", "SecureString"},
		"ssm GetParameter":        {"Name", "/" + p + "-kept", "WithDecryption", "true"},
		"ssm GetParameterHistory": {"Name", "/" + p + "-kept", "WithDecryption", "true"},
		"ssm DescribeParameters":  {"MaxResults", "50"},
		"ssm ListTagsForResource": {"ResourceType", "Parameter", "ResourceId", "/" + p + "-kept"},
		"ssm DeleteParameter":     {"Name", "/" + p + "-spare"},
		"ssm GetParameters":       {"Names.1", publicParameter, "Names.2", "/" + p},

		"iam UpdateRoleDescription":         {"RoleName", role, "Description", p},
		"iam UpdateAssumeRolePolicy":        {"RoleName", role, "PolicyDocument", apitest.Ec2Trust},
		"iam CreatePolicyVersion":           {"PolicyArn", policy, "PolicyDocument", document, "SetAsDefault", "true"},
		"iam GetPolicyVersion":              {"PolicyArn", policy, "VersionId", "v1"},
		"iam DeletePolicyVersion":           {"PolicyArn", policy, "VersionId", "v1"},
		"iam SetDefaultPolicyVersion":       {"PolicyArn", policy, "VersionId", "v1"},
		"iam ListPolicyVersions":            {"PolicyArn", policy},
		"iam ListPolicyTags":                {"PolicyArn", policy},
		"iam ListEntitiesForPolicy":         {"PolicyArn", policy, "PathPrefix", path, "EntityFilter", "User"},
		"iam CreateInstanceProfile":         {"InstanceProfileName", p + "-made", "Path", path},
		"iam DeleteInstanceProfile":         {"InstanceProfileName", profile + "-spare"},
		"iam GetInstanceProfile":            {"InstanceProfileName", profile},
		"iam ListInstanceProfiles":          {"PathPrefix", path},
		"iam ListInstanceProfileTags":       {"InstanceProfileName", profile},
		"iam ListInstanceProfilesForRole":   {"RoleName", role},
		"iam AddRoleToInstanceProfile":      {"InstanceProfileName", profile + "-spare", "RoleName", role},
		"iam RemoveRoleFromInstanceProfile": {"InstanceProfileName", profile, "RoleName", role},
		"iam TagInstanceProfile":            {"InstanceProfileName", profile, "Tags.member.1.Key", p, "Tags.member.1.Value", p},
		"iam UntagInstanceProfile":          {"InstanceProfileName", profile, "TagKeys.member.1", p + "-tag"},
		"iam CreateAccessKey":               {"UserName", user + "-spare"},
		"iam UpdateAccessKey":               {"UserName", user, "AccessKeyId", key, "Status", "Inactive"},
		"iam DeleteAccessKey":               {"UserName", user, "AccessKeyId", key},
		"iam GetLoginProfile":               {"UserName", user},
		"iam DeleteLoginProfile":            {"UserName", user},
		"iam ListServiceSpecificCredentials": {
			"UserName", user, "ServiceName", "codecommit.amazonaws.com",
		},
		"iam ListAccountAliases":    {"MaxItems", "10"},
		"iam ListVirtualMFADevices": {"AssignmentStatus", "Any"},
		"sts GetCallerIdentity":     nil,
		"sts GetSessionToken":       {"DurationSeconds", "900"},
		"ssm GetParametersByPath":   {"Path", "/aws/service/", "Recursive", "true"},
	}
	for _, list := range []string{
		"ListAccessKeys", "ListGroupsForUser", "ListSSHPublicKeys", "ListMFADevices", "ListSigningCertificates",
	} {
		calls["iam "+list] = []string{"UserName", user, "MaxItems", "10"}
	}
	for kind, name := range map[string]string{"User": user, "Role": role} {
		who := []string{kind + "Name", name}
		with := func(more ...string) []string { return append(slices.Clone(who), more...) }
		calls["iam Put"+kind+"Policy"] = with("PolicyName", p+"-put", "PolicyDocument", document)
		calls["iam Get"+kind+"Policy"], calls["iam Delete"+kind+"Policy"] = with("PolicyName", p+"-inline"),
			with("PolicyName", p+"-inline")
		calls["iam Attach"+kind+"Policy"], calls["iam Detach"+kind+"Policy"] = with("PolicyArn", policy+"-spare"),
			with("PolicyArn", policy)
		calls["iam List"+kind+"Policies"], calls["iam ListAttached"+kind+"Policies"] = who, with("PathPrefix", path)
		calls["iam Tag"+kind] = with("Tags.member.1.Key", p, "Tags.member.1.Value", p)
		calls["iam Untag"+kind], calls["iam List"+kind+"Tags"] = with("TagKeys.member.1", p+"-tag"), who
	}
	return calls
}

// identityKinds are what of another's may be put into a parameter, by the last word of the parameters that ask for it.
// Each is made of a sharedState's account and word for names.
var identityKinds = map[string]func(account, p string) string{
	"user":         func(_, p string) string { return p + "-user" },
	"role":         func(_, p string) string { return p + "-role" },
	"policy":       func(_, p string) string { return p + "-policy" },
	"inline":       func(_, p string) string { return p + "-inline" },
	"profile":      func(_, p string) string { return p + "-profile" },
	"path":         func(_, p string) string { return "/" + p + "-path/" },
	"tag":          func(_, p string) string { return p + "-tag" },
	"value":        func(_, p string) string { return p + "-value" },
	"account":      func(account, _ string) string { return account },
	"root":         func(account, _ string) string { return "arn:aws:iam::" + account + ":root" },
	"user ARN":     identityARN("user"),
	"role ARN":     identityARN("role"),
	"policy ARN":   identityARN("policy"),
	"profile ARN":  identityARN("instance-profile"),
	"parameter":    func(account, p string) string { return "arn:aws:ssm:us-east-1:" + account + ":parameter/" + p },
	"trust a user": func(account, p string) string { return trustIn(identityARN("user")(account, p)) },
	"trust a role": func(account, p string) string { return trustIn(identityARN("role")(account, p)) },
	"document": func(account, p string) string {
		return apitest.Document(`{"Effect":"Allow","Action":"*","Resource":"` + identityARN("role")(account, p) + `"}`)
	},
}

func identityARN(kind string) func(account, p string) string {
	return func(account, p string) string {
		return "arn:aws:iam::" + account + ":" + kind + "/" + p + "-path/" + p + "-" + strings.TrimPrefix(kind, "instance-")
	}
}

// askedFor are the kinds that a parameter asks for.
var askedFor = map[string][]string{
	"UserName": {"user"}, "NewUserName": {"user"}, "RoleName": {"role"}, "PolicyName": {"policy", "inline"},
	"InstanceProfileName": {"profile"}, "Path": {"path"}, "NewPath": {"path"}, "PathPrefix": {"path"},
	"PolicyArn": {"policy ARN"}, "RoleArn": {"role ARN", "user ARN"}, "Key": {"tag"}, "TagKeys": {"tag"},
	"Value": {"value"}, "PolicyDocument": {"document", "trust a user"}, "Name": {"parameter"}, "Names": {"parameter"},
	"AssumeRolePolicyDocument": {"trust a user", "trust a role"}, "PermissionsBoundary": {"policy ARN"},
	"AccessKeyId": {"key", "key of the root", "key of a session", "key of an instance"}, "Policy": {"document"},
}

// morePlaces are parameters that no call of identityCalls has.
var morePlaces = []string{
	"Marker", "PolicyUsageFilter", "PermissionsBoundary", "Description", "ExternalId", "Policy", "DurationSeconds",
	"Tags.member.1.Key", "Tags.member.1.Value", "Path", "PathPrefix", "MaxItems", "EntityFilter", "SerialNumber",
}

// identityCrossings are where a caller rightly gets another answer for another account's than for nobody's, by action,
// parameter and kind, and why.
var identityCrossings = map[string]string{
	"CreateRole AssumeRolePolicyDocument trust a user":   trustCrosses,
	"CreateRole AssumeRolePolicyDocument trust a role":   trustCrosses,
	"UpdateAssumeRolePolicy PolicyDocument trust a user": trustCrosses,
	"UpdateAssumeRolePolicy PolicyDocument trust a role": trustCrosses,
}

const trustCrosses = "a trust policy names principals of other accounts, and one that is not there is refused, as by IAM"

var madeByIAM = regexp.MustCompile(`\b(AIDA|AROA|AIPA|ANPA|AKIA|ASIA)[A-Z2-7]{16}\b|` +
	`<(SecretAccessKey|SessionToken)>[^<]*<|"LastModifiedDate":[0-9.e+]+|"Value":"[A-Za-z0-9+/]{43}="|` +
	`\b20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?`)

// identityIsolation is isolation in the services of who one is.
type identityIsolation struct {
	*isolation
	kinds map[string][2]string // what is the first account's, and its like that nobody has
	same  *strings.Replacer    // what differs rightly between answers for the one and the other
	rest  map[string][]byte    // the second account's records, to which it is brought back after each call
}

func (m *identityIsolation) send(who aws.Credentials, call string, params []string) apitest.Answer {
	service, name, _ := strings.Cut(call, " ")
	if service != "ssm" {
		return m.second.By(who, service, name, params...)
	}
	in := map[string]any{}
	for i := 0; i+1 < len(params); i += 2 {
		switch member, _, list := strings.Cut(params[i], "."); {
		case list:
			so, _ := in[member].([]string)
			in[member] = append(so, params[i+1])
		case member == "MaxResults":
			in[member], _ = strconv.Atoi(params[i+1])
		case slices.Contains([]string{"Recursive", "Overwrite", "WithDecryption"}, member):
			in[member] = params[i+1] == "true"
		default:
			in[member] = params[i+1]
		}
	}
	body, err := json.Marshal(in)
	if err != nil {
		m.t.Fatal(err)
	}
	a := m.second.Signed(who, service, string(body), http.Header{"X-Amz-Target": {"AmazonSSM." + name},
		"Content-Type": {"application/x-amz-json-1.1"}})
	var told struct {
		Type string `json:"__type"`
	}
	if a.Status != http.StatusOK && json.Unmarshal([]byte(a.Body), &told) == nil {
		a.Code = told.Type
	}
	return a
}

// ask is one call in the second account, which is afterwards as it was.
func (m *identityIsolation) ask(who aws.Credentials, call string, params []string, told string) apitest.Answer {
	m.calls++
	a := m.send(who, call, params)
	if a.Status >= 500 {
		m.t.Errorf("%s %v: %d %s", call, params, a.Status, a.Body)
	}
	for _, s := range m.secrets {
		if strings.Contains(a.Body, string(s)) && !strings.Contains(told, string(s)) {
			m.t.Errorf("%s %v tells %q of another account: %s", call, params, s, a.Body)
			break
		}
	}
	m.restore()
	return a
}

func (m *identityIsolation) plain(a apitest.Answer) string {
	body := requestIDs.ReplaceAllString(m.same.Replace(a.Body), "")
	return fmt.Sprint(a.Status, madeByIAM.ReplaceAllString(body, "MADE"))
}

// seconds are the second account's records of IAM and its keys.
func (m *identityIsolation) seconds(r store.Reader) map[string][]byte {
	out := map[string][]byte{}
	for it := range r.Range("s/") {
		switch s, _, kind, _ := state.Split(it.Key); kind {
		case state.Users.Kind(), state.Roles.Kind(), state.ManagedPolicies.Kind(), state.InstanceProfiles.Kind(),
			state.SSMParameters.Kind():
			if s.Account == m.second.Keys.Account {
				out[it.Key] = it.Value
			}
		case state.AccessKeys.Kind():
			if k, ok := it.Object.(*slipway.AccessKey); ok && k.Account == m.second.Keys.Account {
				out[it.Key] = it.Value
			}
		}
	}
	return out
}

func (m *identityIsolation) restore() {
	m.t.Helper()
	now := m.seconds(m.first.DB.Local())
	if maps.EqualFunc(now, m.rest, func(a, b []byte) bool { return string(a) == string(b) }) {
		return
	}
	err := m.first.DB.Store.Update(context.Background(), func(tx store.Tx) error {
		for key := range m.seconds(tx) {
			if m.rest[key] == nil {
				tx.Delete(key)
			}
		}
		for key, value := range m.rest {
			tx.Put(key, value)
		}
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// unharmed fails for each of the first account's records that is not as it was.
func (m *identityIsolation) unharmed(before map[string]string, what string) {
	m.t.Helper()
	if now := m.records(); !maps.Equal(now, before) {
		for key := range now {
			if now[key] != before[key] {
				m.t.Errorf("%s changed another account's %s:\n\t%s\n\t%s", what, key, before[key], now[key])
			}
		}
		for key := range before {
			if _, is := now[key]; !is {
				m.t.Errorf("%s took another account's %s", what, key)
			}
		}
		m.t.FailNow()
	}
}

// readings are the answers of all calls that only read.
func (m *identityIsolation) readings(calls map[string][]string) map[string]string {
	out := map[string]string{}
	for call, params := range calls {
		if _, name, _ := strings.Cut(call, " "); strings.HasPrefix(name, "Get") || strings.HasPrefix(name, "List") {
			out[call] = m.plain(m.ask(m.second.Root(), call, params, ""))
			// with nothing asked for, lists show all
			out[call+" all"] = m.plain(m.ask(m.second.Root(), call, nil, ""))
		}
	}
	return out
}

// mutated is a key id of the same form that nobody has.
func mutated(id string) string {
	swap := func(r rune) rune { return 'A' + ('Z'-r)%26 }
	return id[:4] + strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return swap(r)
		}
		return r
	}, id[4:])
}

// TestIdentitiesAreIsolated calls every action of IAM, STS and SSM in one account with another account's names, paths,
// ARNs, key ids, tags and documents: the answer is the one for what nobody has, nothing of the other account stands in
// it, and the other's records stay as they are, also where both have users, roles, policies and profiles of the same
// names. SLIPWAY_ISOLATION=all puts everything into every parameter, as three callers.
func TestIdentitiesAreIsolated(t *testing.T) {
	all := os.Getenv("SLIPWAY_ISOLATION") == "all"
	w := apitest.New(t)
	m := &identityIsolation{isolation: &isolation{t: t, first: w, second: w.As(slipway.Account{Name: "second"}),
		volatile: regexp.MustCompile(`\b20[0-9]{2}-[0-9]{2}-[0-9]{2}(T[0-9:.]+Z?)?`)}}
	first, second := w.Keys.Account, m.second.Keys.Account
	seconds, _ := identityWorld(m.second, secondNames)
	admin := m.second.User("second-partys-admin", apitest.Document(`{"Effect":"Allow","Action":"*","Resource":"*"}`))
	calls := identityCalls(second, secondNames, seconds.AccessKeyID)
	m.covers(calls)

	// What the second account is shown does not depend on what the first has.
	m.same, m.rest = strings.NewReplacer(), m.seconds(w.DB.Local())
	alone := m.readings(calls)
	user, session := identityWorld(m.first, firstNames)
	id := w.Launch("t3.micro", "IamInstanceProfile.Name", firstNames+"-profile")
	w.Settled(id)
	w.Eventually("the instance has credentials", func() bool {
		return state.InstanceKey(w.DB.Local(), slipway.InstanceID(id)) != nil
	})
	for call, answer := range m.readings(calls) {
		if answer != alone[call] {
			t.Errorf("%s answers otherwise since another account has something:\n\t%s\n\t%s", call, alone[call], answer)
		}
	}

	m.kinds = map[string][2]string{}
	same := []string{}
	for kind, of := range identityKinds {
		m.kinds[kind] = [2]string{of(first, firstNames), of(nobodys(first), nobodysNames)}
	}
	for kind, key := range map[string]string{
		"key": user.AccessKeyID, "key of the root": w.Keys.ID, "key of a session": session.AccessKeyID,
		"key of an instance": state.InstanceKey(w.DB.Local(), slipway.InstanceID(id)).ID,
	} {
		m.kinds[kind] = [2]string{key, mutated(key)}
		same = append(same, key, "KEY", mutated(key), "KEY")
	}
	m.same = strings.NewReplacer(append(same, first, "ACCOUNT", nobodys(first), "ACCOUNT", firstNames, "NAME",
		nobodysNames, "NAME")...)
	m.hide(alone)
	secrets, before := len(m.secrets), m.records()

	callers := map[string]aws.Credentials{"its root": m.second.Root(), "who may nothing": seconds}
	if all {
		callers["who may all"] = admin
	}
	places, kinds := 0, slices.Sorted(maps.Keys(m.kinds))
	tried := map[string]bool{}
	for _, call := range slices.Sorted(maps.Keys(calls)) {
		for _, place := range m.places(call, calls) {
			places++
			word := strings.TrimSuffix(place[strings.LastIndexByte(strings.TrimSuffix(place, ".1"), '.')+1:], ".1")
			word = strings.TrimSuffix(strings.TrimSuffix(word, ".member"), ".")
			if head, _, ok := strings.Cut(place, ".member.1"); ok && strings.HasSuffix(place, ".member.1") {
				word = head
			}
			for _, kind := range kinds {
				if all || slices.Contains(askedFor[word], kind) {
					for who, keys := range callers {
						m.tryAs(who, keys, call, place, kind, calls[call])
					}
					tried[kind] = true
				}
			}
		}
		m.unharmed(before, call)
	}
	compared := m.compared

	m.twins(user.AccessKeyID, alone, before)
	t.Logf("%d calls: %d comparisons of %d parameters of %d actions, with %d kinds of what is another's; %d texts of the "+
		"first account were looked for", m.calls, compared, places, len(calls), len(tried), secrets)
	if compared < 250 || places < 200 || len(tried) < 15 || secrets < 30 {
		t.Errorf("%d comparisons, %d parameters, %d kinds, %d texts: fewer than there have to be", compared, places,
			len(tried), secrets)
	}
}

// twins tries the calls once more with the same names in both accounts; key is the first one's user's.
func (m *identityIsolation) twins(key string, alone, before map[string]string) {
	m.t.Helper()
	twins, _ := identityWorld(m.second, firstNames)
	m.rest = m.seconds(m.first.DB.Local())
	m.hide(alone)
	own := identityCalls(m.second.Keys.Account, firstNames, twins.AccessKeyID)
	others := identityCalls(m.first.Keys.Account, firstNames, key)
	for _, call := range slices.Sorted(maps.Keys(own)) {
		a := m.ask(m.second.Root(), call, own[call], strings.Join(own[call], " "))
		if noProfile := strings.HasSuffix(call, "LoginProfile"); a.Status != http.StatusOK && !noProfile {
			m.t.Errorf("%s %v: %d %s", call, own[call], a.Status, a.Body)
		}
		m.ask(m.second.Root(), call, others[call], strings.Join(others[call], " "))
		m.unharmed(before, call+" with the same names")
	}
}

// hide makes secrets of what stands in the first account's records alone; what the second was shown before the first
// had anything is none.
func (m *identityIsolation) hide(alone map[string]string) {
	m.secrets = nil
	m.arm()
	m.secrets = slices.DeleteFunc(m.secrets, func(word []byte) bool {
		return slices.ContainsFunc(slices.Collect(maps.Values(alone)), func(answer string) bool {
			return strings.Contains(answer, string(word))
		})
	})
	m.secrets = append(m.secrets, []byte(m.first.Keys.Account))
}

// covers fails for each action that is served and not called, and the other way around.
func (m *identityIsolation) covers(calls map[string][]string) {
	m.t.Helper()
	served := map[string]bool{}
	for name := range m.first.API.IAM.Actions() {
		served["iam "+name] = true
	}
	for name := range m.first.API.IAM.TokenActions() {
		served["sts "+name] = true
	}
	for call := range served {
		if _, ok := calls[call]; !ok {
			m.t.Errorf("%s is served and not tried", call)
		}
	}
	for call := range calls {
		if !served[call] && !strings.HasPrefix(call, "ssm ") {
			m.t.Errorf("%s is tried and not served", call)
		}
	}
}

// places are the parameters that an action takes: of all that any action has, those that it does not refuse.
func (m *identityIsolation) places(call string, calls map[string][]string) []string {
	service, _, _ := strings.Cut(call, " ")
	known := map[string]bool{}
	for other, params := range calls {
		for i := 0; i < len(params); i += 2 {
			if strings.HasPrefix(other, service) {
				known[params[i]] = true
			}
		}
	}
	if service == "ssm" { // JSON's unknown members are passed over
		return slices.Sorted(maps.Keys(known))
	}
	for _, more := range morePlaces {
		known[more] = true
	}
	for place := range known {
		if a := m.send(m.second.Root(), call, with(calls[call], place, "x")); a.Code == "UnknownParameter" {
			delete(known, place)
		}
		m.restore()
	}
	return slices.Sorted(maps.Keys(known))
}

// tryAs asks with what is the first account's and with what nobody has, and holds the answers to be one.
func (m *identityIsolation) tryAs(who string, keys aws.Credentials, call, place, kind string, base []string) {
	pair := m.kinds[kind]
	answer := func(value string) string {
		params := with(base, place, value)
		return m.plain(m.ask(keys, call, params, strings.Join(params, " ")))
	}
	m.compared++
	theirs, nobodys := answer(pair[0]), answer(pair[1])
	_, name, _ := strings.Cut(call, " ")
	if theirs != nobodys && identityCrossings[name+" "+place+" "+kind] == "" {
		m.t.Errorf("%s by %s: another account's %s as %s is told from one that nobody has:\n\t%s\n\t%s", call, who, kind,
			place, theirs, nobodys)
	}
}
