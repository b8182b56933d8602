package qemu

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"slipway"
	"slipway/internal/durable"
	"slipway/internal/qemuargs"
	"slipway/internal/qmp"
)

const (
	consoleShown = 64 << 10  // what Console answers
	consoleMost  = 256 << 10 // what the file holds before it is cut back to consoleShown
)

// consoleLog is the file that keeps what a machine wrote to its serial port.
type consoleLog struct {
	path string
	mu   sync.Mutex
}

func (c *consoleLog) add(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f, err := os.OpenFile(c.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	fi, statErr := f.Stat()
	if err := errors.Join(err, statErr, f.Close()); err != nil {
		return err
	}
	if fi.Size() <= consoleMost {
		return nil
	}
	kept, err := c.tail()
	if err != nil {
		return err
	}
	return durable.Replace(c.path, kept, 0o600)
}

func (c *consoleLog) tail() ([]byte, error) {
	f, err := os.Open(c.path)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if fi.Size() > consoleShown {
		if _, err := f.Seek(-consoleShown, io.SeekEnd); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(f)
}

// collect moves what the ring inside QEMU holds to the log. It is called by several; each byte is read once.
func (m *machine) collect(ctx context.Context, mon *qmp.Monitor) error {
	if err := m.reading.Enter(ctx); err != nil {
		return err
	}
	defer m.reading.Leave()
	var text string
	err := mon.Run(ctx, "ringbuf-read", map[string]any{"device": "console", "size": qemuargs.ConsoleRing, "format": "base64"}, &text)
	if err != nil {
		return err
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	return m.log.add(b)
}

// consolePatience is how long Console waits for the latest: who asks is content with what was collected a second ago.
const consolePatience = 2 * time.Second

// Console is the last 64 KiB of the serial port's output.
func (d *Driver) Console(ctx context.Context, id slipway.InstanceID) ([]byte, error) {
	m := d.machine(id)
	if mon := m.connection(); mon != nil {
		latest, cancel := context.WithTimeout(ctx, consolePatience)
		err := m.collect(latest, mon)
		cancel()
		if err != nil && ctx.Err() != nil {
			return nil, err
		}
	}
	m.log.mu.Lock()
	defer m.log.mu.Unlock()
	return m.log.tail()
}
