package qemuargs

import (
	"strings"
	"testing"

	"slipway"
	"slipway/internal/golden"
	"slipway/internal/hypervisor"
	"slipway/internal/qcow2"
)

func example() (hypervisor.Machine, Launch) {
	root, data := slipway.VolumeID("vol-00000000000000001"), slipway.VolumeID("vol-00000000000000002")
	m := hypervisor.Machine{
		ID: "i-0123456789abcdef0", UUID: "ec2c0ffe-0000-4000-8000-000000000001", InstanceType: "t3.small",
		Cores: 1, ThreadsPerCore: 2, MemoryMiB: 2048,
		Boot:  hypervisor.Boot{Kernel: "/images/vmlinuz", Initrd: "/images/initrd", Append: "console=ttyS0 quiet"},
		Disks: []hypervisor.Disk{{Volume: root, Path: "/volumes/root.qcow2"}},
		NICs:  []hypervisor.NIC{{Interface: "eni-00000000000000001", MAC: "02:00:00:00:00:01", MTU: 9001}},
	}
	l := Launch{TranslationCacheMiB: 128, QMP: 4, Taps: []int{5},
		Slots: map[string]int{string(root): 0, "eni-00000000000000001": 1, string(data): 2},
		Chains: map[slipway.VolumeID][]qcow2.Layer{
			root: {{Path: "/volumes/root.qcow2"}, {Path: "/snapshots/base.qcow2"}},
			data: {{Path: "/volumes/data.qcow2", Encrypted: true}, {Path: "/snapshots/data.qcow2", Encrypted: true}},
		},
	}
	return m, l
}

func TestArgs(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(m *hypervisor.Machine, l *Launch)
	}{
		{"direct_kernel_emulated", func(*hypervisor.Machine, *Launch) {}},
		{"own_loader_kvm_encrypted_limited_disk", func(m *hypervisor.Machine, l *Launch) {
			l.KVM, m.Boot = true, hypervisor.Boot{}
			m.Disks = append(m.Disks,
				hypervisor.Disk{
					Volume: "vol-00000000000000002", Path: "/volumes/data.qcow2", Secret: []byte("s"), BaseSecret: []byte("b"),
					Limits: hypervisor.Limits{IOPS: 100, BurstIOPS: 3000, ThroughputMiBps: 125},
				})
			l.Secrets = map[string]string{
				"vol-00000000000000002-key":  "/secrets/vol-00000000000000002-key",
				"vol-00000000000000002-base": "/secrets/vol-00000000000000002-base",
			}
		}},
		{"uefi_resumed", func(m *hypervisor.Machine, l *Launch) {
			m.Boot, l.Resume = hypervisor.Boot{UEFI: true}, true
			l.Firmware, l.Variables = "/firmware/code.fd", "/machines/i-0123456789abcdef0/variables.fd"
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, l := example()
			tt.change(&m, &l)
			golden.Match(t, tt.name+".txt", strings.ReplaceAll(strings.Join(Args(m, l), "\n"), "\n-", "\n\n-")+"\n")
		})
	}
}

func TestSecretsAreNotAmongTheArguments(t *testing.T) {
	m, l := example()
	m.Disks[0].Secret = []byte("opensesame")
	l.Chains[m.Disks[0].Volume][0].Encrypted = true
	l.Secrets = map[string]string{SecretName(m.Disks[0].Volume): "/secrets/a"}
	if line := strings.Join(Args(m, l), " "); strings.Contains(line, "opensesame") ||
		!strings.Contains(line, "file=/secrets/a") {
		t.Errorf("Args = %s", line)
	}
}
