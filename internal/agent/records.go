package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"slipway"
	"slipway/internal/durable"
)

// Record is what the agent must not forget of an instance when it crashes: which start it has carried out. Without it, a
// guest that switched itself off while the agent was away would be started again.
type Record struct {
	Boots   int // the start that was carried out
	Reboots int // and the reboots since the launch
	VPC     slipway.VPCID
	Removed bool `json:",omitempty"` // the machine and its volumes are gone, whatever the server still knows of it
}

// Records keeps them.
type Records interface {
	// Get says whether there is one. One that cannot be read is an error, and not absent.
	Get(id slipway.InstanceID) (r Record, known bool, err error)
	Put(id slipway.InstanceID, r Record) error
	Delete(id slipway.InstanceID) error
	IDs() []slipway.InstanceID
}

// Files keeps records in a directory.
type Files string

// Get reads one.
func (d Files) Get(id slipway.InstanceID) (r Record, known bool, err error) {
	b, err := os.ReadFile(d.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return r, false,
			fmt.Errorf("record of %s in %s: %w: mend it, or delete it if the instance shall be started again", id,
				d.path(id), err)
	}
	return r, true, nil
}

func (d Files) path(id slipway.InstanceID) string {
	return filepath.Join(string(d), string(id)+".json")
}

// Put replaces one, whole or not at all.
func (d Files) Put(id slipway.InstanceID, r Record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	return durable.Replace(d.path(id), b, 0o600)
}

// Delete removes one.
func (d Files) Delete(id slipway.InstanceID) error {
	err := os.Remove(d.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// IDs lists all.
func (d Files) IDs() []slipway.InstanceID {
	entries, _ := os.ReadDir(string(d))
	var out []slipway.InstanceID
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), ".json"); ok {
			out = append(out, slipway.InstanceID(id))
		}
	}
	return out
}

// Memory keeps records for simulated machines, which end with the process as the records do.
type Memory struct {
	mu sync.Mutex
	of map[slipway.InstanceID]Record
}

// NewMemory makes an empty one.
func NewMemory() *Memory { return &Memory{of: map[slipway.InstanceID]Record{}} }

// Get returns one.
func (m *Memory) Get(id slipway.InstanceID) (Record, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.of[id]
	return r, ok, nil
}

// Put keeps one.
func (m *Memory) Put(id slipway.InstanceID, r Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of[id] = r
	return nil
}

// Delete drops one.
func (m *Memory) Delete(id slipway.InstanceID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.of, id)
	return nil
}

// IDs lists all.
func (m *Memory) IDs() []slipway.InstanceID {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]slipway.InstanceID, 0, len(m.of))
	for id := range m.of {
		out = append(out, id)
	}
	return out
}
