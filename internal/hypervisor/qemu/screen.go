package qemu

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"slipway"
)

// Screen is the guest's screen as PNG.
func (d *Driver) Screen(ctx context.Context, id slipway.InstanceID, wake bool) ([]byte, error) {
	m, mon, err := d.live(ctx, id)
	if err != nil {
		return nil, err
	}
	defer m.op.leave()
	if wake {
		if err := mon.run(ctx, "send-key", keys("shift"), nil); err != nil {
			return nil, err
		}
	}
	shot, err := screendump(ctx, mon, map[string]any{"device": "screen", "format": "png"})
	var refusal *qmpError
	if errors.As(err, &refusal) { // a QEMU built without libpng
		if shot, err = screendump(ctx, mon, map[string]any{"device": "screen"}); err == nil {
			shot, err = pngOf(shot)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("screen of %s: %w", id, err)
	}
	return shot, nil
}

// screendump has QEMU write to an anonymous file handed over in a set of descriptors, so that it needs no right to any
// directory. QEMU takes from a set only a descriptor opened just as it would open the file: for writing alone.
func screendump(ctx context.Context, mon *monitor, args map[string]any) ([]byte, error) {
	fd, err := unix.MemfdCreate("screen", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "screen")
	defer f.Close()
	w, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	var set struct {
		ID int `json:"fdset-id"`
	}
	if err := mon.runWithFile(ctx, "add-fd", nil, w, &set); err != nil {
		return nil, err
	}
	args["filename"] = fmt.Sprintf("/dev/fdset/%d", set.ID)
	err = mon.run(ctx, "screendump", args, nil)
	closed := mon.run(context.WithoutCancel(ctx), "remove-fd", map[string]any{"fdset-id": set.ID}, nil)
	if err := errors.Join(err, closed); err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

// pngOf converts the one form of PPM that QEMU writes.
func pngOf(ppm []byte) ([]byte, error) {
	var width, height, most int
	in := bufio.NewReader(bytes.NewReader(ppm))
	if _, err := fmt.Fscanf(in, "P6\n%d %d\n%d\n", &width, &height, &most); err != nil {
		return nil, fmt.Errorf("ppm: %w", err)
	}
	if width < 1 || height < 1 || width > 16384 || height > 16384 || most != 255 {
		return nil, fmt.Errorf("ppm: %d by %d, %d levels", width, height, most)
	}
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	row := make([]byte, 3*width)
	for y := range height {
		if _, err := io.ReadFull(in, row); err != nil {
			return nil, fmt.Errorf("ppm: %w", err)
		}
		for x := range width {
			copy(img.Pix[y*img.Stride+4*x:], append(row[3*x:3*x+3:3*x+3], 255))
		}
	}
	var out bytes.Buffer
	err := png.Encode(&out, img)
	return out.Bytes(), err
}
