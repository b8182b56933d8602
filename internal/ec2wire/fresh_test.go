package ec2wire_test

import (
	"os/exec"
	"testing"
)

func TestGeneratedCodeIsFresh(t *testing.T) {
	cmd := exec.Command("go", "run", "./wiregen", "-check")
	cmd.Dir = "../../tools"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
