package apitest

import (
	"errors"
	"os"
	"path/filepath"
	"slipway"
	"slipway/internal/await"
	"strings"
	"time"
)

// AwaitVolume waits until a volume has the status; "" until it is gone.
func (w *Wire) AwaitVolume(id, status string) {
	w.T.Helper()
	w.Eventually(id+" is "+status, func() bool {
		a := w.Call("DescribeVolumes", "VolumeId.1", id)
		return status == "" && a.Code == "InvalidVolume.NotFound" || status != "" && ownStatus(a.Body) == status
	})
}

// ownStatus is a volume's status, which stands behind those of its attachments.
func ownStatus(body string) string {
	if i := strings.Index(body, "</attachmentSet>"); i >= 0 && !strings.Contains(body[i:], "<status>") {
		before, _, _ := strings.Cut(body, "<attachmentSet>")
		return First(before, "status")
	}
	before, after, _ := strings.Cut(body, "<attachmentSet>")
	_, after, _ = strings.Cut(after, "</attachmentSet>")
	return First(before+after, "status")
}

// Patience is how long a test waits for what slipway does by itself.
const Patience = 20 * time.Second

// Eventually waits for a condition.
func (w *Wire) Eventually(what string, is func() bool) {
	w.T.Helper()
	await.Success(w.T, Patience, func() error {
		if !is() {
			return errors.New("it is not so that " + what)
		}
		return nil
	})
}

// ZoneOf is an instance's zone.
func (w *Wire) ZoneOf(id string) string {
	return w.Must("availabilityZone", "DescribeInstances", "InstanceId.1", id)
}

// Files are the names of the volumes that the host has.
func (w *Wire) Files() []slipway.VolumeID {
	all, err := w.Host.Disks.Volumes(w.T.Context())
	if err != nil {
		w.T.Fatal(err)
	}
	return all
}

// AwaitSnapshot waits until a snapshot has the status.
func (w *Wire) AwaitSnapshot(id, status string) {
	w.T.Helper()
	w.Eventually(id+" is "+status, func() bool { return w.Must("status", "DescribeSnapshots", "SnapshotId.1", id) == status })
}

// Kept are the snapshots whose files the host has.
func (w *Wire) Kept() []slipway.SnapshotID {
	all, err := w.Host.Disks.Snapshots(w.T.Context())
	if err != nil {
		w.T.Fatal(err)
	}
	return all
}

// Copied is a completed copy of a snapshot.
func (w *Wire) Copied(id string) string {
	c := w.Must("snapshotId", "CopySnapshot", "SourceRegion", "us-east-1", "SourceSnapshotId", id)
	w.AwaitSnapshot(c, "completed")
	return c
}

// AwaitImage waits until an image has the state.
func (w *Wire) AwaitImage(id, state string) {
	w.T.Helper()
	w.Eventually(id+" is "+state, func() bool { return w.Must("imageState", "DescribeImages", "ImageId.1", id) == state })
}

// SnapshotsOf are the snapshots in an image's mapping.
func (w *Wire) SnapshotsOf(image string) []string {
	body := w.Call("DescribeImages", "ImageId.1", image).Body
	var out []string
	for _, part := range strings.Split(body, "<snapshotId>")[1:] {
		id, _, _ := strings.Cut(part, "<")
		out = append(out, id)
	}
	return out
}

// Disk is a raw image of so many mebibytes that has a boot record.
func Disk(mib int) []byte {
	b := make([]byte, mib<<20)
	b[510], b[511] = 0x55, 0xaa
	return b
}

// Put lays an image where files may be imported from, and answers its URL.
func (w *Wire) Put(name string, content []byte) string {
	w.T.Helper()
	path := filepath.Join(w.Sources.Directory, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		w.T.Fatal(err)
	}
	return "file://" + path
}

// Task is what is described of an import.
func (w *Wire) Task(id string) string {
	action := "DescribeImportImageTasks"
	if strings.HasPrefix(id, "import-snap-") {
		action = "DescribeImportSnapshotTasks"
	}
	return w.Call(action, "ImportTaskId.1", id).Body
}

// Ended waits until an import is no longer active, and answers its description.
func (w *Wire) Ended(id, want string) string {
	w.T.Helper()
	var body string
	w.Eventually(id+" is "+want, func() bool {
		body = w.Task(id)
		status := First(body, "status")
		if i := strings.LastIndex(body, "<status>"); strings.HasPrefix(id, "import-ami-") && i >= 0 {
			status = First(body[i:], "status") // behind those of its disks
		}
		if (status == "completed" || status == "deleted") && status != want {
			w.T.Fatalf("%s is %s: %s", id, status, body)
		}
		return status == want
	})
	return body
}

// importDryRuns are dryRuns of imports; a task that has ended can still be cancelled.
func (o World) importDryRuns(w *Wire) map[string][]string {
	url := w.Put("disk.raw", Disk(1))
	failed := w.Must("importTaskId", "ImportSnapshot", "DiskContainer.Format", "VHD", "DiskContainer.Url", url)
	w.Ended(failed, "deleted")
	return map[string][]string{
		"ImportImage":      {"DiskContainer.1.Format", "RAW", "DiskContainer.1.Url", url},
		"ImportSnapshot":   {"DiskContainer.Format", "RAW", "DiskContainer.Url", url},
		"CancelImportTask": {"ImportTaskId", failed},
	}
}
