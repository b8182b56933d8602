package e2e

import (
	"encoding/base64"
	bin "encoding/binary" // binary is slipway's
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

// counter is an EFI program that counts its boots in a variable of the firmware's, says the number on the first serial port
// and, the first time, reboots.
func counter() []byte {
	code := []byte{
		0x53, 0x56, // push rbx; push rsi
		0x48, 0x83, 0xec, 0x38, // sub rsp, 56
		0x48, 0x8b, 0x5a, 0x58, // mov rbx, [rdx+88]: the runtime services
		0x48, 0x8d, 0x0d, 0x97, 0, 0, 0, // lea rcx, name
		0x48, 0x8d, 0x15, 0x78, 0, 0, 0, // lea rdx, guid
		0x45, 0x31, 0xc0, // xor r8d, r8d
		0x4c, 0x8d, 0x0d, 0x7e, 0, 0, 0, // lea r9, size
		0x48, 0x8d, 0x05, 0x88, 0, 0, 0, // lea rax, count
		0x48, 0x89, 0x44, 0x24, 0x20, // mov [rsp+32], rax
		0xff, 0x53, 0x48, // call [rbx+72]: GetVariable, which leaves the count as it is where there is none
		0xfe, 0x05, 0x7a, 0, 0, 0, // inc byte count
		0x48, 0x8d, 0x0d, 0x6a, 0, 0, 0, // lea rcx, name
		0x48, 0x8d, 0x15, 0x4b, 0, 0, 0, // lea rdx, guid
		0x41, 0xb8, 3, 0, 0, 0, // mov r8d, non-volatile and for boot services
		0x41, 0xb9, 1, 0, 0, 0, // mov r9d, 1
		0x48, 0x8d, 0x05, 0x59, 0, 0, 0, // lea rax, count
		0x48, 0x89, 0x44, 0x24, 0x20, // mov [rsp+32], rax
		0xff, 0x53, 0x58, // call [rbx+88]: SetVariable
		0x48, 0x8d, 0x35, 0x45, 0, 0, 0, // lea rsi, text
		0x66, 0xba, 0xf8, 0x03, // mov dx, 0x3f8
		0xfc,       // cld
		0xac,       // next: lodsb
		0x84, 0xc0, // test al, al
		0x74, 0x03, // jz said
		0xee,       // out dx, al
		0xeb, 0xf8, // jmp next
		0x80, 0x3d, 0x36, 0, 0, 0, '1', // said: cmp byte count, '1'
		0x75, 0x10, // jne halt
		0xb9, 1, 0, 0, 0, // mov ecx, a warm reset
		0x31, 0xd2, // xor edx, edx
		0x45, 0x31, 0xc0, // xor r8d, r8d
		0x45, 0x31, 0xc9, // xor r9d, r9d
		0xff, 0x53, 0x68, // call [rbx+104]: ResetSystem
		0xf4,       // halt: hlt
		0xeb, 0xfd, // jmp halt
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, // guid
		1, 0, 0, 0, 0, 0, 0, 0, // size
		'N', 0, 0, 0, // name
	}
	code = append(code, "boot 0 by UEFI\r\n\x00"...) // the digit is the count
	const page, sector = 0x1000, 512
	file := make([]byte, 2*sector)
	copy(file, "MZ")
	file[60] = 64 // where the PE header begins
	h := append(file[:64], "PE\x00\x00"...)
	for _, field := range []any{
		// COFF: x86-64, one section, size of what follows, executable for large addresses
		uint16(0x8664), uint16(1), [3]uint32{}, uint16(112), uint16(0x22e),
		// PE32+: sizes of code and data, entry, where the code begins
		uint16(0x20b), uint16(0), uint32(sector), [2]uint32{}, uint32(page), uint32(page),
		// image base, alignments, versions, sizes of image and headers, checksum, an EFI application
		uint64(0), uint32(page), uint32(sector), [4]uint32{}, uint32(2 * page), uint32(sector), uint32(0), uint16(10),
		uint16(0), [4]uint64{}, [2]uint32{},
		// the section: readable, writable, executable
		[8]byte{'.', 't', 'e', 'x', 't'}, uint32(len(code)), uint32(page), uint32(sector), uint32(sector), [3]uint32{},
		uint32(0xe0000020),
	} {
		h, _ = bin.Append(h, bin.LittleEndian, field)
	}
	copy(file[sector:], code)
	return file
}

// needUEFI skips where no machine can boot by UEFI, or no disk for it can be made.
func needUEFI(t *testing.T) {
	t.Helper()
	for what, pkg := range map[string]string{
		"/usr/share/OVMF/OVMF_CODE_4M.fd": "ovmf", "sfdisk": "fdisk", "mformat": "mtools",
	} {
		_, missing := os.Stat(what)
		if !filepath.IsAbs(what) {
			_, missing = exec.LookPath(what)
		}
		if missing != nil {
			t.Skipf("UEFI needs %s: `make test-deps` installs %s", what, pkg)
		}
	}
}

// uefiDisk makes a disk with one EFI system partition, which holds the program where firmware looks first.
func uefiDisk(t *testing.T, disk string, program []byte) {
	t.Helper()
	efi := filepath.Join(t.TempDir(), "BOOTX64.EFI")
	for path, content := range map[string][]byte{disk: make([]byte, 4<<20), efi: program} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const partition = 1 << 20
	at := fmt.Sprintf("%s@@%d", disk, partition)
	for _, c := range []struct{ input, command string }{
		{fmt.Sprintf("label: gpt\nstart=%d, type=uefi\n", partition/512), "sfdisk --quiet " + disk},
		{"", "mformat -i " + at + " -T 4096 ::"},
		{"", "mmd -i " + at + " ::EFI ::EFI/BOOT"},
		{"", "mcopy -i " + at + " " + efi + " ::EFI/BOOT"},
	} {
		words := strings.Fields(c.command)
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Stdin = strings.NewReader(c.input)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", c.command, err, out)
		}
	}
}

// TestUEFI boots a disk's own EFI program and a Linux kernel: each instance has firmware variables of its own, which outlive
// reboots and stops and go with it.
func TestUEFI(t *testing.T) {
	needUEFI(t)
	r := real(t)
	disk := filepath.Join(r.state, "imports", "counter.raw")
	uefiDisk(t, disk, counter())
	c := r.client()
	ctx := t.Context()
	key := r.key(c)
	r.openSSH(c)
	task := must[*ec2.ImportImageOutput](t)(c.ImportImage(ctx, &ec2.ImportImageInput{
		BootMode:       types.BootModeValuesUefi,
		DiskContainers: []types.ImageDiskContainer{{Format: aws.String("RAW"), Url: aws.String("file://" + disk)}},
	}))
	launch := func(image *string) string {
		t.Helper()
		made := must[*ec2.RunInstancesOutput](t)(c.RunInstances(ctx, &ec2.RunInstancesInput{
			ImageId: image, InstanceType: types.InstanceTypeT3Nano, KeyName: aws.String("test"), MinCount: aws.Int32(1),
			MaxCount: aws.Int32(1),
		}))
		return *made.Instances[0].InstanceId
	}
	one := launch(r.imported(c, *task.ImportTaskId).ImageId)
	// The tiny image once more, its kernel to be loaded by UEFI.
	root := must[*ec2.DescribeImagesOutput](t)(c.DescribeImages(ctx,
		&ec2.DescribeImagesInput{ImageIds: []string{r.image()}})).Images[0].BlockDeviceMappings[0]
	linux := launch(must[*ec2.RegisterImageOutput](t)(c.RegisterImage(ctx, &ec2.RegisterImageInput{
		Name: aws.String("tiny by UEFI"), BootMode: types.BootModeValuesUefiPreferred, RootDeviceName: root.DeviceName,
		BlockDeviceMappings: []types.BlockDeviceMapping{
			{DeviceName: root.DeviceName, Ebs: &types.EbsBlockDevice{SnapshotId: root.Ebs.SnapshotId}},
		},
	})).ImageId)
	says := func(id, want string) {
		t.Helper()
		eventually(t, time.Minute, func() error {
			out, err := c.GetConsoleOutput(ctx, &ec2.GetConsoleOutputInput{InstanceId: &id, Latest: aws.Bool(true)})
			if err != nil {
				return err
			}
			if text, _ := base64.StdEncoding.DecodeString(aws.ToString(out.Output)); !strings.Contains(string(text), want) {
				return fmt.Errorf("the console says %q, want %q", text, want)
			}
			return nil
		})
	}
	says(one, "boot 1 by UEFI")
	says(one, "boot 2 by UEFI") // the guest rebooted
	if _, err := c.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{one}, Force: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	r.waitState(c, one, types.InstanceStateNameStopped)
	if _, err := c.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: []string{one}}); err != nil {
		t.Fatal(err)
	}
	for id, mode := range map[string]types.BootModeValues{
		one: types.BootModeValuesUefi, linux: types.BootModeValuesUefiPreferred,
	} {
		if in := r.waitState(c, id, types.InstanceStateNameRunning); in.BootMode != mode ||
			in.CurrentInstanceBootMode != types.InstanceBootModeValuesUefi {
			t.Errorf("the boot mode of %s is %s, the current one %s", id, in.BootMode, in.CurrentInstanceBootMode)
		}
	}
	sh(t, dial(t, *r.describe(c, linux).PublicIpAddress, key), "ls /sys/firmware/efi/systab")
	says(one, "boot 3 by UEFI")
	store := func(id string) string { return filepath.Join(r.state, "machines", id, "variables.fd") }
	for _, id := range []string{one, linux} {
		if _, err := os.Stat(store(id)); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.TerminateInstances(ctx,
		&ec2.TerminateInstancesInput{InstanceIds: []string{one}, SkipOsShutdown: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, func() error {
		if _, err := os.Stat(store(one)); !os.IsNotExist(err) {
			return fmt.Errorf("the variables of an instance that is gone: %v", err)
		}
		return nil
	})
}
