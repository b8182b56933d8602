package qemu

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"slipway"
	"slipway/internal/durable"
)

// phase is how far a machine's process has come.
type phase string

const (
	starting phase = "starting" // written before exec: a process may or may not exist
	running  phase = "running"
	ended    phase = "ended"
)

// record is what the next driver must know of a machine. It is the file record.json in the machine's directory.
type record struct {
	ID        slipway.InstanceID          `json:"id"`
	UUID      string                      `json:"uuid"`
	Phase     phase                       `json:"phase"`
	PID       int                         `json:"pid,omitempty"`
	StartTime uint64                      `json:"startTime,omitempty"` // of the process, in ticks since the host's boot
	BootID    string                      `json:"bootId,omitempty"`    // of the host
	UID       int                         `json:"uid,omitempty"`       // 0: the driver's own
	Version   string                      `json:"version"`             // of QEMU
	Args      []string                    `json:"args"`
	Slots     map[string]int              `json:"slots"` // device id -> slot
	Disks     []slipway.VolumeID          `json:"disks"`
	NICs      []slipway.InterfaceID       `json:"nics"`
	Files     map[slipway.VolumeID]string `json:"files,omitempty"`   // where the disks' files lie
	LogMark   int64                       `json:"logMark,omitempty"` // how long qemu.log was when the machine had come up
	Began     time.Time                   `json:"began"`
	Unknown   bool                        `json:"unknown,omitempty"` // what is plugged in is still to be asked
	Why       string                      `json:"why,omitempty"`     // it ended
}

func readRecord(dir string) (record, error) {
	b, err := os.ReadFile(filepath.Join(dir, "record.json"))
	if err != nil {
		return record{}, err
	}
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return record{}, fmt.Errorf("%s: %w", dir, err)
	}
	return r, nil
}

func (r *record) file(v slipway.VolumeID, path string) {
	if r.Files == nil {
		r.Files = map[slipway.VolumeID]string{}
	}
	r.Files[v] = path
}

func (r *record) write(dir string) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return durable.Replace(filepath.Join(dir, "record.json"), b, 0o600)
}

func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
