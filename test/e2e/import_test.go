package e2e

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// greeter is a boot record whose program writes text to the first serial port and halts.
func greeter(text string) []byte {
	disk := make([]byte, 1<<20)
	n := copy(disk, []byte{
		0xfc,                   // cld
		0x31, 0xc0, 0x8e, 0xd8, // xor ax, ax; mov ds, ax
		0xbe, 0x16, 0x7c, // mov si, text
		0xac,       // next: lodsb
		0x84, 0xc0, // test al, al
		0x74, 0x06, // jz halt
		0xba, 0xf8, 0x03, // mov dx, 0x3f8
		0xee,       // out dx, al
		0xeb, 0xf5, // jmp next
		0xf4,       // halt: hlt
		0xeb, 0xfd, // jmp halt
	})
	copy(disk[n:], text)
	disk[510], disk[511] = 0x55, 0xaa
	return disk
}

// TestImportedImageBootsByItsOwnLoader brings a disk of the owner's, as it is: no kernel is handed over.
func TestImportedImageBootsByItsOwnLoader(t *testing.T) {
	needReal(t)
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	disk := filepath.Join(t.TempDir(), "greeter.raw")
	if err := os.WriteFile(disk, greeter("the disk's own loader speaks\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, "--accel", "tcg")
	said, err := exec.Command(bin, "image", "import", disk, "--name", "greeter", "--user", "nobody", "--state",
		r.state).CombinedOutput() // beside the server, which has it at once
	if err != nil {
		t.Fatalf("image import: %v: %s", err, said)
	}
	c := r.client()
	ctx := t.Context()
	// The same disk once more, as another's VMDK through the API.
	vmdk := filepath.Join(r.state, "imports", "greeter.vmdk")
	if out, err := exec.Command("qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized",
		disk, vmdk).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v: %s", err, out)
	}
	task := must[*ec2.ImportImageOutput](t)(c.ImportImage(ctx,
		&ec2.ImportImageInput{
			DiskContainers: []types.ImageDiskContainer{{Format: aws.String("VMDK"), Url: aws.String("file://" + vmdk)}},
		}))
	found, err := c.DescribeImages(ctx,
		&ec2.DescribeImagesInput{
			Filters: []types.Filter{{Name: aws.String("description"), Values: []string{"*log in as nobody"}}},
		})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Images) != 1 || !strings.HasPrefix(*found.Images[0].Name, "greeter-") ||
		found.Images[0].BootMode != types.BootModeValuesLegacyBios {
		t.Fatalf("images of that user: %+v", found.Images)
	}
	var ids []string
	for _, image := range []*string{found.Images[0].ImageId, r.imported(c, *task.ImportTaskId).ImageId} {
		made := must[*ec2.RunInstancesOutput](t)(c.RunInstances(ctx,
			&ec2.RunInstancesInput{
				ImageId: image, InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
			}))
		ids = append(ids, *made.Instances[0].InstanceId)
	}
	for _, id := range ids {
		r.waitState(c, id, types.InstanceStateNameRunning)
		eventually(t, time.Minute, func() error {
			out, err := c.GetConsoleOutput(ctx, &ec2.GetConsoleOutputInput{InstanceId: &id, Latest: aws.Bool(true)})
			if err != nil {
				return err
			}
			if text, _ := base64.StdEncoding.DecodeString(aws.ToString(out.Output)); !strings.Contains(string(text),
				"the disk's own loader speaks") {
				return fmt.Errorf("the console says %q", text)
			}
			return nil
		})
	}

	// The image is the state's: it goes from there, while its instance runs on.
	image := *found.Images[0].ImageId
	if said, err := exec.Command(bin, "image", "remove", image, "--state", r.state).CombinedOutput(); err != nil {
		t.Fatalf("image remove: %v: %s", err, said)
	}
	left, _ := filepath.Glob(filepath.Join(r.state, "images", "*"))
	if _, err := c.DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{image}}); err == nil || len(left) > 0 {
		t.Errorf("removed, it is described as %v, and %v is left", err, left)
	}
	if in := r.waitState(c, ids[0], types.InstanceStateNameRunning); *in.ImageId != image {
		t.Errorf("its instance is of %s", *in.ImageId)
	}
}

// TestReadingMakesNothing: a command that reads a state where there is none says so, and leaves the folder as it was.
func TestReadingMakesNothing(t *testing.T) {
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{
		{"image", "list"}, {"image", "remove", "ami-0123456789abcdef0"}, {"explain", "i-0123456789abcdef0"}, {"state", "check"},
		{"account", "list"}, {"secrets", "status"}, {"backup", "file"}, {"spot", "interrupt", "i-0123456789abcdef0"},
	} {
		cmd := exec.Command(bin, words...)
		cmd.Dir = t.TempDir()
		said, err := cmd.CombinedOutput()
		if made, _ := os.ReadDir(cmd.Dir); err == nil || !strings.Contains(string(said), "there is no state in") || len(made) > 0 {
			t.Errorf("%v: %v %s, and made %v", words, err, said, made)
		}
	}
}

// imported waits until an import of an image is completed.
func (r *run) imported(c *ec2.Client, task string) types.ImportImageTask {
	r.t.Helper()
	var out types.ImportImageTask
	eventually(r.t, time.Minute, func() error {
		tasks, err := c.DescribeImportImageTasks(r.t.Context(),
			&ec2.DescribeImportImageTasksInput{ImportTaskIds: []string{task}})
		if err != nil {
			return err
		}
		if out = tasks.ImportImageTasks[0]; *out.Status != "completed" {
			return fmt.Errorf("%s is %s: %s", task, *out.Status, aws.ToString(out.StatusMessage))
		}
		return nil
	})
	return out
}

// TestAnImportOutlivesSlipway: killed while an image is on its way, it takes the task up again.
func TestAnImportOutlivesSlipway(t *testing.T) {
	var asked atomic.Int32
	content := greeter("hello")
	bucket := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if asked.Add(1) > 1 {
			http.ServeContent(w, q, "", time.Time{}, bytes.NewReader(content))
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		w.Write(content[:1000])
		w.(http.Flusher).Flush()
		<-q.Context().Done()
	}))
	defer bucket.Close()
	config := filepath.Join(t.TempDir(), "slipway.yaml")
	secret := filepath.Join(t.TempDir(), "secret")
	text := "imports:\n  s3:\n    endpoint: " + bucket.URL + "\n    access_key: AKIAREADER\n    secret_key_file: " +
		secret + "\n"
	for path, content := range map[string]string{config: text, secret: "reader's secret\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, "--hypervisor", "simulated", "--config", config)
	task := must[*ec2.ImportImageOutput](t)(r.client().ImportImage(t.Context(), &ec2.ImportImageInput{
		DiskContainers: []types.ImageDiskContainer{
			{Format: aws.String("raw"),
				UserBucket: &types.UserBucket{S3Bucket: aws.String("images"), S3Key: aws.String("disk.raw")}},
		},
	}))
	eventually(t, time.Minute, func() error {
		if asked.Load() == 0 {
			return errors.New("the object has not been asked for")
		}
		return nil
	})
	r.kill()
	r.begin()
	if done := r.imported(r.client(), *task.ImportTaskId); done.ImageId == nil || asked.Load() != 2 {
		t.Errorf("the image is %v after %d requests", done.ImageId, asked.Load())
	}
}
