package ssmwire_test

import (
	"encoding/json"
	"testing"

	"slipway/internal/ssmwire"
)

// TestShapesAreSSMsJSON: what is not set is left out, but lists; times are seconds.
func TestShapesAreSSMsJSON(t *testing.T) {
	name, at := "/n", 1.5e9
	b, err := json.Marshal(ssmwire.GetParametersResult{
		InvalidParameters: []string{}, Parameters: []ssmwire.Parameter{{Name: &name, LastModifiedDate: &at}},
	})
	if want := `{"InvalidParameters":[],"Parameters":[{"Name":"/n","LastModifiedDate":1500000000}]}`; err != nil ||
		string(b) != want {
		t.Errorf("%s %v, want %s", b, err, want)
	}
	if !ssmwire.KnownActions["PutParameter"] {
		t.Errorf("%d actions", len(ssmwire.KnownActions))
	}
}
