// Package computehost is the host half of an installation: the drivers of one machine (or of a simulated one) and the
// agent that works with them. Its neighbour is controlplane, the other half; they meet in hostapi alone. What is
// wanted of the host it hears from there, and decides nothing.
package computehost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"slipway"
	"slipway/internal/agent"
	"slipway/internal/blockstore"
	blocksfake "slipway/internal/blockstore/fake"
	"slipway/internal/blockstore/files"
	"slipway/internal/dataplane"
	"slipway/internal/guard"
	"slipway/internal/hostapi"
	"slipway/internal/hostusers"
	"slipway/internal/hypervisor"
	"slipway/internal/hypervisor/fake"
	"slipway/internal/hypervisor/qemu"
	"slipway/internal/imds"
)

// Config is what the operator decided of a host.
type Config struct {
	ID        slipway.HostID
	MemoryMiB int    // for instances; 0: the machine's, less a gibibyte
	Accel     string // auto, kvm or tcg
	ImportGiB int    // the largest disk that an import takes
	Dir       string // where all lies that must survive
	RunDir    string // short, for sockets
	Site      dataplane.Site
	Log       *slog.Logger
	Now       func() time.Time
}

// Host is one host's drivers and agent.
type Host struct {
	VMM   hypervisor.Driver
	Disks blockstore.Store
	Agent *agent.Agent
	plane *dataplane.Plane // nil on a simulated host
}

// SimulatedPool is the range of simulated hosts' public addresses: wide, because they lead nowhere.
var SimulatedPool = netip.MustParsePrefix("127.128.0.0/9")

// Delays of simulated machines: long enough to be seen between two states.
const simulatedStart, simulatedShutdown = 20 * time.Millisecond, 50 * time.Millisecond

// Simulated is a host whose machines are records that behave. It has room for whatever is asked.
func Simulated(c Config, api hostapi.Host, sources agent.Sources) *Host {
	h := &Host{
		VMM: fake.NewHost(fake.Delays{Start: simulatedStart, Shutdown: simulatedShutdown}).Driver(), Disks: blocksfake.New(),
	}
	limits := c.limits()
	limits.Workers = 32
	host := slipway.Host{ID: c.ID, Zones: slipway.ZoneLetters, VCPUs: 1 << 24, MemoryMiB: 1 << 40, Simulated: true}
	h.Agent = agent.New(host, api, h.VMM, h.Disks, agent.NoWires{}, sources, agent.NewMemory(), limits, c.Log, c.Now)
	return h
}

// Open is this machine with QEMU, files for disks and the kernel's network. The error says what is missing.
func Open(c Config, api hostapi.Host, sources agent.Sources) (*Host, error) {
	h := &Host{}
	in := func(name string) string { return filepath.Join(c.Dir, name) }
	if err := os.MkdirAll(in("machines"), 0o700); err != nil {
		return nil, err
	}
	var err error
	h.VMM, err = qemu.New(qemu.Config{
		Dir: in("machines"), RunDir: c.RunDir, Accel: c.Accel, FirstUser: hostusers.First(c.Site.Slot), Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	ok := false
	defer func() {
		if !ok {
			h.VMM.Close()
		}
	}()
	if h.Disks, err = files.New(in("blocks"), hostusers.Importer(c.Site.Slot), c.Log); err != nil {
		return nil, err
	}
	identity, err := imds.OpenIdentity(c.Dir, c.Now())
	if err != nil {
		return nil, err
	}
	key, err := TokenKey(in("tokens.key"))
	if err != nil {
		return nil, err
	}
	metadata := imds.New(identity, key, c.Now, func(id slipway.InstanceID) {
		guard.Go(c.Log, "a guest's first request", func() { h.Agent.Heard(context.Background(), id) })
	}, c.Log)
	if h.plane, err = dataplane.NewPlane(c.Site, in("network"), agent.ServeMetadata(metadata), c.Log); err != nil {
		return nil, err
	}
	host := slipway.Host{ID: c.ID, Zones: slipway.ZoneLetters, VCPUs: runtime.NumCPU(), MemoryMiB: c.memory()}
	wires := agent.Plane{Plane: h.plane, Metadata: metadata}
	h.Agent = agent.New(host, api, h.VMM, h.Disks, wires, sources, agent.Files(in("agent")), c.limits(), c.Log, c.Now)
	ok = true
	return h, nil
}

func (c Config) limits() agent.Limits {
	limits := agent.DefaultLimits
	limits.ImportGiB = c.ImportGiB
	return limits
}

func (c Config) memory() int {
	if c.MemoryMiB > 0 {
		return c.MemoryMiB
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 4096
	}
	return max(int(info.Totalram*uint64(info.Unit)>>20)-1024, 1024)
}

// TokenKey is the metadata tokens' key, kept in a file so that a guest's token outlives a restart.
func TokenKey(file string) (key [32]byte, err error) {
	b, err := os.ReadFile(file)
	switch {
	case err == nil && len(b) == len(key):
		return [32]byte(b), nil
	case err == nil:
		return key, fmt.Errorf("%s is damaged: remove it, and guests fetch new metadata tokens", file)
	case !errors.Is(err, os.ErrNotExist):
		return key, err
	}
	key = imds.NewKey()
	return key, os.WriteFile(file, key[:], 0o600)
}

// Console is what the instance's machine wrote to its serial port.
func (h *Host) Console(ctx context.Context, in *slipway.Instance) ([]byte, error) {
	return h.Agent.Console(ctx, in.ID)
}

// Screen is the machine's screen as a picture. wake presses a key first.
func (h *Host) Screen(ctx context.Context, in *slipway.Instance, wake bool) ([]byte, error) {
	return h.VMM.Screen(ctx, in.ID, wake)
}

// Interrupt is a non-maskable interrupt.
func (h *Host) Interrupt(ctx context.Context, in *slipway.Instance) error {
	return h.VMM.Interrupt(ctx, in.ID)
}

// Accelerator is what runs guests here, and why that.
func (h *Host) Accelerator() string {
	if q, ok := h.VMM.(*qemu.Driver); ok {
		a := q.Accelerator()
		return a.Name + " (" + a.Why + ")"
	}
	return "none"
}

// Probe tries in the background which accelerator boots the kernel, where that is ours to find out.
func (h *Host) Probe(ctx context.Context, boot hypervisor.Boot) {
	if q, ok := h.VMM.(*qemu.Driver); ok {
		q.BeginProbe(ctx, boot)
	}
}

// Close lets go of the host. Its guests run on, unless they were stopped before; clear takes away the networks that no
// guest is left on.
func (h *Host) Close(ctx context.Context, clear bool) error {
	if h.plane != nil {
		h.plane.Close()
		if clear {
			h.plane.Clear(ctx)
		}
	}
	return h.VMM.Close()
}
