package instancetypes_test

import (
	"strings"
	"testing"

	"slipway/internal/apitest"
)

// TestTypesComeInPages of a hundred, also to who asks for none or for more; together they are all.
func TestTypesComeInPages(t *testing.T) {
	w := apitest.New(t)
	for name, more := range map[string][]string{"unasked": nil, "asked for more": {"MaxResults", "1000"}} {
		pages, types, token := 0, 0, ""
		for first := true; first || token != ""; first = false {
			params := more
			if token != "" {
				params = append([]string{"NextToken", token}, more...)
			}
			a := w.Call("DescribeInstanceTypes", params...)
			n := strings.Count(a.Body, "<currentGeneration>")
			if n > 100 {
				t.Fatalf("%s: a page of %d", name, n)
			}
			pages, types, token = pages+1, types+n, apitest.First(a.Body, "nextToken")
		}
		if pages != 14 || types != 1373 {
			t.Errorf("%s: %d pages of %d types together", name, pages, types)
		}
	}
	if a := w.Call("DescribeInstanceTypes", "InstanceType.1", "t3.micro", "InstanceType.2", "m5.large"); strings.Count(a.Body,
		"<currentGeneration>") != 2 {
		t.Errorf("two by name: %s", a.Body)
	}
}
