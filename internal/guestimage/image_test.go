package guestimage

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestRecipeIsNamedByItsContent(t *testing.T) {
	tree := func(path, content string) fs.FS {
		return fstest.MapFS{"etc/fstab": {Data: []byte("/dev/vda / ext4")}, path: {Data: []byte(content)}}
	}
	first := debianKey(tree("etc/default/locale", "LANG=C.UTF-8"))
	if again := debianKey(tree("etc/default/locale", "LANG=C.UTF-8")); again != first {
		t.Errorf("the same tree is named %s and %s", first, again)
	}
	for name, other := range map[string]fs.FS{
		"another content": tree("etc/default/locale", "LANG=C"),
		"another path":    tree("etc/locale.conf", "LANG=C.UTF-8"),
	} {
		if got := debianKey(other); got == first {
			t.Errorf("%s: the name stays %s", name, got)
		}
	}
}

func TestMissingProgramsAreNamedWithTheirPackages(t *testing.T) {
	err := need(map[string]string{"slipway-has-no-such-program": "its-package", "sh": "dash"})
	if err == nil || !strings.Contains(err.Error(), "slipway-has-no-such-program is not installed") ||
		!strings.Contains(err.Error(), "apt install its-package") {
		t.Errorf("need = %v", err)
	}
	if strings.Contains(err.Error(), "dash") {
		t.Errorf("need names what is there: %v", err)
	}
}

func TestSourcesOfASuite(t *testing.T) {
	all := `bookworm deb http://mirror.example/debian/ bookworm main
bookworm deb http://mirror.example/debian/ bookworm main
bookworm-updates deb http://mirror.example/debian/ bookworm-updates main
bookworm-security deb http://mirror.example/security/ bookworm-security main
bookworm-backports deb http://mirror.example/debian/ bookworm-backports main
trixie deb http://mirror.example/debian/ trixie main
`
	want := []string{
		"deb http://mirror.example/debian/ bookworm main", "deb http://mirror.example/debian/ bookworm-updates main",
		"deb http://mirror.example/security/ bookworm-security main",
	}
	if got := sourcesOf("bookworm", all); !slices.Equal(got, want) {
		t.Errorf("sourcesOf = %q, want %q", got, want)
	}
	if got := sourcesOf("sid", all); len(got) != 0 {
		t.Errorf("sourcesOf a suite that is not there = %q", got)
	}
}
