package slipway_test

import (
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rulesOfEC2 are the sections of docs/ec2-rules.md by their names.
func rulesOfEC2(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, section := range strings.Split(read(t, "docs/ec2-rules.md"), "\n### ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		if _, twice := all[name]; twice {
			t.Errorf("docs/ec2-rules.md has the rule %s twice", name)
		}
		all[name] = text
	}
	if len(all) < 40 {
		t.Fatalf("%d rules were found: the test looks at the wrong place", len(all))
	}
	return all
}

// TestRulesSayWhereTheyComeFromAndWhatHoldsThem: a rule without a source is an opinion, one without a test a wish. That the
// tests exist, TestDocumentsNameTestsThatExist looks.
func TestRulesSayWhereTheyComeFromAndWhatHoldsThem(t *testing.T) {
	source := regexp.MustCompile(`\*From:\* .*(?:\((?:model|guide|seen|others)[ ,;)]|the guide's pages? )`)
	held := regexp.MustCompile(`\*Held by:\* ` + "`Test[A-Z]")
	for name, text := range rulesOfEC2(t) {
		text = strings.Join(strings.Fields(text), " ")
		if !source.MatchString(text) {
			t.Errorf("the rule %s does not say where it comes from, and how good that is", name)
		}
		if !held.MatchString(text) {
			t.Errorf("the rule %s names no test", name)
		}
	}
}

// TestRulesThatAreCitedExist: comments and tests cite EC2's rules by names that docs/ec2-rules.md has, and no number of a
// document that is not in the repository.
func TestRulesThatAreCitedExist(t *testing.T) {
	rules := rulesOfEC2(t)
	name := `(?:R\d+|[a-z]\w*(?:-\w+)+|hibernation|paging)`
	cited := regexp.MustCompile(`\brules? (` + name + `(?:(?:, | and )` + name + `)*)`)
	named := regexp.MustCompile(`\bTest(R\d+)[A-Z]|"(R\d+):`)
	elsewhere := regexp.MustCompile(`(?i)\breference,? (?:section )?\d`)
	found := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.Contains(path, "ec2wire") {
			return err
		}
		text := read(t, path)
		if path != "rules_test.go" && elsewhere.MatchString(text) {
			t.Errorf("%s cites %q: write the rule into docs/ec2-rules.md, and cite that", path, elsewhere.FindString(text))
		}
		var names []string
		for _, comment := range regexp.MustCompile(`(?m)//.*$(?:\n\s*//.*$)*`).FindAllString(text, -1) {
			words := strings.Join(strings.Fields(strings.ReplaceAll(comment, "//", " ")), " ")
			for _, m := range cited.FindAllStringSubmatch(words, -1) {
				names = append(names, regexp.MustCompile(`, | and `).Split(m[1], -1)...)
			}
		}
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			names = append(names, m[1]+m[2])
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test(R\d+)[A-Z]\w*)`).FindAllStringSubmatch(text, -1) {
			if !strings.Contains(rules[m[2]], "`"+m[1]+"`") {
				t.Errorf("%s is named after rule %s, which docs/ec2-rules.md does not say", m[1], m[2])
			}
		}
		for _, name := range names {
			found[name] = true
			if _, there := rules[name]; !there {
				t.Errorf("%s cites the rule %s, which docs/ec2-rules.md does not have", path, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range maps.Keys(rules) {
		if !found[name] {
			t.Logf("nothing in the code cites the rule %s", name)
		}
	}
	if len(found) < 30 {
		t.Errorf("%d rules are cited (%v): the test looks at the wrong places", len(found), slices.Sorted(maps.Keys(found)))
	}
}
