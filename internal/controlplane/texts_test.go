package controlplane_test

import (
	"slices"
	"strings"
	"testing"

	"slipway/internal/action"
	"slipway/internal/apitest"
)

// listMembers are the names that lists have in a request.
var listMembers = strings.NewReplacer("NetworkInterfaces.", "NetworkInterface.1.", "DiskContainers.", "DiskContainer.1.",
	"AddEntries.", "AddEntry.1.", "Entries.", "Entry.1.")

// TestTextsAreWhatEC2Keeps: each text of each action takes 255 characters of what it may hold, and refuses more of them and
// others (rule texts).
func TestTextsAreWhatEC2Keeps(t *testing.T) {
	w := apitest.New(t)
	params := apitest.WorldAtRest(w)
	try := func(name, path, value string) apitest.Answer {
		key := listMembers.Replace(path)
		p := slices.Clone(params[name])
		if at := slices.Index(p, key); at >= 0 {
			p[at+1] = value
		} else {
			p = append(p, key, value)
		}
		return w.Call(name, append(p, "DryRun", "true")...)
	}
	tried := 0
	for name, texts := range action.Texts {
		for path, text := range texts {
			tried++
			good, long, foreign := strings.Repeat("a", 255), strings.Repeat("a", 256), "Büro"
			if text.Set == action.AnyText {
				good, foreign = strings.Repeat("ü", 255), ""
			}
			if a := try(name, path, good); strings.Contains(a.Message, "255") || strings.Contains(a.Message, "ASCII") {
				t.Errorf("%s %s of 255 characters: %s %s", name, path, a.Code, a.Message)
			}
			for _, bad := range []string{long, foreign} {
				if bad == "" {
					continue
				}
				a := try(name, path, bad)
				if a.Code != "InvalidParameterValue" || !strings.Contains(a.Message, "255") && !strings.Contains(a.Message, "ASCII") {
					t.Errorf("%s %s of %.9q: %d %s %s", name, path, bad, a.Status, a.Code, a.Message)
				}
			}
		}
	}
	if tried < 25 {
		t.Errorf("%d texts were tried: the table has lost some", tried)
	}
}
