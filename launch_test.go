package slipway

import (
	"encoding/base64"
	"testing"
)

func FuzzUserData(f *testing.F) {
	f.Add("IyEvYmluL3NoCg==")
	f.Add("IyEv\nYmlu L3NoCg")
	f.Add("====")
	f.Fuzz(func(t *testing.T, encoded string) {
		b, err := ParseUserData(encoded)
		if err != nil {
			return
		}
		if again, err := ParseUserData(base64.StdEncoding.EncodeToString(b)); err != nil || string(again) != string(b) {
			t.Errorf("what a guest gets, given again, is other: %q, %q: %v", b, again, err)
		}
	})
}
