package slipway

// PlacementGroup says how a launch's instances lie to each other.
type PlacementGroup struct {
	ID              PlacementGroupID
	Account, Region string
	Name            string
	Strategy        string // cluster | spread | partition
	Partitions      int32  `json:",omitempty"`
	SpreadLevel     string `json:",omitempty"` // rack | host
	State           PlacementGroupState
	Tags            Tags `json:",omitempty"`
}
