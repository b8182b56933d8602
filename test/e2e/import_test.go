package e2e

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	images := t.TempDir()
	os.Chmod(filepath.Dir(images), 0o755) // machines run as users of their own
	os.Chmod(images, 0o755)
	disk := filepath.Join(t.TempDir(), "greeter.raw")
	if err := os.WriteFile(disk, greeter("the disk's own loader speaks\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(bin, "image", "import", disk, "--name", "greeter", "--user", "nobody", "--images", images).CombinedOutput(); err != nil {
		t.Fatalf("image import: %v: %s", err, out)
	}
	r := start(t, "--accel", "tcg", "--images", images)
	c := r.client()
	ctx := t.Context()
	found, err := c.DescribeImages(ctx, &ec2.DescribeImagesInput{Filters: []types.Filter{{Name: aws.String("tag:aws:slipway:user"), Values: []string{"nobody"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Images) != 1 || !strings.HasPrefix(*found.Images[0].Name, "greeter-") || found.Images[0].BootMode != types.BootModeValuesLegacyBios {
		t.Fatalf("images of that user: %+v", found.Images)
	}
	made, err := c.RunInstances(ctx, &ec2.RunInstancesInput{ImageId: found.Images[0].ImageId, InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1), MaxCount: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	id := *made.Instances[0].InstanceId
	r.waitState(c, id, types.InstanceStateNameRunning)
	eventually(t, time.Minute, func() error {
		out, err := c.GetConsoleOutput(ctx, &ec2.GetConsoleOutputInput{InstanceId: &id, Latest: aws.Bool(true)})
		if err != nil {
			return err
		}
		if text, _ := base64.StdEncoding.DecodeString(aws.ToString(out.Output)); !strings.Contains(string(text), "the disk's own loader speaks") {
			return fmt.Errorf("the console says %q", text)
		}
		return nil
	})
}
