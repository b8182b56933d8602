package launchspec

import (
	"slipway"
)

// Over lays one entry over a lower one, member by member.
func Over(below, m slipway.Mapping) slipway.Mapping {
	if m.NoDevice || m.Virtual != "" {
		return m
	}
	below.Device, below.NoDevice, below.Virtual = m.Device, false, ""
	if m.Snapshot != "" {
		below.Snapshot = m.Snapshot
	}
	if m.SizeGiB != 0 {
		below.SizeGiB = m.SizeGiB
	}
	if m.Type != "" && m.Type != below.Type {
		below.Type, below.IOPS, below.Throughput = m.Type, 0, 0
	}
	if m.IOPS != 0 {
		below.IOPS = m.IOPS
	}
	if m.Throughput != 0 {
		below.Throughput = m.Throughput
	}
	if m.Encrypted != nil {
		below.Encrypted = m.Encrypted
	}
	if m.Key != "" {
		below.Key = m.Key
	}
	if m.DeleteOnTermination != nil {
		below.DeleteOnTermination = m.DeleteOnTermination
	}
	return below
}
