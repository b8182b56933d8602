package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"slipway/internal/accounts"
	"slipway/internal/apitest"
	"slipway/internal/state"
)

func TestAccountCommand(t *testing.T) {
	w := apitest.New(t)
	w.Edit("quota", "vcpus=4", "volumes=3")
	w.Edit("subscribe", "abc", "def")
	w.Edit("unsubscribe", "abc")
	r := w.DB.Local()
	a := state.Accounts.See(r, state.Global, w.Keys.Account)
	if a.Quotas["vcpus"] != 4 || a.Quotas["volumes"] != 3 || len(a.Subscriptions) != 1 || a.Subscriptions[0] != "def" {
		t.Errorf("the account is %+v", a)
	}
	for _, words := range [][]string{
		{"quota", "vcpu=4"}, {"quota", "vcpus"}, {"quota", "vcpus=-1"}, {"classic", "perhaps"}, {"bless", "x"},
	} {
		if _, err := accounts.Change(words[0], words[1:]); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v, want one line", words, err)
		}
	}
	dir := t.TempDir()
	out, err := os.CreateTemp(dir, "out")
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = out
	err = accountCommand(t.Context(), []string{"create", "--state", dir + "/state", "--json", "--classic"})
	os.Stdout = stdout
	if err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(out.Name())
	var keys map[string]string
	if json.Unmarshal(b, &keys) != nil || len(keys) != 3 || keys["accountId"] == "" || keys["accessKeyId"] == "" ||
		keys["secretAccessKey"] == "" {
		t.Errorf("`account create --json` prints %s", b)
	}
}
