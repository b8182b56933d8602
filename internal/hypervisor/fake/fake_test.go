package fake

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"slipway"
	"slipway/internal/hypervisor"
	"slipway/internal/hypervisor/hypervisortest"
)

func TestContract(t *testing.T) {
	hypervisortest.Run(t, func(tb testing.TB) hypervisortest.Harness {
		h, dir := NewHost(Delays{}), tb.TempDir()
		disk := func() hypervisor.Disk { return hypervisor.Disk{Volume: slipway.NewVolumeID()} }
		return hypervisortest.Harness{
			New: func() hypervisor.Driver { return h.Driver() },
			Machine: func() hypervisor.Machine {
				return hypervisor.Machine{ID: slipway.NewInstanceID(), Disks: []hypervisor.Disk{disk()}}
			},
			Disk: disk,
			NIC: func() hypervisor.NIC {
				return hypervisor.NIC{
					Interface: slipway.NewInterfaceID(), OpenTap: func() (*os.File, error) { return os.Open(os.DevNull) },
				}
			},
			Crash:    func(s hypervisor.Status) { h.Exit(s.ID, "crashed") },
			File:     func(name string) string { return filepath.Join(dir, name) },
			Ready:    UserSpace,
			Patience: 5 * time.Second,
		}
	})
}
