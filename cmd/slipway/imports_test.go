package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slipway"
	"slipway/internal/imagesource"
	"slipway/internal/sigv4"
	"slipway/internal/state"
	"slipway/internal/store"
)

// disk is a raw image of so many mebibytes that has a boot record.
func disk(mib int) []byte {
	b := make([]byte, mib<<20)
	b[510], b[511] = 0x55, 0xaa
	return b
}

// put lays an image where files may be imported from, and answers its URL.
func (w *wire) put(name string, content []byte) string {
	w.t.Helper()
	path := filepath.Join(w.sources.Directory, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return "file://" + path
}

// task is what is described of an import.
func (w *wire) task(id string) string {
	action := "DescribeImportImageTasks"
	if strings.HasPrefix(id, "import-snap-") {
		action = "DescribeImportSnapshotTasks"
	}
	return w.call(action, "ImportTaskId.1", id).body
}

// ended waits until an import is no longer active, and answers its description.
func (w *wire) ended(id, want string) string {
	w.t.Helper()
	var body string
	w.eventually(id+" is "+want, func() bool {
		body = w.task(id)
		status := first(body, "status")
		if i := strings.LastIndex(body, "<status>"); strings.HasPrefix(id, "import-ami-") && i >= 0 {
			status = first(body[i:], "status") // behind those of its disks
		}
		if (status == "completed" || status == "deleted") && status != want {
			w.t.Fatalf("%s is %s: %s", id, status, body)
		}
		return status == want
	})
	return body
}

// bucket is an S3-compatible endpoint that verifies signatures. A held object comes by halves, the second when it is let go.
type bucket struct {
	objects map[string][]byte
	held    chan struct{}
	asked   atomic.Int32
}

func (b *bucket) Key(_ context.Context, id string) (sigv4.Key, bool, error) {
	return sigv4.Key{Secret: "reader's secret"}, id == "AKIAREADER", nil
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.asked.Add(1)
	v, err := sigv4.New(b, time.Now).Verify(r, nil)
	content, ok := b.objects[strings.TrimPrefix(r.URL.Path, "/images/")]
	switch {
	case err != nil || v.Service != "s3":
		http.Error(w, "not signed for S3", http.StatusForbidden)
	case r.URL.Path == "/images/moved":
		http.Redirect(w, r, "http://127.0.0.1:1/secret", http.StatusFound)
	case !ok:
		http.NotFound(w, r)
	case b.held != nil:
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		w.Write(content[:len(content)/2])
		w.(http.Flusher).Flush()
		select {
		case <-b.held:
		case <-r.Context().Done():
		}
		w.Write(content[len(content)/2:])
	default:
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}
}

// newWireWithBucket is a wire whose operator has configured the bucket.
func newWireWithBucket(t *testing.T, b *bucket) *wire {
	t.Helper()
	s := httptest.NewServer(b)
	t.Cleanup(s.Close)
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return newWireWith(t, options{S3: &imagesource.S3{Endpoint: at, Region: "us-east-1", AccessKey: "AKIAREADER", SecretKey: "reader's secret"}})
}

// TestAnImageIsImported with two disks, is its owner's, and launches.
func TestAnImageIsImported(t *testing.T) {
	w := newWire(t)
	root, data := w.put("root.raw", disk(3)), w.put("data.raw", make([]byte, 1<<20))
	a := w.call("ImportImage", "Description", "from the old data centre", "Architecture", "x86_64", "Platform", "Linux", "LicenseType", "BYOL", "RoleName", "vmimport", "Hypervisor", "xen", "ClientData.UploadSize", "0.5",
		"DiskContainer.1.Format", "raw", "DiskContainer.1.Url", root, "DiskContainer.1.Description", "system", "DiskContainer.2.Format", "RAW", "DiskContainer.2.Url", data,
		"TagSpecification.1.ResourceType", "import-image-task", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "move")
	id := first(a.body, "importTaskId")
	for element, want := range map[string]string{"status": "active", "statusMessage": "pending", "progress": "2", "description": "from the old data centre", "platform": "Linux", "licenseType": "BYOL",
		"hypervisor": "xen", "architecture": "x86_64", "format": "RAW", "url": root, "deviceName": "/dev/sda1", "key": "Name", "imageId": ""} {
		if got := first(a.body, element); got != want {
			t.Errorf("the answer's %s = %q, want %q", element, got, want)
		}
	}
	body := w.ended(id, "completed")
	image := first(body, "imageId")
	for element, want := range map[string]string{"statusMessage": "", "progress": "", "diskImageSize": "3145728", "bootMode": "legacy-bios"} {
		if got := first(body, element); got != want {
			t.Errorf("the task's %s = %q, want %q", element, got, want)
		}
	}
	body = w.call("DescribeImages", "Owner.1", "self", "ImageId.1", image).body
	for element, want := range map[string]string{"name": id, "imageState": "available", "rootDeviceName": "/dev/sda1", "bootMode": "legacy-bios", "isPublic": "false", "volumeType": "gp2",
		"deleteOnTermination": "false", "architecture": "x86_64", "encrypted": "false"} {
		if got := first(body, element); got != want {
			t.Errorf("the image's %s = %q, want %q", element, got, want)
		}
	}
	snaps := w.snapshotsOf(image)
	if len(snaps) != 2 || !strings.Contains(body, "<deviceName>/dev/sdf<") {
		t.Fatalf("the image's mapping: %s", body)
	}
	for _, s := range snaps {
		if !slices.Contains(w.kept(), slipway.SnapshotID(s)) {
			t.Errorf("%s has no file", s)
		}
		body := w.call("DescribeSnapshots", "Owner.1", "self", "SnapshotId.1", s).body
		for element, want := range map[string]string{"status": "completed", "volumeSize": "1", "description": "Created by AWS-VMImport service for " + id, "volumeId": "vol-ffffffff"} {
			if got := first(body, element); got != want {
				t.Errorf("the snapshot's %s = %q, want %q", element, got, want)
			}
		}
	}
	w.await(w.must("instanceId", "RunInstances", "ImageId", image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"), "running")

	uefi := first(w.ended(w.must("importTaskId", "ImportImage", "BootMode", "uefi", "DiskContainer.1.DeviceName", "/dev/xvda", "DiskContainer.1.Format", "RAW", "DiskContainer.1.Url", root), "completed"), "imageId")
	if body := w.call("DescribeImages", "ImageId.1", uefi).body; first(body, "bootMode") != "uefi" || first(body, "rootDeviceName") != "/dev/xvda" {
		t.Errorf("with UEFI: %s", body)
	}
	if !state.FindImage(w.db.Local(), "us-east-1", uefi).Boot.UEFI {
		t.Error("it would not boot by UEFI")
	}
}

// TestASnapshotIsImported out of a bucket, in each way that names it.
func TestASnapshotIsImported(t *testing.T) {
	w := newWireWithBucket(t, &bucket{objects: map[string][]byte{"vms/disk.raw": disk(2)}})
	endpoint := w.sources.S3.Endpoint.String()
	for name, where := range map[string][]string{
		"by bucket and key":     {"DiskContainer.UserBucket.S3Bucket", "images", "DiskContainer.UserBucket.S3Key", "vms/disk.raw"},
		"by an s3 URL":          {"DiskContainer.Url", "s3://images/vms/disk.raw"},
		"by the endpoint's URL": {"DiskContainer.Url", endpoint + "/images/vms/disk.raw"},
	} {
		a := w.call("ImportSnapshot", append([]string{"Description", "import", "DiskContainer.Format", "RAW", "DiskContainer.Description", "data"}, where...)...)
		id := first(a.body, "importTaskId")
		for element, want := range map[string]string{"status": "active", "statusMessage": "pending", "progress": "3", "format": "RAW", "snapshotId": ""} {
			if got := first(a.body, element); got != want {
				t.Errorf("%s: the answer's %s = %q, want %q", name, element, got, want)
			}
		}
		body := w.ended(id, "completed")
		snap := first(body, "snapshotId")
		for element, want := range map[string]string{"diskImageSize": "2097152", "encrypted": "false", "statusMessage": "", "progress": ""} {
			if got := first(body, element); got != want {
				t.Errorf("%s: the task's %s = %q, want %q", name, element, got, want)
			}
		}
		if got := w.must("description", "DescribeSnapshots", "SnapshotId.1", snap); got != "Created by AWS-VMImport service for "+id {
			t.Errorf("%s: the snapshot is described as %q", name, got)
		}
		w.awaitVolume(w.must("volumeId", "CreateVolume", "AvailabilityZone", "us-east-1a", "SnapshotId", snap), "available")
		if strings.Contains(name, "bucket") && (first(body, "s3Bucket") != "images" || first(body, "s3Key") != "vms/disk.raw") {
			t.Errorf("%s: %s", name, body)
		}
	}
}

// TestImportsAreEncrypted when that is asked for, or the account's default.
func TestImportsAreEncrypted(t *testing.T) {
	w := newWire(t)
	url := w.put("disk.raw", disk(1))
	run := func(more ...string) *slipway.Snapshot {
		id := w.must("importTaskId", "ImportSnapshot", append([]string{"DiskContainer.Format", "RAW", "DiskContainer.Url", url}, more...)...)
		snap := first(w.ended(id, "completed"), "snapshotId")
		return state.FindSnapshot(w.db.Local(), "us-east-1", snap)
	}
	if n := run(); n.Encrypted || n.Secret != nil {
		t.Error("it is encrypted unasked")
	}
	if n := run("Encrypted", "true", "KmsKeyId", "alias/mine"); !n.Encrypted || len(n.Secret) == 0 || n.Key != "alias/mine" {
		t.Errorf("asked for, it is encrypted: %v, by %q", n.Encrypted, n.Key)
	}
	w.must("ebsEncryptionByDefault", "EnableEbsEncryptionByDefault")
	if n := run(); !n.Encrypted || len(n.Secret) == 0 {
		t.Error("it is not encrypted though that is the default")
	}
}

// TestAnImageOfASnapshot: a container may name one that is there already, and the image has a copy of its own.
func TestAnImageOfASnapshot(t *testing.T) {
	w := newWire(t)
	of := first(w.ended(w.must("importTaskId", "ImportSnapshot", "DiskContainer.Format", "RAW", "DiskContainer.Url", w.put("disk.raw", disk(1))), "completed"), "snapshotId")
	image := first(w.ended(w.must("importTaskId", "ImportImage", "DiskContainer.1.SnapshotId", of), "completed"), "imageId")
	if snaps := w.snapshotsOf(image); len(snaps) != 1 || snaps[0] == of {
		t.Errorf("the image's snapshots are %v, the container's %s", snaps, of)
	}
	w.must("return", "DeleteSnapshot", "SnapshotId", of)
	w.await(w.must("instanceId", "RunInstances", "ImageId", image, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1"), "running")

	// The tiny image's disk has no loader of its own, and comes with its kernel.
	tiny := state.FindImage(w.db.Local(), "us-east-1", w.image())
	own := first(w.ended(w.must("importTaskId", "ImportImage", "DiskContainer.1.SnapshotId", string(tiny.Devices[0].Snapshot)), "completed"), "imageId")
	if got := state.FindImage(w.db.Local(), "us-east-1", own).Boot; got.Kernel != tiny.Boot.Kernel {
		t.Errorf("it boots by %+v, its source by %+v", got, tiny.Boot)
	}
}

// TestImportsThatCannotBe end deleted, say why, and leave nothing: no file of the host's comes in.
func TestImportsThatCannotBe(t *testing.T) {
	w := newWireWithBucket(t, &bucket{objects: map[string][]byte{"a.raw": disk(1)}})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, disk(1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(w.sources.Directory, "link.raw")); err != nil {
		t.Fatal(err)
	}
	overlay := make([]byte, 64<<10)
	copy(overlay, "QFI\xfb\x00\x00\x00\x03")
	binary.BigEndian.PutUint64(overlay[8:], 1024)
	binary.BigEndian.PutUint32(overlay[16:], uint32(copy(overlay[1024:], secret)))
	binary.BigEndian.PutUint64(overlay[24:], 1<<20)
	external := make([]byte, 64<<10)
	copy(external, "QFI\xfb\x00\x00\x00\x03")
	binary.BigEndian.PutUint64(external[24:], 1<<20)
	external[79] = 4
	hollow := make([]byte, 64<<10)
	copy(hollow, "KDMV")
	descriptor := "# Disk DescriptorFile\nversion=1\ncreateType=\"monolithicFlat\"\nRW 2048 FLAT \"/etc/passwd\" 0\n" + strings.Repeat(" ", 512)
	before := w.kept()
	for _, tt := range []struct{ name, format, url, says string }{
		{"an overlay", "QCOW2", w.put("overlay.qcow2", overlay), "overlay"},
		{"data in another file", "QCOW2", w.put("external.qcow2", external), "another file"},
		{"a descriptor that names /etc/passwd", "VMDK", w.put("passwd.vmdk", []byte(descriptor)), "only a descriptor"},
		{"a header that refers to a descriptor", "VMDK", w.put("hollow.vmdk", hollow), "no capacity"},
		{"another format than is said", "VHDX", w.put("disk.vhdx", disk(1)), "Unsupported VHDX File Format"},
		{"a qcow2 called raw", "RAW", w.put("not.raw", external), "QCOW2"},
		{"a link out of the directory", "RAW", "file://" + filepath.Join(w.sources.Directory, "link.raw"), "cannot be opened"},
		{"a file that is not there", "RAW", "file://" + filepath.Join(w.sources.Directory, "none.raw"), "no file"},
		{"an object that is not there", "RAW", "s3://images/none", "404"},
		{"a redirection", "RAW", "s3://images/moved", "redirection"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, id := range []string{
				w.must("importTaskId", "ImportSnapshot", "DiskContainer.Format", tt.format, "DiskContainer.Url", tt.url),
				w.must("importTaskId", "ImportImage", "DiskContainer.1.Format", "RAW", "DiskContainer.1.Url", "s3://images/a.raw", "DiskContainer.2.Format", tt.format, "DiskContainer.2.Url", tt.url),
			} {
				body := w.ended(id, "deleted")
				message := first(body, "statusMessage")
				if !strings.HasPrefix(message, "ClientError: Disk validation failed [") || !strings.Contains(message, tt.says) || strings.Contains(message, secret) {
					t.Errorf("%s says %q, want what is wrong: %q", id, message, tt.says)
				}
				if first(body, "imageId") != "" || first(body, "snapshotId") != "" {
					t.Errorf("%s shows what it has not made: %s", id, body)
				}
			}
		})
	}
	if after := w.kept(); !slices.Equal(before, after) {
		t.Errorf("snapshots before: %v, after: %v", before, after)
	}
	if body := w.call("DescribeSnapshots", "Owner.1", "self").body; strings.Contains(body, "<snapshotId>") {
		t.Errorf("snapshots are described: %s", body)
	}
}

// TestAnImportIsCancelled in the middle of its way.
func TestAnImportIsCancelled(t *testing.T) {
	b := &bucket{objects: map[string][]byte{"slow.raw": disk(1)}, held: make(chan struct{})}
	w := newWireWithBucket(t, b)
	before := w.kept()
	id := w.must("importTaskId", "ImportImage", "DiskContainer.1.Format", "RAW", "DiskContainer.1.Url", "s3://images/slow.raw")
	w.eventually("it is under way", func() bool { return strings.Contains(w.task(id), "<statusMessage>converting<") && b.asked.Load() == 1 })
	if got := w.must("importTaskId", "DescribeImportImageTasks", "Filters.1.Name", "task-state", "Filters.1.Value.1", "active"); got != id {
		t.Errorf("the active tasks are %q, want %s", got, id)
	}
	a := w.call("CancelImportTask", "ImportTaskId", id, "CancelReason", "changed my mind")
	if first(a.body, "importTaskId") != id || first(a.body, "previousState") != "active" || first(a.body, "state") != "deleting" {
		t.Errorf("CancelImportTask = %s", a.body)
	}
	if body := w.ended(id, "deleted"); first(body, "statusMessage") != "changed my mind" || first(body, "imageId") != "" {
		t.Errorf("cancelled, it is %s", body)
	}
	if a := w.call("CancelImportTask", "ImportTaskId", id); first(a.body, "previousState") != "deleted" {
		t.Errorf("cancelled again: %s", a.body)
	}
	close(b.held)
	done := w.must("importTaskId", "ImportSnapshot", "DiskContainer.Format", "RAW", "DiskContainer.Url", "s3://images/slow.raw")
	w.ended(done, "completed")
	if after := w.kept(); len(after) != len(before)+1 {
		t.Errorf("snapshots before: %v, after: %v", before, after)
	}
	if a := w.call("CancelImportTask", "ImportTaskId", done); a.code != "IncorrectState" {
		t.Errorf("the cancellation of a completed task: %s %s", a.code, a.message)
	}
}

// TestImportTasksAreFound by id, state and tag, and in pages.
func TestImportTasksAreFound(t *testing.T) {
	w := newWire(t)
	url := w.put("disk.raw", disk(1))
	var ids []string
	for range 6 {
		ids = append(ids, w.must("importTaskId", "ImportSnapshot", "DiskContainer.Format", "RAW", "DiskContainer.Url", url,
			"TagSpecification.1.ResourceType", "import-snapshot-task", "TagSpecification.1.Tag.1.Key", "wave", "TagSpecification.1.Tag.1.Value", fmt.Sprint(len(ids))))
	}
	for _, id := range ids {
		w.ended(id, "completed")
	}
	image := w.must("importTaskId", "ImportImage", "DiskContainer.1.Format", "RAW", "DiskContainer.1.Url", url)
	w.ended(image, "completed")
	count := func(params ...string) int {
		a := w.call("DescribeImportSnapshotTasks", params...)
		if a.status != http.StatusOK {
			t.Errorf("%v: %s", params, a.body)
		}
		return strings.Count(a.body, "<importTaskId>")
	}
	page := w.call("DescribeImportSnapshotTasks", "MaxResults", "5").body
	for name, got := range map[string][2]int{
		"all":                  {count(), 6},
		"the first page":       {strings.Count(page, "<importTaskId>"), 5},
		"the second":           {count("NextToken", first(page, "nextToken")), 1},
		"two ids":              {count("ImportTaskId.1", ids[0], "ImportTaskId.2", ids[4]), 2},
		"the completed":        {count("Filters.1.Name", "task-state", "Filters.1.Value.1", "completed"), 6},
		"the active":           {count("Filters.1.Name", "task-state", "Filters.1.Value.1", "active"), 0},
		"by a tag":             {count("Filters.1.Name", "tag:wave", "Filters.1.Value.1", "3"), 1},
		"by a tag's key":       {count("Filters.1.Name", "tag-key", "Filters.1.Value.1", "wave"), 6},
		"of another account's": {strings.Count(w.as(slipway.Account{Name: "other"}).call("DescribeImportSnapshotTasks").body, "<importTaskId>"), 0},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %d tasks, want %d", name, got[0], got[1])
		}
	}
	if a := w.call("DescribeImportSnapshotTasks", "ImportTaskId.1", image); a.code != "InvalidConversionTaskId" {
		t.Errorf("an image's task among the snapshots': %s", a.body)
	}
	w.must("return", "CreateTags", "ResourceId.1", image, "Tag.1.Key", "wave", "Tag.1.Value", "last")
	if got := w.must("resourceType", "DescribeTags", "Filter.1.Name", "resource-id", "Filter.1.Value.1", image); got != "import-image-task" {
		t.Errorf("the tag lies on %q", got)
	}
	if body := w.call("DescribeTags", "Filter.1.Name", "key", "Filter.1.Value.1", "wave").body; strings.Count(body, "<item>") != 7 {
		t.Errorf("the tags are %s", body)
	}
}

// TestARepeatedImportIsOne: the same token, the same task.
func TestARepeatedImportIsOne(t *testing.T) {
	w := newWire(t)
	url := w.put("disk.raw", disk(1))
	for action, container := range map[string]string{"ImportImage": "DiskContainer.1.", "ImportSnapshot": "DiskContainer."} {
		send := []string{"ClientToken", "once", container + "Format", "RAW", container + "Url", url}
		id := w.must("importTaskId", action, send...)
		if again := w.must("importTaskId", action, send...); again != id {
			t.Errorf("%s: the retry made %s, want %s", action, again, id)
		}
		if a := w.call(action, append(send, "Description", "another")...); a.code != "IdempotentParameterMismatch" {
			t.Errorf("%s: with other parameters: %s %s", action, a.code, a.message)
		}
		w.ended(id, "completed")
		if again := w.must("importTaskId", action, send...); again != id {
			t.Errorf("%s: the retry after its end made %s, want %s", action, again, id)
		}
	}
}

// TestEndedImportsAreForgotten after a week.
func TestEndedImportsAreForgotten(t *testing.T) {
	w := newWire(t)
	id := w.must("importTaskId", "ImportSnapshot", "DiskContainer.Format", "RAW", "DiskContainer.Url", w.put("disk.raw", disk(1)))
	w.ended(id, "completed")
	for _, tt := range []struct {
		ago  time.Duration
		left bool
	}{{6 * 24 * time.Hour, true}, {8 * 24 * time.Hour, false}} {
		err := w.db.Update(t.Context(), func(tx store.Tx) error {
			return state.ImportTasks.Edit(tx, state.Scope{Account: w.keys.Account, Region: "us-east-1"}, id, func(task *slipway.ImportTask) error {
				task.Ended = time.Now().Add(-tt.ago)
				return nil
			})
		})
		if err := errors.Join(err, w.api.Imports.Sweep(t.Context())); err != nil {
			t.Fatal(err)
		}
		if left := strings.Contains(w.call("DescribeImportSnapshotTasks").body, id); left != tt.left {
			t.Errorf("ended %v ago, it is there: %v", tt.ago, left)
		}
	}
}

// TestWhoMayImport: each action is judged on the task, and on what it makes.
func TestWhoMayImport(t *testing.T) {
	w := newWire(t)
	url := w.put("disk.raw", disk(1))
	image := []string{"DiskContainer.1.Format", "RAW", "DiskContainer.1.Url", url}
	for _, tt := range []struct {
		name, policy, action, code string
		params                     []string
	}{
		{"all that an import makes", `{"Effect":"Allow","Action":"ec2:ImportImage","Resource":["arn:aws:ec2:*:*:import-image-task/*","arn:aws:ec2:*::image/*","arn:aws:ec2:*::snapshot/*"]}`, "ImportImage", "", image},
		{"not the task", `{"Effect":"Allow","Action":"ec2:ImportImage","Resource":["arn:aws:ec2:*::image/*","arn:aws:ec2:*::snapshot/*"]}`, "ImportImage", "UnauthorizedOperation", image},
		{"not the image", `{"Effect":"Allow","Action":"ec2:ImportImage","Resource":["arn:aws:ec2:*:*:import-image-task/*","arn:aws:ec2:*::snapshot/*"]}`, "ImportImage", "UnauthorizedOperation", image},
		{"a snapshot's import is another action", `{"Effect":"Allow","Action":"ec2:ImportImage","Resource":"*"}`, "ImportSnapshot", "UnauthorizedOperation", []string{"DiskContainer.Format", "RAW", "DiskContainer.Url", url}},
		{"tags need the right to tag", `{"Effect":"Allow","Action":"ec2:ImportImage","Resource":"*"}`, "ImportImage", "UnauthorizedOperation",
			append(slices.Clone(image), "TagSpecification.1.ResourceType", "import-image-task", "TagSpecification.1.Tag.1.Key", "a", "TagSpecification.1.Tag.1.Value", "b")},
		{"the cancellation of any snapshot's import", `{"Effect":"Allow","Action":"ec2:CancelImportTask","Resource":"arn:aws:ec2:*:*:import-snapshot-task/*"}`, "CancelImportTask", "UnauthorizedOperation",
			[]string{"ImportTaskId", "import-ami-0123456789abcdef0"}},
		{"the cancellation of an image's import", `{"Effect":"Allow","Action":"ec2:CancelImportTask","Resource":"arn:aws:ec2:*:*:import-image-task/*"}`, "CancelImportTask", "InvalidConversionTaskId",
			[]string{"ImportTaskId", "import-ami-0123456789abcdef0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			who := w.user(strings.ReplaceAll(tt.name, " ", "-")[:8]+fmt.Sprint(len(tt.name)), document(tt.policy))
			if a := w.by(who, "ec2", tt.action, tt.params...); a.code != tt.code {
				t.Errorf("got %d %s %s, want %q", a.status, a.code, a.message, tt.code)
			}
		})
	}
}

func TestImportRefusals(t *testing.T) {
	w := newWireWithBucket(t, &bucket{})
	url := w.put("disk.raw", disk(1))
	image := func(more ...string) []string {
		return append([]string{"DiskContainer.1.Format", "RAW", "DiskContainer.1.Url", url}, more...)
	}
	snapshot := func(more ...string) []string {
		return append([]string{"DiskContainer.Format", "RAW", "DiskContainer.Url", url}, more...)
	}
	at := func(url string) []string {
		return []string{"DiskContainer.Format", "RAW", "DiskContainer.Url", url}
	}
	for _, tt := range []struct {
		name, action, code, says string
		params                   []string
	}{
		{"no disk", "ImportImage", "MissingParameter", "DiskContainer", nil},
		{"no disk", "ImportSnapshot", "MissingParameter", "DiskContainer", nil},
		{"a disk from nowhere", "ImportImage", "MissingParameter", "DiskContainer.1.Url", []string{"DiskContainer.1.Format", "RAW"}},
		{"no format", "ImportImage", "MissingParameter", "DiskContainer.1.Format", []string{"DiskContainer.1.Url", url}},
		{"a format that is none", "ImportSnapshot", "InvalidParameterValue", "QCOW2", []string{"DiskContainer.Format", "VDI", "DiskContainer.Url", url}},
		{"an archive", "ImportImage", "UnsupportedOperation", "OVA", []string{"DiskContainer.1.Format", "ova", "DiskContainer.1.Url", url}},
		{"a URL and a bucket", "ImportImage", "InvalidParameterCombination", "UserBucket", image("DiskContainer.1.UserBucket.S3Bucket", "images", "DiskContainer.1.UserBucket.S3Key", "a")},
		{"a URL and a snapshot", "ImportImage", "InvalidParameterCombination", "SnapshotId", image("DiskContainer.1.SnapshotId", "snap-01234567")},
		{"a bucket without a key", "ImportImage", "MissingParameter", "S3Key", []string{"DiskContainer.1.Format", "RAW", "DiskContainer.1.UserBucket.S3Bucket", "images"}},
		{"a key without a bucket", "ImportImage", "MissingParameter", "S3Bucket", []string{"DiskContainer.1.Format", "RAW", "DiskContainer.1.UserBucket.S3Key", "a"}},
		{"an unknown snapshot", "ImportImage", "InvalidSnapshot.NotFound", "snap-01234567", []string{"DiskContainer.1.SnapshotId", "snap-01234567"}},
		{"a device that is none", "ImportImage", "InvalidParameterValue", "deviceName", image("DiskContainer.1.DeviceName", "c:")},
		{"a device twice", "ImportImage", "InvalidParameterValue", "Two disks", image("DiskContainer.1.DeviceName", "/dev/sdf", "DiskContainer.2.DeviceName", "/dev/sdf", "DiskContainer.2.Format", "RAW", "DiskContainer.2.Url", url)},

		{"a file elsewhere", "ImportSnapshot", "UnsupportedOperation", "imports.directory", at("file:///etc/passwd")},
		{"a file above", "ImportSnapshot", "UnsupportedOperation", "imports.directory", at("file://" + w.sources.Directory + "/../credentials.json")},
		{"the metadata of this host's own cloud", "ImportSnapshot", "UnsupportedOperation", "imports.s3.endpoint", at("http://169.254.169.254/latest/meta-data/iam/security-credentials/")},
		{"another service of this host", "ImportSnapshot", "UnsupportedOperation", "imports.s3.endpoint", at("http://127.0.0.1:1/images/disk")},
		{"another scheme", "ImportSnapshot", "InvalidParameterValue", "scheme", at("gopher://127.0.0.1/")},
		{"what only QEMU would open", "ImportSnapshot", "InvalidParameterValue", "url", at(`json:{"driver":"nbd"}`)},

		{"another architecture", "ImportImage", "UnsupportedOperation", "Architecture", image("Architecture", "arm64")},
		{"an architecture that is none", "ImportImage", "InvalidParameterValue", "architecture", image("Architecture", "vax")},
		{"a boot mode that EC2 does not import", "ImportImage", "UnsupportedOperation", "BootMode", image("BootMode", "uefi-preferred")},
		{"a boot mode that is none", "ImportImage", "InvalidParameterValue", "bootMode", image("BootMode", "floppy")},
		{"Windows", "ImportImage", "UnsupportedOperation", "Platform", image("Platform", "Windows")},
		{"a platform that is none", "ImportImage", "InvalidParameterValue", "platform", image("Platform", "Plan9")},
		{"Amazon's licence", "ImportImage", "UnsupportedOperation", "LicenseType", image("LicenseType", "AWS")},
		{"a licence that is none", "ImportImage", "InvalidParameterValue", "licenseType", image("LicenseType", "GPL")},
		{"a licence configuration", "ImportImage", "UnsupportedOperation", "LicenseSpecifications", image("LicenseSpecifications.1.LicenseConfigurationArn", "arn:aws:x")},
		{"a billing code", "ImportImage", "UnsupportedOperation", "UsageOperation", image("UsageOperation", "RunInstances:0002")},
		{"a hypervisor that is none", "ImportImage", "InvalidParameterValue", "hypervisor", image("Hypervisor", "vmware")},
		{"a role that is not there", "ImportImage", "InvalidParameter", "importers", image("RoleName", "importers")},
		{"a role that is not there", "ImportSnapshot", "InvalidParameter", "importers", snapshot("RoleName", "importers")},
		{"a key without encryption", "ImportImage", "InvalidParameterDependency", "KmsKeyId", image("KmsKeyId", "alias/mine")},
		{"a key without encryption", "ImportSnapshot", "InvalidParameterDependency", "KmsKeyId", snapshot("KmsKeyId", "alias/mine", "Encrypted", "false")},
		{"a tag of an image", "ImportImage", "InvalidParameterValue", "taggable", image("TagSpecification.1.ResourceType", "image", "TagSpecification.1.Tag.1.Key", "a")},
		{"an unknown task's end", "CancelImportTask", "InvalidConversionTaskId", "import-ami-1", []string{"ImportTaskId", "import-ami-1"}},
		{"no task's end", "CancelImportTask", "MissingParameter", "ImportTaskId", nil},
		{"an unknown task", "DescribeImportImageTasks", "InvalidConversionTaskId", "import-ami-1", []string{"ImportTaskId.1", "import-ami-1"}},
		{"an unknown filter", "DescribeImportImageTasks", "InvalidParameterValue", "colour", []string{"Filters.1.Name", "colour", "Filters.1.Value.1", "red"}},
	} {
		t.Run(tt.action+": "+tt.name, func(t *testing.T) {
			if a := w.call(tt.action, tt.params...); a.code != tt.code || !strings.Contains(a.message, tt.says) {
				t.Errorf("got %s %q, want %s naming %q", a.code, a.message, tt.code, tt.says)
			}
		})
	}
	if body := w.call("DescribeImportSnapshotTasks").body + w.call("DescribeImportImageTasks").body; strings.Contains(body, "<importTaskId>") {
		t.Errorf("what was refused has become a task: %s", body)
	}
	if a := newWire(t).call("ImportSnapshot", at("s3://images/disk")...); a.code != "UnsupportedOperation" || !strings.Contains(a.message, "imports.s3.endpoint") {
		t.Errorf("without an endpoint: %s %s", a.code, a.message)
	}
}

// importDryRuns are dryRuns of imports; a task that has ended can still be cancelled.
func (o world) importDryRuns(w *wire) map[string][]string {
	url := w.put("disk.raw", disk(1))
	failed := w.must("importTaskId", "ImportSnapshot", "DiskContainer.Format", "VHD", "DiskContainer.Url", url)
	w.ended(failed, "deleted")
	return map[string][]string{
		"ImportImage":      {"DiskContainer.1.Format", "RAW", "DiskContainer.1.Url", url},
		"ImportSnapshot":   {"DiskContainer.Format", "RAW", "DiskContainer.Url", url},
		"CancelImportTask": {"ImportTaskId", failed},
	}
}
