package instances_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"slipway/internal/apitest"
)

// TestConsoleOutlivesItsInstance: what a machine wrote last is shown after its end, as EC2 shows it for an hour.
func TestConsoleOutlivesItsInstance(t *testing.T) {
	w := apitest.New(t)
	id := w.Launch("t3.nano")
	w.Await(id, "running")
	shown := func() string {
		text, err := base64.StdEncoding.DecodeString(apitest.First(w.Call("GetConsoleOutput", "InstanceId", id).Body, "output"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	w.Eventually("the guest writes", func() bool { return strings.Contains(shown(), "user space") })
	before := shown()
	w.Terminate(id)
	if got := shown(); got != before {
		t.Errorf("after its end the console is %q, and was %q", got, before)
	}
}
