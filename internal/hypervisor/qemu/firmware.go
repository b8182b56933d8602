package qemu

import (
	"fmt"
	"os"
	"path/filepath"

	"slipway/internal/durable"
)

// Firmware is a build of OVMF: its code, which machines share, and what a machine's store of variables begins as.
type Firmware struct{ Code, Variables string }

// firmwares are where distributions put OVMF.
var firmwares = []Firmware{
	{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
	{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
	{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
	{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
}

// UEFI looks for OVMF, which an operator may install while machines run.
func (d *Driver) UEFI() error {
	_, err := d.firmware()
	return err
}

func (d *Driver) firmware() (Firmware, error) {
	for _, f := range d.cfg.Firmwares {
		_, noCode := os.Stat(f.Code)
		_, noVariables := os.Stat(f.Variables)
		if noCode == nil && noVariables == nil {
			return f, nil
		}
	}
	return Firmware{}, fmt.Errorf("no UEFI firmware: %s is missing (Debian: apt install ovmf)", d.cfg.Firmwares[0].Code)
}

// giveFirmware finds OVMF and gives the machine a store of variables of its own, which stays until the machine is forgotten.
// One of another size is another build's, and of no use to this one.
func (d *Driver) giveFirmware(m *machine, uid int) (code, variables string, err error) {
	f, err := d.firmware()
	if err != nil {
		return "", "", err
	}
	fresh, err := os.ReadFile(f.Variables)
	if err != nil {
		return "", "", err
	}
	variables = filepath.Join(m.dir, "variables.fd")
	if fi, err := os.Stat(variables); err != nil || fi.Size() != int64(len(fresh)) {
		if err := durable.Replace(variables, fresh, 0o600); err != nil {
			return "", "", err
		}
	}
	if uid != 0 {
		err = os.Chown(variables, uid, uid)
	}
	return f.Code, variables, err
}
