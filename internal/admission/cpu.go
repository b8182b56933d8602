package admission

import (
	"slices"

	"slipway"
)

// CheckCPU refuses cores and threads that a type does not have.
func CheckCPU(t *slipway.InstanceType, cores, threads int32) error {
	switch {
	case cores < 1 || cores > t.Cores:
		return slipway.Errorf(slipway.InvalidParameterValue,
			"The number of cores %d is not valid for instance type %s: it must be 1 to %d.", cores, t.Name, t.Cores)
	case !slices.Contains(t.ValidThreads, threads):
		return slipway.Errorf(slipway.InvalidParameterValue,
			"The number of threads per core %d is not valid for instance type %s.", threads, t.Name)
	}
	return nil
}
