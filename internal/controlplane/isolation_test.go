package controlplane_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/apitest"
	"slipway/internal/state"
	"slipway/internal/store"
)

// idWords are the kinds of ids by the word that a parameter or a filter has for them; the one that ends the name
// furthest right decides.
var idWords = map[string]string{
	"instance": "i", "volume": "vol", "snapshot": "snap", "image": "ami", "subnet": "subnet", "vpc": "vpc",
	"group": "sg", "securitygroup": "sg", "securitygrouprule": "sgr", "interface": "eni",
	"routetable": "rtb", "internetgateway": "igw", "gateway": "igw", "networkacl": "acl", "acl": "acl",
	"dhcpoptions": "dopt", "allocation": "eipalloc", "association": "eipassoc", "launchtemplate": "lt",
	"natgateway": "nat", "peeringconnection": "pcx", "egressonlyinternetgateway": "eigw", "prefixlist": "pl",
	"capacityreservation": "cr", "reservation": "r", "host": "h", "importtask": "import-snap",
	"resource": "i", "fleet": "fleet", "keypair": "key", "attachment": "eni-attach", "spotinstancerequest": "sir",
	"owner": "account", "user": "account", "profile": "arn", "arn": "arn", "publicip": "address",
}

// kindOf is the kind of id that a name asks for; "" when it asks for none.
func kindOf(name string) string {
	plain := strings.ToLower(strings.NewReplacer("-", "", ".", "", "Ids", "", "Id", "", "ID", "").Replace(name))
	plain = strings.TrimSuffix(strings.TrimSuffix(plain, "id"), "s")
	best, end := "", 0
	for word := range idWords {
		at := strings.LastIndex(plain, word)
		if at >= 0 && (at+len(word) > end || at+len(word) == end && len(word) > len(best)) {
			best, end = word, at+len(word)
		}
	}
	return idWords[best]
}

// shapes are the generated request shapes: of each type the parameters that take text, by their whole names. Lists
// have their first place.
type shapes map[string]string

func readShapes(t *testing.T) shapes {
	t.Helper()
	files, err := filepath.Glob("../../internal/ec2wire/shapes_*.go")
	if err != nil {
		t.Fatal(err)
	}
	all, method := shapes{}, regexp.MustCompile(`(?s)func \(x \*(\w+)\) DecodeQuery\(r \*ec2query.Reader\) \{\n(.*?)\n\}`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range method.FindAllStringSubmatch(string(text), -1) {
			all[m[1]] = m[2]
		}
	}
	return all
}

var (
	textMember = regexp.MustCompile(`= r\.(String|Strings)\("(\w+)"\)`)
	deepMember = regexp.MustCompile(`in := r\.(List|Struct)\("(\w+)"\); in != nil \{\s+x\.\w+ = (?:make\(\[\]|new\()(\w+)`)
)

// below are the names of the text parameters of a shape.
func (s shapes) below(shape, prefix string, depth int) []string {
	var out []string
	for _, m := range textMember.FindAllStringSubmatch(s[shape], -1) {
		name := prefix + m[2]
		if m[1] == "Strings" {
			name += ".1"
		}
		out = append(out, name)
	}
	for _, m := range deepMember.FindAllStringSubmatch(s[shape], -1) {
		name := prefix + m[2] + "."
		if m[1] == "List" {
			name += "1."
		}
		if depth < 5 && m[3] != "Filter" && m[3] != "TagSpecification" {
			out = append(out, s.below(m[3], name, depth+1)...)
		}
	}
	return out
}

// requestOf is the name of the shape that an action decodes.
func requestOf(a action.Action) string {
	decode, _ := reflect.TypeOf(a).Elem().FieldByName("decode")
	return decode.Type.Out(0).Elem().Name()
}

// isolation is two accounts, of which the second asks for what is the first one's.
type isolation struct {
	t             *testing.T
	first, second *apitest.Wire
	ids           map[string][2]string // by kind: the first account's, and one of the same form that nobody has
	secrets       [][]byte             // what stands in the first account's records and in nobody else's
	volatile      *regexp.Regexp
	calls         int
	compared      int
}

// crossings are where a caller rightly gets another answer for another account's id than for one that nobody has, by
// action, parameter and kind of id, and why. What is public, shared or agreed upon (images, snapshots, peerings) is
// not among the ids that are tried, which are private.
var crossings = map[string]string{
	"AllocateAddress Address address": "what is allocated is not free, as in EC2: public addresses are everybody's",
}

var isolated = regexp.MustCompile(`\b(fleet-[0-9a-f-]{36}|sir-[0-9a-z]{8}|[a-z]{1,20}(-[a-z]+)?-[0-9a-f]{8,17})\b`)

// nobodys is an id of the same form that nobody has.
func nobodys(id string) string {
	b := []byte(id)
	for i, changed := len(b)-1, 0; i >= 0 && changed < 6; i-- {
		if c := b[i]; c >= '0' && c <= '9' {
			b[i] = '0' + (c-'0'+5)%10
			changed++
		} else if c >= 'a' && c <= 'f' {
			b[i] = 'a' + (c-'a'+3)%6
			changed++
		} else if c == '-' {
			break
		}
	}
	return string(b)
}

// ownOnly leaves out of a list what is public.
var ownOnly = map[string][]string{"DescribeImages": {"Owner.1", "self"}, "DescribeSnapshots": {"OwnerId.1", "self"}}

// collect finds one id of each kind in what the first account is shown of its own, and marks what can be marked.
func (m *isolation) collect() {
	w, others := m.first, m.words(false)
	for _, l := range state.AWSPrefixLists("us-east-1") {
		others[string(l.ID)] = true
	}
	for name, a := range w.Actions() {
		if !a.Rules().Reads || !strings.HasPrefix(name, "Describe") {
			continue
		}
		for _, id := range isolated.FindAllString(w.Call(name, ownOnly[name]...).Body, -1) {
			kind, _, _ := strings.Cut(id, "-")
			if i := strings.LastIndexByte(id, '-'); kind != "fleet" {
				kind = id[:i]
			}
			if had, ok := m.ids[kind]; !others[id] && (!ok || id < had[0]) { // public snapshots are everybody's
				m.ids[kind] = [2]string{id, nobodys(id)}
			}
		}
	}
	for id := range isolatedIDs(w) {
		// not each has tags
		w.Call("CreateTags", "ResourceId.1", id, "Tag.1.Key", "isolation-key-of-first", "Tag.1.Value",
			"isolation-value-of-first")
	}
	account := w.Keys.Account
	m.ids["account"] = [2]string{account, nobodys(account)}
	profile := "arn:aws:iam::" + account + ":instance-profile/"
	m.ids["arn"] = [2]string{profile + "app", profile + "bpp"}
	if ip := w.Must("publicIp", "AllocateAddress", "Domain", "vpc"); ip != "" {
		a := netip.MustParseAddr(ip).As4()
		a[1], a[2] = a[1]^1, a[2]^1 // of a range of which hardly anything is taken
		m.ids["address"] = [2]string{ip, netip.AddrFrom4(a).String()}
	}
}

func isolatedIDs(w *apitest.Wire) map[string]bool {
	ids := map[string]bool{}
	for it := range w.DB.Local().Range("s/" + w.Keys.Account + "/") {
		_, id, _, _ := state.Split(it.Key)
		ids[id] = true
	}
	return ids
}

// records are the first account's, by key: what lies in its scopes, and what says elsewhere that it is its.
func (m *isolation) records() map[string]string {
	out, account := map[string]string{}, m.first.Keys.Account
	says := func(it *store.Item, member string) bool {
		return bytes.Contains(it.Value, []byte(`"`+member+`":"`+account+`"`))
	}
	for it := range m.first.DB.Local().Range("s/") {
		s, _, kind, _ := state.Split(it.Key)
		its := kind != "ledger" && (says(it, "Account") || says(it, "Owner"))
		if kind == "pcx" { // what somebody asks of it before it has said yes is not its own
			its = bytes.Contains(it.Value, []byte(`"Requester":{"Account":"`+account))
		}
		if s.Account == account || s.Account == "-" && its {
			out[it.Key] = m.volatile.ReplaceAllString(string(it.Value), "TIME")
		}
	}
	return out
}

// shown is what the first account is shown of what it has.
func (m *isolation) shown() map[string]string {
	out := map[string]string{}
	for name := range m.first.Actions() {
		if !strings.HasPrefix(name, "Describe") {
			continue
		}
		if a := m.first.Call(name, ownOnly[name]...); a.Status == http.StatusOK {
			out[name] = m.plain(a, "no id")
		}
	}
	return out
}

// words are the texts in all records that are, or are not, the first account's.
func (m *isolation) words(own bool) map[string]bool {
	records, out := m.records(), map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			out[v] = true
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for k, e := range v {
				out[k] = true
				walk(e)
			}
		}
	}
	for it := range m.first.DB.Local().Range("s/") {
		if _, its := records[it.Key]; its == own {
			var v any
			if json.Unmarshal(it.Value, &v) == nil {
				walk(v)
			}
		}
	}
	return out
}

func (m *isolation) arm() {
	others := m.words(false)
	for word := range m.words(true) {
		if ip, err := netip.ParseAddr(word); err == nil && ip.IsPrivate() {
			continue // the second account's networks have the same ranges
		}
		if len(word) >= 8 && !others[word] && !m.volatile.MatchString(word) && word != m.first.Keys.Account {
			m.secrets = append(m.secrets, []byte(word))
		}
	}
}

// ask is one call of the second account.
func (m *isolation) ask(name string, params []string, id string) apitest.Answer {
	m.calls++
	a := m.second.Call(name, params...)
	if a.Status >= 500 {
		m.t.Errorf("%s %v: %d %s", name, params, a.Status, a.Body)
	}
	for _, s := range m.secrets {
		if bytes.Contains([]byte(a.Body), s) && !strings.Contains(id, string(s)) {
			m.t.Errorf("%s %v tells %q of another account: %s", name, params, s, a.Body)
			break
		}
	}
	return a
}

var requestIDs = regexp.MustCompile(`(?i)<requestid>[^<]*</requestid>`)

// plain is an answer without what is another at each call, and without the id that was asked for.
func (m *isolation) plain(a apitest.Answer, id string) string {
	body := requestIDs.ReplaceAllString(a.Body, "")
	return fmt.Sprint(a.Status, m.volatile.ReplaceAllString(strings.ReplaceAll(body, id, "THE-ID"), "TIME"))
}

// try asks with the first account's id and with nobody's, and holds the answers to be one.
func (m *isolation) try(name string, reads bool, parameter, kind string, params func(id string) []string) {
	pair := m.ids[kind]
	form := func(id string) []string {
		if reads {
			return params(id)
		}
		return append([]string{"DryRun", "true"}, params(id)...)
	}
	m.compared++
	var theirs, nobodys string
	for range 3 { // what the second account has may just be changing
		theirs, nobodys = m.plain(m.ask(name, form(pair[0]), pair[0]), pair[0]),
			m.plain(m.ask(name, form(pair[1]), pair[1]), pair[1])
		if theirs == nobodys {
			return
		}
	}
	if crossings[name+" "+parameter+" "+kind] == "" {
		m.t.Errorf("%s %v: another account's %s is told from one that nobody has:\n\t%s\n\t%s", name, params(pair[0]),
			kind, theirs, nobodys)
	}
}

// with is the parameters with one set, which ousts what excludes it.
func with(base []string, name, value string) []string {
	out := []string{}
	for i := 0; i+1 < len(base); i += 2 {
		if at := base[i]; at != name && !strings.HasPrefix(at, name+".") && !strings.HasPrefix(name, at+".") {
			out = append(out, base[i], base[i+1])
		}
	}
	return append(out, name, value)
}

// unharmedBy fails for each of the first account's records that is not as it was, and answers how they are.
func (m *isolation) unharmedBy(name string, before map[string]string) (after map[string]string) {
	m.t.Helper()
	after = m.records()
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if after[key] != before[key] {
			m.t.Errorf("%s changed another account's %s:\n\t%s\n\t%s", name, key, before[key], after[key])
		}
	}
	for key := range after {
		if _, had := before[key]; !had {
			m.t.Errorf("%s made %s in another account: %s", name, key, after[key])
		}
	}
	return after
}

// TestAccountsAreIsolated calls every action that takes an id, by one account, with another account's ids: whatever
// the parameter, the answer is the one for an id that nobody has, nothing of the other account stands in it, and the
// other account's records stay as they are. SLIPWAY_ISOLATION=all tries every parameter and filter with every kind of id.
func TestAccountsAreIsolated(t *testing.T) {
	all := os.Getenv("SLIPWAY_ISOLATION") == "all"
	w := apitest.New(t)
	m := &isolation{t: t, first: w, second: w.As(slipway.Account{Name: "second"}), ids: map[string][2]string{},
		volatile: regexp.MustCompile(`\b20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?`)}
	apitest.WorldAtRest(m.first)
	base := apitest.WorldAtRest(m.second)
	m.collect()
	m.arm()
	before, saw := m.records(), m.shown()
	kinds, shapes, served := slices.Sorted(maps.Keys(m.ids)), readShapes(t), w.Actions()

	unharmed := func(name string) { before = m.unharmedBy(name, before) }
	each := func(do func(name string, a action.Action, parameter, kind string)) {
		for _, name := range slices.Sorted(maps.Keys(served)) {
			parameters := shapes.below(requestOf(served[name]), "", 0)
			for _, parameter := range parameters {
				kind := kindOf(strings.TrimSuffix(parameter[strings.LastIndexByte(strings.TrimSuffix(parameter, ".1"),
					'.')+1:], ".1"))
				for _, k := range kinds {
					if all || k == kind {
						do(name, served[name], parameter, k)
					}
				}
			}
			unharmed(name)
		}
	}
	parameters := map[string]bool{}
	each(func(name string, a action.Action, parameter, kind string) {
		parameters[name+" "+parameter] = true
		reads := a.Rules().Reads
		m.try(name, reads, parameter, kind, func(id string) []string { return with(base[name], parameter, id) })
		if len(base[name]) > 0 {
			m.try(name, reads, parameter, kind, func(id string) []string { return []string{parameter, id} })
		}
	})
	filters := 0
	for _, name := range slices.Sorted(maps.Keys(served)) {
		member := "Filter"
		if strings.HasPrefix(name, "DescribeImport") {
			member = "Filters"
		}
		for _, filter := range served[name].Rules().Filters {
			filters++
			for _, kind := range kinds {
				if all || kind == kindOf(filter) {
					m.try(name, true, "filter "+filter, kind, func(id string) []string {
						return append(slices.Clone(base[name]), member+".1.Name",
							strings.ReplaceAll(filter, "<key>", "k"), member+".1.Value.1", id)
					})
				}
			}
		}
		unharmed(name)
	}
	// Now in earnest: what the second account has goes to ruin meanwhile, and so it comes last.
	each(func(name string, a action.Action, parameter, kind string) {
		if !a.Rules().Reads {
			m.ask(name, with(base[name], parameter, m.ids[kind][0]), m.ids[kind][0])
		}
	})
	for name, now := range m.shown() {
		if now != saw[name] {
			t.Errorf("%s shows the first account something else than before:\n\t%s\n\t%s", name, saw[name], now)
		}
	}
	t.Logf("%d calls: %d comparisons of %d parameters of %d actions and %d filters, with ids of %d kinds; %d texts "+
		"of the first account were looked for",
		m.calls, m.compared, len(parameters), len(served), filters, len(kinds), len(m.secrets))
	if m.compared < 700 || len(kinds) < 30 || len(m.secrets) < 100 {
		t.Errorf("%d comparisons, %d kinds of ids (%v), %d texts: fewer than there have to be", m.compared, len(kinds),
			kinds, len(m.secrets))
	}
}
