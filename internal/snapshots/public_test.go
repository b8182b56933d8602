package snapshots_test

import (
	"slipway/internal/apitest"
	"strings"
	"testing"
)

// TestSnapshotsBarredFromThePublic: new sharing is refused; under block-all-sharing what was public is the owner's
// alone until that ends.
func TestSnapshotsBarredFromThePublic(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	public := w.Copied(o.Snapshot)
	share := []string{"SnapshotId", public, "CreateVolumePermission.Add.1.Group", "all"}
	w.Must("return", "ModifySnapshotAttribute", share...)
	visible := func() bool { // to everybody: what is restorable by all
		return strings.Contains(w.Call("DescribeSnapshots", "RestorableBy.1", "all").Body, public)
	}
	if got := w.Must("state", "GetSnapshotBlockPublicAccessState"); got != "unblocked" || !visible() {
		t.Fatalf("at first: %s, visible %v", got, visible())
	}
	w.Must("state", "EnableSnapshotBlockPublicAccess", "State", "block-new-sharing")
	if !visible() {
		t.Error("what was public is gone under block-new-sharing")
	}
	if a := w.Call("ModifySnapshotAttribute", "SnapshotId", w.Copied(o.Snapshot), "CreateVolumePermission.Add.1.Group",
		"all"); a.Code != "OperationNotPermitted" {
		t.Errorf("new sharing: %d %s %s", a.Status, a.Code, a.Message)
	}
	w.Must("return", "ModifySnapshotAttribute", "SnapshotId", public, "CreateVolumePermission.Add.1.UserId", "123456789012")
	w.Must("state", "EnableSnapshotBlockPublicAccess", "State", "block-all-sharing")
	if visible() {
		t.Error("a snapshot is public under block-all-sharing")
	}
	if !strings.Contains(w.Call("DescribeSnapshotAttribute", "SnapshotId", public, "Attribute",
		"createVolumePermission").Body, "<group>all</group>") {
		t.Error("its permission is forgotten, and could not come back")
	}
	if got := w.Must("state", "DisableSnapshotBlockPublicAccess"); got != "unblocked" || !visible() {
		t.Errorf("afterwards: %s, visible %v", got, visible())
	}
	w.Must("state", "EnableSnapshotBlockPublicAccess", "State", "block-all-sharing")
	w.Must("return", "ModifySnapshotAttribute", "SnapshotId", public, "CreateVolumePermission.Remove.1.Group", "all")
	w.Must("state", "DisableSnapshotBlockPublicAccess")
	if visible() {
		t.Error("a permission that was taken away came back")
	}
	w.Refuses(t, []apitest.Refusal{
		apitest.Case("no state", "MissingParameter", "State", "EnableSnapshotBlockPublicAccess", nil),
		apitest.Case("a state that is none", "InvalidParameterValue", "unblocked", "EnableSnapshotBlockPublicAccess",
			[]string{"State", "unblocked"}),
	})
}
