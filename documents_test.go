package slipway_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// documents are all that a reader of the repository may believe. CHANGELOG.md is not among them: it says what was.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all[file] = string(b)
		}
	}
	delete(all, "CHANGELOG.md")
	if len(all) < 20 {
		t.Fatalf("%d documents were found: the test looks at the wrong place", len(all))
	}
	return all
}

// TestMarkdownHasLinesThatOneCanRead: 120 columns, but for what cannot be broken: tables, code, headings and single words
// such as links.
func TestMarkdownHasLinesThatOneCanRead(t *testing.T) {
	all := documents(t)
	b, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	all["CHANGELOG.md"] = string(b)
	for file, text := range all {
		block, n := false, 0
		for line := range strings.Lines(text) {
			n++
			line = strings.TrimRight(line, "\n")
			if strings.HasPrefix(line, "```") {
				block = !block
			}
			whole := block || strings.HasPrefix(line, "|") || strings.HasPrefix(line, "#") ||
				!strings.Contains(strings.TrimLeft(line, "-* "), " ")
			if width := utf8.RuneCountInString(line); width > 120 && !whole {
				t.Errorf("%s:%d has %d columns", file, n, width)
			}
		}
	}
}

// TestDecisionsAreNumberedWithoutGaps: a number that is missing looks like a record that was taken away.
func TestDecisionsAreNumberedWithoutGaps(t *testing.T) {
	files, err := filepath.Glob("docs/decisions/*")
	if err != nil || len(files) < 14 {
		t.Fatalf("%d decisions were found (%v)", len(files), err)
	}
	form := regexp.MustCompile(`^# (\d+)\. \S.* +Status: (accepted|superseded by \d+)`)
	for i, file := range files {
		if !strings.HasPrefix(filepath.Base(file), fmt.Sprintf("%04d-", i+1)) {
			t.Fatalf("%s stands where decision %d belongs", file, i+1)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if m := form.FindStringSubmatch(string(b)); m == nil || m[1] != fmt.Sprint(i+1) {
			t.Errorf("%s does not begin with \"# %d. Title          Status: accepted\"", file, i+1)
		}
	}
}

// anchors are the names under which GitHub finds a document's headings.
func anchors(text string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1]))
	}
	return all
}

// TestDocumentsLinkToWhatIsThere: files and, in our own documents, headings.
func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	all, looked := documents(t), 0
	for file, text := range all {
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			looked++
			target, anchor, _ := strings.Cut(m[1], "#")
			if target == "" {
				target = file
			} else {
				target = path.Join(path.Dir(file), target)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is nowhere", file, m[1])
			} else if anchor != "" && !slices.Contains(anchors(all[target]), anchor) {
				t.Errorf("%s links to %s, which has no such heading", file, m[1])
			}
		}
	}
	if looked < 15 {
		t.Errorf("%d links were found: the test looks at the wrong place", looked)
	}
}

// TestDocumentsNameFilesThatExist: every path below one of the repository's directories, and every file of ours by its name
// alone.
func TestDocumentsNameFilesThatExist(t *testing.T) {
	base := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		base[d.Name()] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	below := regexp.MustCompile(
		`(^|[\s` + "`" + `(."])((?:internal|cmd|docs|test|tools|scripts|packaging|\.ci)/[\w./*-]*[\w*])`)
	named := regexp.MustCompile("`([\\w.-]+\\.(?:go|md|tsv|dot|svg|mjs))`")
	looked := 0
	for file, text := range documents(t) {
		for _, m := range below.FindAllStringSubmatch(text, -1) {
			looked++
			found, err := filepath.Glob(m[2])
			if err == nil && len(found) == 0 {
				found, err = filepath.Glob(m[2] + "-*.md") // a decision by its number
			}
			if err != nil || len(found) == 0 {
				t.Errorf("%s names %s, which is nowhere (%v)", file, m[2], err)
			}
		}
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			looked++
			if !base[m[1]] {
				t.Errorf("%s names %s, which is nowhere", file, m[1])
			}
		}
	}
	if looked < 30 {
		t.Errorf("%d files were named: the test looks at the wrong place", looked)
	}
}

// TestDocumentsNameWhatPackagesHave: `instances.Run` in a document is a function, a type, a method or a field of package
// instances.
func TestDocumentsNameWhatPackagesHave(t *testing.T) {
	dirs := map[string][]string{}
	err := filepath.WalkDir("internal", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs[d.Name()] = append(dirs[d.Name()], path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	dirs["slipway"] = []string{"."}
	looked := 0
	for file, text := range documents(t) {
		for _, c := range code(text) {
			m := regexp.MustCompile(`^\*?([a-z]\w*)\.([A-Za-z]\w*)(?:\.|\(|$)`).FindStringSubmatch(c)
			if m == nil || dirs[m[1]] == nil || slices.Contains([]string{"go", "md", "tsv"}, m[2]) {
				continue
			}
			looked++
			declared := regexp.MustCompile(`(?m)^(?:func (?:\([^)]*\) )?|type |var |const |\t)` + m[2] + `\b`)
			declares := func(file string) bool { return declared.MatchString(read(t, file)) }
			if !slices.ContainsFunc(dirs[m[1]], func(dir string) bool {
				files, err := filepath.Glob(filepath.Join(dir, "*.go"))
				return err == nil && slices.ContainsFunc(files, declares)
			}) {
				t.Errorf("%s names `%s`, which the package does not have", file, c)
			}
		}
	}
	if looked < 10 {
		t.Errorf("%d names were found: the test looks at the wrong place", looked)
	}
}

// code is what a document shows as such: in blocks, line by line, and between backquotes.
func code(text string) []string {
	var all []string
	inside, prose := false, strings.Builder{}
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = !inside
		case inside:
			all = append(all, strings.TrimSpace(line))
		default:
			prose.WriteString(line)
		}
	}
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(prose.String(), -1) {
		all = append(all, strings.Join(strings.Fields(m[1]), " "))
	}
	return all
}

// TestDocumentsGiveCommandsThatExist: make's targets, slipway's commands and flags, packages and tests of `go test`, and
// settings by the environment.
func TestDocumentsGiveCommandsThatExist(t *testing.T) {
	makefile, command := read(t, "Makefile"), sources(t, "cmd/slipway", false)
	everything := makefile + sources(t, ".", true)
	looked := map[string]int{}
	targets := regexp.MustCompile(`^(?:[A-Z_]+=\S* )*make((?: [a-z][a-z-]*)+)$`)
	list := regexp.MustCompile(`^(?:\$ ?)?slipway ([a-z]+)\b(.*)$`)
	for file, text := range documents(t) {
		for _, c := range code(text) {
			c, _, _ = strings.Cut(c, "  #")
			c = strings.TrimSpace(c)
			if m := targets.FindStringSubmatch(c); m != nil {
				for _, target := range strings.Fields(m[1]) {
					looked["make"]++
					if !regexp.MustCompile(`(?m)^` + target + `:`).MatchString(makefile) {
						t.Errorf("%s names `%s`, but the Makefile has no %s", file, c, target)
					}
				}
			}
			if m := list.FindStringSubmatch(c); m != nil {
				looked["slipway"]++
				if !strings.Contains(command, "\n  slipway "+m[1]) {
					t.Errorf("%s names `%s`, which `slipway help` does not list", file, c)
				}
				usage := strings.Join(regexp.MustCompile(`(?m)^  slipway `+m[1]+`\b.*$`).FindAllString(command, -1), "\n")
				second := regexp.MustCompile(`^ ([a-z]+)( |$)`).FindStringSubmatch(m[2])
				if second != nil && !regexp.MustCompile(`\b`+second[1]+`\b`).MatchString(usage) {
					t.Errorf("%s names `%s`, of which `slipway help` lists no %q", file, c, second[1])
				}
				for _, flag := range regexp.MustCompile(`--([a-z][a-z-]*)`).FindAllStringSubmatch(m[2], -1) {
					if !strings.Contains(command, `"`+flag[1]+`"`) {
						t.Errorf("%s names `%s`, but nothing reads --%s", file, c, flag[1])
					}
				}
			}
			if i := strings.Index(c, "go test "); i >= 0 {
				looked["go test"]++
				goTest(t, file, c[i:])
			}
		}
		for _, name := range regexp.MustCompile(`\b(?:SLIPWAY|TORTURE)_[A-Z][A-Z0-9_]*\b`).FindAllString(text, -1) {
			looked["setting"]++
			inFile := `"` + strings.ToLower(strings.TrimPrefix(name, "SLIPWAY_")) + `"`
			if !strings.Contains(everything, name) && !strings.Contains(command, inFile) {
				t.Errorf("%s names %s, which nothing reads", file, name)
			}
		}
	}
	for what, least := range map[string]int{"make": 15, "slipway": 15, "go test": 12, "setting": 3} {
		if looked[what] < least {
			t.Errorf("%d of %q were found: the test looks at the wrong place", looked[what], what)
		}
	}
}

// goTest holds a `go test` that a document gives to the packages and tests that there are.
func goTest(t *testing.T, file, command string) {
	t.Helper()
	words := strings.Fields(command)[2:]
	if tools := slices.Index(words, "|"); tools >= 0 {
		words = words[:tools]
	}
	module := "."
	if len(words) > 1 && words[0] == "-C" {
		module, words = words[1], words[2:]
	}
	if _, err := os.Stat(filepath.Join(module, "go.mod")); err != nil {
		t.Errorf("%s gives `%s`, but %s is no module", file, command, module)
	}
	var dirs []string
	var pattern string
	for i, word := range words {
		word = strings.Trim(word, `'"`)
		switch {
		case word == "." || word == "./..." || strings.HasPrefix(word, "./"):
			dirs = append(dirs, word)
		case i > 0 && slices.Contains([]string{"-run", "-bench", "-fuzz"}, words[i-1]) && word != "^$":
			pattern = word
		}
	}
	if len(dirs) == 0 || slices.Contains(dirs, "./...") {
		return
	}
	var tests []string
	for _, dir := range dirs {
		dir, deep := strings.CutSuffix(dir, "/...")
		if module == "." && strings.HasPrefix(dir+"/", "./test/") {
			t.Errorf("%s gives `%s`, but ./test is a module of its own: go test -C test", file, command)
		}
		found := testsIn(t, filepath.Join(module, dir), deep)
		if len(found) == 0 {
			t.Errorf("%s gives `%s`, but %s has no tests", file, command, dir)
		}
		tests = append(tests, found...)
	}
	top, _, _ := strings.Cut(pattern, "/")
	re, err := regexp.Compile(top)
	if err != nil || !slices.ContainsFunc(tests, re.MatchString) {
		t.Errorf("%s gives `%s`, which finds nothing (%v)", file, command, err)
	}
}

var testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)\w+)\(`)

// testsIn are the names of the tests, benchmarks and fuzz targets in a directory, and if deep below it.
func testsIn(t *testing.T, dir string, deep bool) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if err == nil && !deep && path != dir {
				return fs.SkipDir
			}
			return err
		}
		if strings.HasSuffix(path, "_test.go") {
			for _, m := range testFunction.FindAllStringSubmatch(read(t, path), -1) {
				all = append(all, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return all
}

// TestDocumentsNameTestsThatExist: what a document promises is promised by a test.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	there, all, looked := testsIn(t, ".", true), documents(t), 0
	all["Makefile"] = read(t, "Makefile")
	for file, text := range all {
		for _, name := range regexp.MustCompile(`\b(?:Test|Benchmark|Fuzz)[A-Z]\w+…?`).FindAllString(text, -1) {
			looked++
			begins, open := strings.CutSuffix(name, "…")
			fits := func(test string) bool { return test == name || open && strings.HasPrefix(test, begins) }
			if !slices.ContainsFunc(there, fits) {
				t.Errorf("%s names %s, which is nowhere", file, name)
			}
		}
	}
	if looked < 60 {
		t.Errorf("%d tests were named: the test looks at the wrong place", looked)
	}
}

// TestDocumentsNameTestsWhereTheyAre: a row of a table that names tests and packages names tests of these packages.
func TestDocumentsNameTestsWhereTheyAre(t *testing.T) {
	dirs := regexp.MustCompile(`(?:^|[\s` + "`" + `/])((?:internal|cmd|test)/[a-z0-9/]*[a-z0-9])`)
	looked := 0
	for file, text := range documents(t) {
		for row := range strings.Lines(text) {
			var there []string
			for _, m := range dirs.FindAllStringSubmatch(row, -1) {
				if info, err := os.Stat(m[1]); err == nil && info.IsDir() {
					there = append(there, testsIn(t, m[1], false)...)
				}
			}
			if !strings.HasPrefix(row, "|") || len(there) == 0 {
				continue
			}
			for _, name := range regexp.MustCompile(`\b(?:Test|Benchmark|Fuzz)[A-Z]\w+…?`).FindAllString(row, -1) {
				looked++
				begins, _ := strings.CutSuffix(name, "…")
				if !slices.ContainsFunc(there, func(test string) bool { return strings.HasPrefix(test, begins) }) {
					t.Errorf("%s names %s beside packages that do not have it: %.80s …", file, name, row)
				}
			}
		}
	}
	if looked < 20 {
		t.Errorf("%d tests were named beside packages: the test looks at the wrong place", looked)
	}
}

// TestCommitsThatDocumentsNameAreThere: an example that cannot be shown is none. A clone without its history has nothing to
// look in.
func TestCommitsThatDocumentsNameAreThere(t *testing.T) {
	shallow, err := exec.Command("git", "rev-parse", "--is-shallow-repository").Output()
	if err != nil || strings.TrimSpace(string(shallow)) != "false" {
		t.Skip("no git, or a repository without its history")
	}
	looked := 0
	for file, text := range documents(t) {
		for _, m := range regexp.MustCompile("`(?:git show )?([0-9a-f]{7,40})`").FindAllStringSubmatch(text, -1) {
			looked++
			if err := exec.Command("git", "merge-base", "--is-ancestor", m[1], "HEAD").Run(); err != nil {
				t.Errorf("%s names the commit %s, which is not in this history: %v", file, m[1], err)
			}
		}
	}
	t.Logf("%d commits are named", looked)
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sources are the texts of all Go files below dir, tests among them if asked for.
func sources(t *testing.T, dir string, tests bool) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		wanted := strings.HasSuffix(path, ".go") && (tests || !strings.HasSuffix(path, "_test.go"))
		if err == nil && wanted && !strings.Contains(path, "ec2wire") {
			all.WriteString(read(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
