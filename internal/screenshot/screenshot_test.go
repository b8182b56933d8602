package screenshot

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/png"
	"strings"
	"testing"
)

// TestAScreenIsNoLargerThanAScreen: what a QEMU calls its guest's screen is measured before it is read further.
func TestAScreenIsNoLargerThanAScreen(t *testing.T) {
	var good bytes.Buffer
	if err := png.Encode(&good, image.NewGray(image.Rect(0, 0, 640, 480))); err != nil {
		t.Fatal(err)
	}
	if err := checkPNG(good.Bytes()); err != nil {
		t.Errorf("a good one: %v", err)
	}
	sized := func(width, height uint32) []byte {
		b := bytes.Clone(good.Bytes())
		binary.BigEndian.PutUint32(b[16:], width)
		binary.BigEndian.PutUint32(b[20:], height)
		return b
	}
	for name, b := range map[string][]byte{
		"wide": sized(1<<31, 1), "high": sized(1, 8193), "much": sized(8192, 8192), "nothing": sized(0, 5),
		"short": good.Bytes()[:20], "other": []byte(strings.Repeat("GIF89a", 9)),
	} {
		if checkPNG(b) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for _, ppm := range []string{
		"P6\n8000 8000\n255\n", "P6\n2000 2000\n255\nx", "P6\n1 1\n255\n" + strings.Repeat("x", 1000),
	} {
		if _, err := pngOf([]byte(ppm)); err == nil {
			t.Errorf("%.20q: taken", ppm)
		}
	}
	if _, err := pngOf([]byte("P6\n1 1\n255\nxyz")); err != nil {
		t.Errorf("a good PPM: %v", err)
	}
}

func FuzzPNGOf(f *testing.F) {
	f.Add([]byte("P6\n2 1\n255\n\x00\x01\x02\x03\x04\x05"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 1<<16 {
			pngOf(b)
		}
	})
}
