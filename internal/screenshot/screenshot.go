// Package screenshot has a QEMU draw its guest's screen, and takes what it draws for no more than bytes: size and header
// are looked at before anything is made of them, and nobody here decodes what a guest has drawn.
package screenshot

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"slipway/internal/qmp"
)

// Take is the screen as PNG.
func Take(ctx context.Context, mon *qmp.Monitor) ([]byte, error) {
	shot, err := screendump(ctx, mon, map[string]any{"device": "screen", "format": "png"})
	if err == nil {
		err = checkPNG(shot)
	}
	var refusal *qmp.Error
	if errors.As(err, &refusal) { // a QEMU built without libpng
		if shot, err = screendump(ctx, mon, map[string]any{"device": "screen"}); err == nil {
			shot, err = pngOf(shot)
		}
	}
	return shot, err
}

// screendump has QEMU write to an anonymous file handed over in a set of descriptors, so that it needs no right to any
// directory. QEMU takes from a set only a descriptor opened just as it would open the file: for writing alone.
func screendump(ctx context.Context, mon *qmp.Monitor, args map[string]any) ([]byte, error) {
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
	if err := mon.RunWithFile(ctx, "add-fd", nil, w, &set); err != nil {
		return nil, err
	}
	args["filename"] = fmt.Sprintf("/dev/fdset/%d", set.ID)
	err = mon.Run(ctx, "screendump", args, nil)
	closed := mon.Run(context.WithoutCancel(ctx), "remove-fd", map[string]any{"fdset-id": set.ID}, nil)
	if err := errors.Join(err, closed); err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if fi.Size() > screenMost {
		return nil, fmt.Errorf("an image of %d bytes", fi.Size())
	}
	return io.ReadAll(io.LimitReader(f, screenMost))
}

// What a screen can be: its memory is 8 MiB. QEMU's word for it is a guest's, once the guest has broken out.
const (
	screenMost   = 32 << 20 // bytes of an image, packed or not
	screenPixels = 8 << 20
	screenSide   = 8192
)

func checkSize(width, height int) error {
	if width < 1 || height < 1 || width > screenSide || height > screenSide || width*height > screenPixels {
		return fmt.Errorf("an image of %d by %d", width, height)
	}
	return nil
}

// checkPNG looks at the header and no further: nobody here decodes what a guest has drawn.
func checkPNG(b []byte) error {
	if len(b) < 33 || string(b[:8]) != "\x89PNG\r\n\x1a\n" || string(b[12:16]) != "IHDR" {
		return errors.New("no PNG")
	}
	return checkSize(int(binary.BigEndian.Uint32(b[16:])), int(binary.BigEndian.Uint32(b[20:])))
}

// pngOf converts the one form of PPM that QEMU writes.
func pngOf(ppm []byte) ([]byte, error) {
	var width, height, most int
	in := bufio.NewReader(bytes.NewReader(ppm))
	if _, err := fmt.Fscanf(in, "P6\n%d %d\n%d\n", &width, &height, &most); err != nil {
		return nil, fmt.Errorf("ppm: %w", err)
	}
	if err := checkSize(width, height); err != nil || most != 255 {
		return nil, fmt.Errorf("ppm: %d by %d, %d levels", width, height, most)
	}
	if rest := len(ppm) - 3*width*height; rest < 0 || rest > 64 { // before anything of that size is made
		return nil, fmt.Errorf("ppm: %d bytes for %d by %d", len(ppm), width, height)
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
