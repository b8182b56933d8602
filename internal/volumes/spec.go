// Package volumes is the room of EBS volumes: what kinds there are, who has them, what they are attached to.
package volumes

import (
	"crypto/rand"

	"slipway"
)

// kind is one volume type's bounds (rule volume-types).
type kind struct {
	minSize, maxSize int32
	minIOPS, maxIOPS int32 // 0: not settable
	ratio            int32 // IOPS per GiB at most
	needsIOPS        bool
	boot             bool
}

var kinds = map[string]kind{
	"gp2":      {minSize: 1, maxSize: 16384, boot: true},
	"gp3":      {minSize: 1, maxSize: 65536, minIOPS: 3000, maxIOPS: 80000, ratio: 500, boot: true},
	"io1":      {minSize: 4, maxSize: 16384, minIOPS: 100, maxIOPS: 64000, ratio: 50, needsIOPS: true, boot: true},
	"io2":      {minSize: 4, maxSize: 65536, minIOPS: 100, maxIOPS: 256000, ratio: 1000, needsIOPS: true, boot: true},
	"st1":      {minSize: 125, maxSize: 16384},
	"sc1":      {minSize: 125, maxSize: 16384},
	"standard": {minSize: 1, maxSize: 1024, boot: true},
}

// Throughput bounds of gp3, in MiB/s.
const (
	minThroughput = 125
	maxThroughput = 2000
)

// Spec is a volume to be made.
type Spec struct {
	Type       string // "": gp2
	SizeGiB    int32
	IOPS       int32 // 0: the type's own
	Throughput int32 // MiB/s; 0: the type's own
	Boot       bool
}

// Complete fills in what the type decides and refuses what it does not allow. See rule volume-types.
func Complete(s Spec) (Spec, error) {
	if s.Type == "" {
		s.Type = "gp2"
	}
	k, ok := kinds[s.Type]
	switch {
	case !ok:
		return s, slipway.Errorf(slipway.UnknownVolumeType, "Unsupported volume type '%s' for volume creation.", s.Type)
	case s.SizeGiB < k.minSize:
		return s, slipway.Errorf(slipway.InvalidParameterValue,
			"Volume of %dGiB is too small for volume type %s; minimum is %dGiB.", s.SizeGiB, s.Type, k.minSize)
	case s.SizeGiB > k.maxSize:
		return s, slipway.Errorf(slipway.InvalidParameterValue,
			"Volume of %dGiB is too large for volume type %s; maximum is %dGiB.", s.SizeGiB, s.Type, k.maxSize)
	case s.Boot && !k.boot:
		return s, slipway.Errorf(slipway.BootForVolumeTypeUnsupported,
			"The volume type '%s' cannot be used as a boot volume.", s.Type)
	case s.IOPS != 0 && k.maxIOPS == 0:
		return s, slipway.Errorf(slipway.InvalidParameterCombination,
			"The parameter iops is not supported for %s volumes.", s.Type)
	case s.IOPS == 0 && k.needsIOPS:
		return s, slipway.Errorf(slipway.MissingParameter,
			"The request must contain the parameter iops for %s volumes.", s.Type)
	case s.IOPS > k.maxIOPS && s.IOPS != 0:
		return s, slipway.Errorf(slipway.InvalidParameterValue, "Volume iops of %d is too high; maximum is %d.", s.IOPS,
			k.maxIOPS)
	case s.IOPS != 0 && s.IOPS < k.minIOPS:
		return s, slipway.Errorf(slipway.InvalidParameterValue, "Volume iops of %d is too low; minimum is %d.", s.IOPS,
			k.minIOPS)
	case s.IOPS > k.minIOPS && s.IOPS > k.ratio*s.SizeGiB:
		return s, slipway.Errorf(slipway.InvalidParameterCombination,
			"Iops to volume size ratio of %.6f is too high; maximum is %d", float64(s.IOPS)/float64(s.SizeGiB), k.ratio)
	case s.Throughput != 0 && s.Type != "gp3":
		return s, slipway.Errorf(slipway.InvalidParameterCombination,
			"The parameter throughput is not supported for %s volumes.", s.Type)
	case s.Throughput != 0 && (s.Throughput < minThroughput || s.Throughput > maxThroughput):
		return s, slipway.Errorf(slipway.InvalidParameterValue,
			"Throughput of %d MiB/s is out of range; it must be %d to %d.", s.Throughput, minThroughput, maxThroughput)
	}
	switch s.Type {
	case "gp2":
		s.IOPS = min(max(3*s.SizeGiB, 100), 16000)
	case "gp3":
		if s.IOPS == 0 {
			s.IOPS = 3000
		}
		if s.Throughput == 0 {
			s.Throughput = minThroughput
		}
		if 4*s.Throughput > s.IOPS {
			return s, slipway.Errorf(slipway.InvalidParameterCombination,
				"Throughput (MiBps) to iops ratio of %.6f is too high; maximum is 0.250000 MiBps per iops.",
				float64(s.Throughput)/float64(s.IOPS))
		}
	}
	return s, nil
}

// NewSecret is the passphrase of an encrypted volume.
func NewSecret() []byte { return []byte(rand.Text()) }
