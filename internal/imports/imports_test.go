package imports_test

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
	"slipway/internal/apitest"
	"slipway/internal/imagesource"
	"slipway/internal/sigv4"
	"slipway/internal/state"
	"slipway/internal/store"
)

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
func newWireWithBucket(t *testing.T, b *bucket) *apitest.Wire {
	t.Helper()
	s := httptest.NewServer(b)
	t.Cleanup(s.Close)
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return apitest.NewWith(t,
		apitest.Options{
			S3: &imagesource.S3{Endpoint: at, Region: "us-east-1", AccessKey: "AKIAREADER", SecretKey: "reader's secret"},
		})
}

// TestAnImageIsImported with two disks, is its owner's, and launches.
func TestAnImageIsImported(t *testing.T) {
	w := apitest.New(t)
	root, data := w.Put("root.raw", apitest.Disk(3)), w.Put("data.raw", make([]byte, 1<<20))
	a := w.Call("ImportImage", "Description", "from the old data centre", "Architecture", "x86_64", "Platform", "Linux",
		"LicenseType", "BYOL", "RoleName", "vmimport", "Hypervisor", "xen", "ClientData.UploadSize", "0.5",
		"DiskContainer.1.Format", "raw", "DiskContainer.1.Url", root, "DiskContainer.1.Description", "system",
		"DiskContainer.2.Format", "RAW", "DiskContainer.2.Url", data,
		"TagSpecification.1.ResourceType", "import-image-task", "TagSpecification.1.Tag.1.Key", "Name",
		"TagSpecification.1.Tag.1.Value", "move")
	id := apitest.First(a.Body, "importTaskId")
	for element, want := range map[string]string{
		"status": "active", "statusMessage": "pending", "progress": "2", "description": "from the old data centre",
		"platform": "Linux", "licenseType": "BYOL",
		"hypervisor": "xen", "architecture": "x86_64", "format": "RAW", "url": root, "deviceName": "/dev/sda1",
		"key": "Name", "imageId": "",
	} {
		if got := apitest.First(a.Body, element); got != want {
			t.Errorf("the answer's %s = %q, want %q", element, got, want)
		}
	}
	body := w.Ended(id, "completed")
	image := apitest.First(body, "imageId")
	for element, want := range map[string]string{
		"statusMessage": "", "progress": "", "diskImageSize": "3145728", "bootMode": "legacy-bios",
	} {
		if got := apitest.First(body, element); got != want {
			t.Errorf("the task's %s = %q, want %q", element, got, want)
		}
	}
	body = w.Call("DescribeImages", "Owner.1", "self", "ImageId.1", image).Body
	for element, want := range map[string]string{
		"name": id, "imageState": "available", "rootDeviceName": "/dev/sda1", "bootMode": "legacy-bios",
		"isPublic": "false", "volumeType": "gp2",
		"deleteOnTermination": "false", "architecture": "x86_64", "encrypted": "false",
	} {
		if got := apitest.First(body, element); got != want {
			t.Errorf("the image's %s = %q, want %q", element, got, want)
		}
	}
	snaps := w.SnapshotsOf(image)
	if len(snaps) != 2 || !strings.Contains(body, "<deviceName>/dev/sdf<") {
		t.Fatalf("the image's mapping: %s", body)
	}
	for _, s := range snaps {
		if !slices.Contains(w.Kept(), slipway.SnapshotID(s)) {
			t.Errorf("%s has no file", s)
		}
		body := w.Call("DescribeSnapshots", "Owner.1", "self", "SnapshotId.1", s).Body
		for element, want := range map[string]string{
			"status": "completed", "volumeSize": "1", "description": "Created by AWS-VMImport service for " + id,
			"volumeId": "vol-ffffffff",
		} {
			if got := apitest.First(body, element); got != want {
				t.Errorf("the snapshot's %s = %q, want %q", element, got, want)
			}
		}
	}
	w.Await(w.Must("instanceId", "RunInstances", "ImageId", image, "InstanceType", "t3.micro", "MinCount", "1",
		"MaxCount", "1"), "running")

	uefi := apitest.First(w.Ended(w.Must("importTaskId", "ImportImage", "BootMode", "uefi",
		"DiskContainer.1.DeviceName", "/dev/xvda", "DiskContainer.1.Format", "RAW", "DiskContainer.1.Url", root),
		"completed"), "imageId")
	if body := w.Call("DescribeImages", "ImageId.1", uefi).Body; apitest.First(body, "bootMode") != "uefi" ||
		apitest.First(body, "rootDeviceName") != "/dev/xvda" {
		t.Errorf("with UEFI: %s", body)
	}
	if !state.FindImage(w.DB.Local(), "us-east-1", uefi).Boot.UEFI {
		t.Error("it would not boot by UEFI")
	}
}

// TestASnapshotIsImported out of a bucket, in each way that names it.
func TestASnapshotIsImported(t *testing.T) {
	w := newWireWithBucket(t, &bucket{objects: map[string][]byte{"vms/disk.raw": apitest.Disk(2)}})
	endpoint := w.Sources.S3.Endpoint.String()
	for name, where := range map[string][]string{
		"by bucket and key": {"DiskContainer.UserBucket.S3Bucket", "images", "DiskContainer.UserBucket.S3Key",
			"vms/disk.raw"},
		"by an s3 URL":          {"DiskContainer.Url", "s3://images/vms/disk.raw"},
		"by the endpoint's URL": {"DiskContainer.Url", endpoint + "/images/vms/disk.raw"},
	} {
		a := w.Call("ImportSnapshot",
			append([]string{
				"Description", "import", "DiskContainer.Format", "RAW", "DiskContainer.Description", "data",
			}, where...)...)
		id := apitest.First(a.Body, "importTaskId")
		for element, want := range map[string]string{
			"status": "active", "statusMessage": "pending", "progress": "3", "format": "RAW", "snapshotId": "",
		} {
			if got := apitest.First(a.Body, element); got != want {
				t.Errorf("%s: the answer's %s = %q, want %q", name, element, got, want)
			}
		}
		body := w.Ended(id, "completed")
		snap := apitest.First(body, "snapshotId")
		for element, want := range map[string]string{
			"diskImageSize": "2097152", "encrypted": "false", "statusMessage": "", "progress": "",
		} {
			if got := apitest.First(body, element); got != want {
				t.Errorf("%s: the task's %s = %q, want %q", name, element, got, want)
			}
		}
		if got := w.Must("description", "DescribeSnapshots", "SnapshotId.1",
			snap); got != "Created by AWS-VMImport service for "+id {
			t.Errorf("%s: the snapshot is described as %q", name, got)
		}
		w.AwaitVolume(w.Must("volumeId", "CreateVolume", "AvailabilityZone", "us-east-1a", "SnapshotId", snap), "available")
		if strings.Contains(name, "bucket") &&
			(apitest.First(body, "s3Bucket") != "images" || apitest.First(body, "s3Key") != "vms/disk.raw") {
			t.Errorf("%s: %s", name, body)
		}
	}
}

// TestImportsAreEncrypted when that is asked for, or the account's default.
func TestImportsAreEncrypted(t *testing.T) {
	w := apitest.New(t)
	url := w.Put("disk.raw", apitest.Disk(1))
	run := func(more ...string) *slipway.Snapshot {
		id := w.Must("importTaskId", "ImportSnapshot",
			append([]string{"DiskContainer.Format", "RAW", "DiskContainer.Url", url}, more...)...)
		snap := apitest.First(w.Ended(id, "completed"), "snapshotId")
		return state.FindSnapshot(w.DB.Local(), "us-east-1", snap)
	}
	if n := run(); n.Encrypted || n.Secret != nil {
		t.Error("it is encrypted unasked")
	}
	if n := run("Encrypted", "true", "KmsKeyId", "alias/mine"); !n.Encrypted || len(n.Secret) == 0 || n.Key != "alias/mine" {
		t.Errorf("asked for, it is encrypted: %v, by %q", n.Encrypted, n.Key)
	}
	w.Must("ebsEncryptionByDefault", "EnableEbsEncryptionByDefault")
	if n := run(); !n.Encrypted || len(n.Secret) == 0 {
		t.Error("it is not encrypted though that is the default")
	}
}

// TestAnImageOfASnapshot: a container may name one that is there already, and the image has a copy of its own.
func TestAnImageOfASnapshot(t *testing.T) {
	w := apitest.New(t)
	of := apitest.First(w.Ended(w.Must("importTaskId", "ImportSnapshot", "DiskContainer.Format", "RAW",
		"DiskContainer.Url", w.Put("disk.raw", apitest.Disk(1))), "completed"), "snapshotId")
	image := apitest.First(w.Ended(w.Must("importTaskId", "ImportImage", "DiskContainer.1.SnapshotId", of),
		"completed"), "imageId")
	if snaps := w.SnapshotsOf(image); len(snaps) != 1 || snaps[0] == of {
		t.Errorf("the image's snapshots are %v, the container's %s", snaps, of)
	}
	w.Must("return", "DeleteSnapshot", "SnapshotId", of)
	w.Await(w.Must("instanceId", "RunInstances", "ImageId", image, "InstanceType", "t3.micro", "MinCount", "1",
		"MaxCount", "1"), "running")

	// The tiny image's disk has no loader of its own, and comes with its kernel.
	tiny := state.FindImage(w.DB.Local(), "us-east-1", w.Image())
	own := apitest.First(w.Ended(w.Must("importTaskId", "ImportImage", "DiskContainer.1.SnapshotId",
		string(tiny.Devices[0].Snapshot)), "completed"), "imageId")
	if got := state.FindImage(w.DB.Local(), "us-east-1", own).Boot; got.Kernel != tiny.Boot.Kernel {
		t.Errorf("it boots by %+v, its source by %+v", got, tiny.Boot)
	}
}

// TestImportsThatCannotBe end deleted, say why, and leave nothing: no file of the host's comes in.
func TestImportsThatCannotBe(t *testing.T) {
	w := newWireWithBucket(t, &bucket{objects: map[string][]byte{"a.raw": apitest.Disk(1)}})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, apitest.Disk(1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(w.Sources.Directory, "link.raw")); err != nil {
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
	descriptor := "# Disk DescriptorFile\nversion=1\ncreateType=\"monolithicFlat\"\nRW 2048 FLAT \"/etc/passwd\" 0\n" +
		strings.Repeat(" ", 512)
	before := w.Kept()
	for _, tt := range []struct{ name, format, url, says string }{
		{"an overlay", "QCOW2", w.Put("overlay.qcow2", overlay), "overlay"},
		{"data in another file", "QCOW2", w.Put("external.qcow2", external), "another file"},
		{"a descriptor that names /etc/passwd", "VMDK", w.Put("passwd.vmdk", []byte(descriptor)), "only a descriptor"},
		{"a header that refers to a descriptor", "VMDK", w.Put("hollow.vmdk", hollow), "no capacity"},
		{"another format than is said", "VHDX", w.Put("disk.vhdx", apitest.Disk(1)), "Unsupported VHDX File Format"},
		{"a qcow2 called raw", "RAW", w.Put("not.raw", external), "QCOW2"},
		{"a link out of the directory", "RAW", "file://" + filepath.Join(w.Sources.Directory, "link.raw"), "cannot be opened"},
		{"a file that is not there", "RAW", "file://" + filepath.Join(w.Sources.Directory, "none.raw"), "no file"},
		{"an object that is not there", "RAW", "s3://images/none", "404"},
		{"a redirection", "RAW", "s3://images/moved", "redirection"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, id := range []string{
				w.Must("importTaskId", "ImportSnapshot", "DiskContainer.Format", tt.format, "DiskContainer.Url", tt.url),
				w.Must("importTaskId", "ImportImage", "DiskContainer.1.Format", "RAW", "DiskContainer.1.Url",
					"s3://images/a.raw", "DiskContainer.2.Format", tt.format, "DiskContainer.2.Url", tt.url),
			} {
				body := w.Ended(id, "deleted")
				message := apitest.First(body, "statusMessage")
				if !strings.HasPrefix(message, "ClientError: Disk validation failed [") ||
					!strings.Contains(message, tt.says) || strings.Contains(message, secret) {
					t.Errorf("%s says %q, want what is wrong: %q", id, message, tt.says)
				}
				if apitest.First(body, "imageId") != "" || apitest.First(body, "snapshotId") != "" {
					t.Errorf("%s shows what it has not made: %s", id, body)
				}
			}
		})
	}
	if after := w.Kept(); !slices.Equal(before, after) {
		t.Errorf("snapshots before: %v, after: %v", before, after)
	}
	if body := w.Call("DescribeSnapshots", "Owner.1", "self").Body; strings.Contains(body, "<snapshotId>") {
		t.Errorf("snapshots are described: %s", body)
	}
}

// TestAnImportIsCancelled in the middle of its way.
func TestAnImportIsCancelled(t *testing.T) {
	b := &bucket{objects: map[string][]byte{"slow.raw": apitest.Disk(1)}, held: make(chan struct{})}
	w := newWireWithBucket(t, b)
	before := w.Kept()
	id := w.Must("importTaskId", "ImportImage", "DiskContainer.1.Format", "RAW", "DiskContainer.1.Url", "s3://images/slow.raw")
	w.Eventually("it is under way", func() bool {
		return strings.Contains(w.Task(id), "<statusMessage>converting<") && b.asked.Load() == 1
	})
	if got := w.Must("importTaskId", "DescribeImportImageTasks", "Filters.1.Name", "task-state", "Filters.1.Value.1",
		"active"); got != id {
		t.Errorf("the active tasks are %q, want %s", got, id)
	}
	a := w.Call("CancelImportTask", "ImportTaskId", id, "CancelReason", "changed my mind")
	if apitest.First(a.Body, "importTaskId") != id || apitest.First(a.Body, "previousState") != "active" ||
		apitest.First(a.Body, "state") != "deleting" {
		t.Errorf("CancelImportTask = %s", a.Body)
	}
	if body := w.Ended(id, "deleted"); apitest.First(body, "statusMessage") != "changed my mind" ||
		apitest.First(body, "imageId") != "" {
		t.Errorf("cancelled, it is %s", body)
	}
	if a := w.Call("CancelImportTask", "ImportTaskId", id); apitest.First(a.Body, "previousState") != "deleted" {
		t.Errorf("cancelled again: %s", a.Body)
	}
	close(b.held)
	done := w.Must("importTaskId", "ImportSnapshot", "DiskContainer.Format", "RAW", "DiskContainer.Url", "s3://images/slow.raw")
	w.Ended(done, "completed")
	if after := w.Kept(); len(after) != len(before)+1 {
		t.Errorf("snapshots before: %v, after: %v", before, after)
	}
	if a := w.Call("CancelImportTask", "ImportTaskId", done); a.Code != "IncorrectState" {
		t.Errorf("the cancellation of a completed task: %s %s", a.Code, a.Message)
	}
}

// TestImportTasksAreFound by id, state and tag, and in pages.
func TestImportTasksAreFound(t *testing.T) {
	w := apitest.New(t)
	url := w.Put("disk.raw", apitest.Disk(1))
	var ids []string
	for range 6 {
		ids = append(ids, w.Must("importTaskId", "ImportSnapshot", "DiskContainer.Format", "RAW", "DiskContainer.Url", url,
			"TagSpecification.1.ResourceType", "import-snapshot-task", "TagSpecification.1.Tag.1.Key", "wave",
			"TagSpecification.1.Tag.1.Value", fmt.Sprint(len(ids))))
	}
	for _, id := range ids {
		w.Ended(id, "completed")
	}
	image := w.Must("importTaskId", "ImportImage", "DiskContainer.1.Format", "RAW", "DiskContainer.1.Url", url)
	w.Ended(image, "completed")
	count := func(params ...string) int {
		a := w.Call("DescribeImportSnapshotTasks", params...)
		if a.Status != http.StatusOK {
			t.Errorf("%v: %s", params, a.Body)
		}
		return strings.Count(a.Body, "<importTaskId>")
	}
	page := w.Call("DescribeImportSnapshotTasks", "MaxResults", "5").Body
	for name, got := range map[string][2]int{
		"all":            {count(), 6},
		"the first page": {strings.Count(page, "<importTaskId>"), 5},
		"the second":     {count("NextToken", apitest.First(page, "nextToken")), 1},
		"two ids":        {count("ImportTaskId.1", ids[0], "ImportTaskId.2", ids[4]), 2},
		"the completed":  {count("Filters.1.Name", "task-state", "Filters.1.Value.1", "completed"), 6},
		"the active":     {count("Filters.1.Name", "task-state", "Filters.1.Value.1", "active"), 0},
		"by a tag":       {count("Filters.1.Name", "tag:wave", "Filters.1.Value.1", "3"), 1},
		"by a tag's key": {count("Filters.1.Name", "tag-key", "Filters.1.Value.1", "wave"), 6},
		"of another account's": {strings.Count(w.As(slipway.Account{
			Name: "other",
		}).Call("DescribeImportSnapshotTasks").Body, "<importTaskId>"), 0},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %d tasks, want %d", name, got[0], got[1])
		}
	}
	if a := w.Call("DescribeImportSnapshotTasks", "ImportTaskId.1", image); a.Code != "InvalidConversionTaskId" {
		t.Errorf("an image's task among the snapshots': %s", a.Body)
	}
	w.Must("return", "CreateTags", "ResourceId.1", image, "Tag.1.Key", "wave", "Tag.1.Value", "last")
	if got := w.Must("resourceType", "DescribeTags", "Filter.1.Name", "resource-id", "Filter.1.Value.1",
		image); got != "import-image-task" {
		t.Errorf("the tag lies on %q", got)
	}
	if body := w.Call("DescribeTags", "Filter.1.Name", "key", "Filter.1.Value.1",
		"wave").Body; strings.Count(body, "<item>") != 7 {
		t.Errorf("the tags are %s", body)
	}
}

// TestARepeatedImportIsOne: the same token, the same task.
func TestARepeatedImportIsOne(t *testing.T) {
	w := apitest.New(t)
	url := w.Put("disk.raw", apitest.Disk(1))
	for action, container := range map[string]string{"ImportImage": "DiskContainer.1.", "ImportSnapshot": "DiskContainer."} {
		send := []string{"ClientToken", "once", container + "Format", "RAW", container + "Url", url}
		id := w.Must("importTaskId", action, send...)
		if again := w.Must("importTaskId", action, send...); again != id {
			t.Errorf("%s: the retry made %s, want %s", action, again, id)
		}
		if a := w.Call(action, append(send, "Description", "another")...); a.Code != "IdempotentParameterMismatch" {
			t.Errorf("%s: with other parameters: %s %s", action, a.Code, a.Message)
		}
		w.Ended(id, "completed")
		if again := w.Must("importTaskId", action, send...); again != id {
			t.Errorf("%s: the retry after its end made %s, want %s", action, again, id)
		}
	}
}

// TestEndedImportsAreForgotten after a week.
func TestEndedImportsAreForgotten(t *testing.T) {
	w := apitest.New(t)
	id := w.Must("importTaskId", "ImportSnapshot", "DiskContainer.Format", "RAW", "DiskContainer.Url",
		w.Put("disk.raw", apitest.Disk(1)))
	w.Ended(id, "completed")
	for _, tt := range []struct {
		ago  time.Duration
		left bool
	}{{6 * 24 * time.Hour, true}, {8 * 24 * time.Hour, false}} {
		err := w.DB.Update(t.Context(), func(tx store.Tx) error {
			return state.ImportTasks.Edit(tx, state.Scope{Account: w.Keys.Account, Region: "us-east-1"}, id,
				func(task *slipway.ImportTask) error {
					task.Ended = time.Now().Add(-tt.ago)
					return nil
				})
		})
		if err := errors.Join(err, w.API.Imports.Sweep(t.Context())); err != nil {
			t.Fatal(err)
		}
		if left := strings.Contains(w.Call("DescribeImportSnapshotTasks").Body, id); left != tt.left {
			t.Errorf("ended %v ago, it is there: %v", tt.ago, left)
		}
	}
}

// TestWhoMayImport: each action is judged on the task, and on what it makes.
func TestWhoMayImport(t *testing.T) {
	w := apitest.New(t)
	url := w.Put("disk.raw", apitest.Disk(1))
	image := []string{"DiskContainer.1.Format", "RAW", "DiskContainer.1.Url", url}
	for _, tt := range []struct {
		name, policy, action, code string
		params                     []string
	}{
		{"all that an import makes",
			`{"Effect":"Allow","Action":"ec2:ImportImage","Resource":["arn:aws:ec2:*:*:import-image-task/*","arn:aws:ec2:*::image/*","arn:aws:ec2:*::snapshot/*"]}`,
			"ImportImage", "", image},
		{"not the task",
			`{"Effect":"Allow","Action":"ec2:ImportImage","Resource":["arn:aws:ec2:*::image/*","arn:aws:ec2:*::snapshot/*"]}`,
			"ImportImage", "UnauthorizedOperation", image},
		{"not the image",
			`{"Effect":"Allow","Action":"ec2:ImportImage","Resource":["arn:aws:ec2:*:*:import-image-task/*","arn:aws:ec2:*::snapshot/*"]}`,
			"ImportImage", "UnauthorizedOperation", image},
		{"a snapshot's import is another action", `{"Effect":"Allow","Action":"ec2:ImportImage","Resource":"*"}`,
			"ImportSnapshot", "UnauthorizedOperation", []string{"DiskContainer.Format", "RAW", "DiskContainer.Url", url}},
		{"tags need the right to tag", `{"Effect":"Allow","Action":"ec2:ImportImage","Resource":"*"}`, "ImportImage",
			"UnauthorizedOperation",
			append(slices.Clone(image), "TagSpecification.1.ResourceType", "import-image-task",
				"TagSpecification.1.Tag.1.Key", "a", "TagSpecification.1.Tag.1.Value", "b")},
		{"the cancellation of any snapshot's import",
			`{"Effect":"Allow","Action":"ec2:CancelImportTask","Resource":"arn:aws:ec2:*:*:import-snapshot-task/*"}`,
			"CancelImportTask", "UnauthorizedOperation",
			[]string{"ImportTaskId", "import-ami-0123456789abcdef0"}},
		{"the cancellation of an image's import",
			`{"Effect":"Allow","Action":"ec2:CancelImportTask","Resource":"arn:aws:ec2:*:*:import-image-task/*"}`,
			"CancelImportTask", "InvalidConversionTaskId",
			[]string{"ImportTaskId", "import-ami-0123456789abcdef0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			who := w.User(strings.ReplaceAll(tt.name, " ", "-")[:8]+fmt.Sprint(len(tt.name)), apitest.Document(tt.policy))
			if a := w.By(who, "ec2", tt.action, tt.params...); a.Code != tt.code {
				t.Errorf("got %d %s %s, want %q", a.Status, a.Code, a.Message, tt.code)
			}
		})
	}
}

func TestImportRefusals(t *testing.T) {
	w := newWireWithBucket(t, &bucket{})
	url := w.Put("disk.raw", apitest.Disk(1))
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
		{"a disk from nowhere", "ImportImage", "MissingParameter", "DiskContainer.1.Url",
			[]string{"DiskContainer.1.Format", "RAW"}},
		{"no format", "ImportImage", "MissingParameter", "DiskContainer.1.Format", []string{"DiskContainer.1.Url", url}},
		{"a format that is none", "ImportSnapshot", "InvalidParameterValue", "QCOW2",
			[]string{"DiskContainer.Format", "VDI", "DiskContainer.Url", url}},
		{"an archive", "ImportImage", "UnsupportedOperation", "OVA",
			[]string{"DiskContainer.1.Format", "ova", "DiskContainer.1.Url", url}},
		{"a URL and a bucket", "ImportImage", "InvalidParameterCombination", "UserBucket",
			image("DiskContainer.1.UserBucket.S3Bucket", "images", "DiskContainer.1.UserBucket.S3Key", "a")},
		{"a URL and a snapshot", "ImportImage", "InvalidParameterCombination", "SnapshotId",
			image("DiskContainer.1.SnapshotId", "snap-01234567")},
		{"a bucket without a key", "ImportImage", "MissingParameter", "S3Key",
			[]string{"DiskContainer.1.Format", "RAW", "DiskContainer.1.UserBucket.S3Bucket", "images"}},
		{"a key without a bucket", "ImportImage", "MissingParameter", "S3Bucket",
			[]string{"DiskContainer.1.Format", "RAW", "DiskContainer.1.UserBucket.S3Key", "a"}},
		{"an unknown snapshot", "ImportImage", "InvalidSnapshot.NotFound", "snap-01234567",
			[]string{"DiskContainer.1.SnapshotId", "snap-01234567"}},
		{"a device that is none", "ImportImage", "InvalidParameterValue", "deviceName",
			image("DiskContainer.1.DeviceName", "c:")},
		{"a device twice", "ImportImage", "InvalidParameterValue", "Two disks",
			image("DiskContainer.1.DeviceName", "/dev/sdf", "DiskContainer.2.DeviceName", "/dev/sdf",
				"DiskContainer.2.Format", "RAW", "DiskContainer.2.Url", url)},

		{"a file elsewhere", "ImportSnapshot", "UnsupportedOperation", "imports.directory", at("file:///etc/passwd")},
		{"a file above", "ImportSnapshot", "UnsupportedOperation", "imports.directory",
			at("file://" + w.Sources.Directory + "/../credentials.json")},
		{"the metadata of this host's own cloud", "ImportSnapshot", "UnsupportedOperation", "imports.s3.endpoint",
			at("http://169.254.169.254/latest/meta-data/iam/security-credentials/")},
		{"another service of this host", "ImportSnapshot", "UnsupportedOperation", "imports.s3.endpoint",
			at("http://127.0.0.1:1/images/disk")},
		{"another scheme", "ImportSnapshot", "InvalidParameterValue", "scheme", at("gopher://127.0.0.1/")},
		{"what only QEMU would open", "ImportSnapshot", "InvalidParameterValue", "url", at(`json:{"driver":"nbd"}`)},

		{"another architecture", "ImportImage", "UnsupportedOperation", "Architecture", image("Architecture", "arm64")},
		{"an architecture that is none", "ImportImage", "InvalidParameterValue", "architecture", image("Architecture", "vax")},
		{"a boot mode that EC2 does not import", "ImportImage", "UnsupportedOperation", "BootMode",
			image("BootMode", "uefi-preferred")},
		{"a boot mode that is none", "ImportImage", "InvalidParameterValue", "bootMode", image("BootMode", "floppy")},
		{"Windows", "ImportImage", "UnsupportedOperation", "Platform", image("Platform", "Windows")},
		{"a platform that is none", "ImportImage", "InvalidParameterValue", "platform", image("Platform", "Plan9")},
		{"Amazon's licence", "ImportImage", "UnsupportedOperation", "LicenseType", image("LicenseType", "AWS")},
		{"a licence that is none", "ImportImage", "InvalidParameterValue", "licenseType", image("LicenseType", "GPL")},
		{"a licence configuration", "ImportImage", "UnsupportedOperation", "LicenseSpecifications",
			image("LicenseSpecifications.1.LicenseConfigurationArn", "arn:aws:x")},
		{"a billing code", "ImportImage", "UnsupportedOperation", "UsageOperation",
			image("UsageOperation", "RunInstances:0002")},
		{"a hypervisor that is none", "ImportImage", "InvalidParameterValue", "hypervisor", image("Hypervisor", "vmware")},
		{"a role that is not there", "ImportImage", "InvalidParameter", "importers", image("RoleName", "importers")},
		{"a role that is not there", "ImportSnapshot", "InvalidParameter", "importers", snapshot("RoleName", "importers")},
		{"a key without encryption", "ImportImage", "InvalidParameterDependency", "KmsKeyId", image("KmsKeyId", "alias/mine")},
		{"a key without encryption", "ImportSnapshot", "InvalidParameterDependency", "KmsKeyId",
			snapshot("KmsKeyId", "alias/mine", "Encrypted", "false")},
		{"a tag of an image", "ImportImage", "InvalidParameterValue", "taggable",
			image("TagSpecification.1.ResourceType", "image", "TagSpecification.1.Tag.1.Key", "a")},
		{"an unknown task's end", "CancelImportTask", "InvalidConversionTaskId", "import-ami-1",
			[]string{"ImportTaskId", "import-ami-1"}},
		{"no task's end", "CancelImportTask", "MissingParameter", "ImportTaskId", nil},
		{"an unknown task", "DescribeImportImageTasks", "InvalidConversionTaskId", "import-ami-1",
			[]string{"ImportTaskId.1", "import-ami-1"}},
		{"an unknown filter", "DescribeImportImageTasks", "InvalidParameterValue", "colour",
			[]string{"Filters.1.Name", "colour", "Filters.1.Value.1", "red"}},
	} {
		t.Run(tt.action+": "+tt.name, func(t *testing.T) {
			if a := w.Call(tt.action, tt.params...); a.Code != tt.code || !strings.Contains(a.Message, tt.says) {
				t.Errorf("got %s %q, want %s naming %q", a.Code, a.Message, tt.code, tt.says)
			}
		})
	}
	if body := w.Call("DescribeImportSnapshotTasks").Body +
		w.Call("DescribeImportImageTasks").Body; strings.Contains(body, "<importTaskId>") {
		t.Errorf("what was refused has become a task: %s", body)
	}
	if a := apitest.New(t).Call("ImportSnapshot", at("s3://images/disk")...); a.Code != "UnsupportedOperation" ||
		!strings.Contains(a.Message, "imports.s3.endpoint") {
		t.Errorf("without an endpoint: %s %s", a.Code, a.Message)
	}
}
