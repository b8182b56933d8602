package volumes

import (
	"context"
	"slices"
	"time"

	"slipway"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service answers the volume actions.
type Service struct {
	db  state.DB
	now func() time.Time
}

// New makes the room.
func New(db state.DB, now func() time.Time) *Service { return &Service{db, now} }

// named is the id that a request must give.
func named(id *string) (slipway.VolumeID, error) {
	if shape.Get(id) == "" {
		return "", slipway.Missing("VolumeId")
	}
	return slipway.ParseVolumeID(*id)
}

// edit changes one of the caller's volumes.
func (s *Service) edit(ctx context.Context, id slipway.VolumeID, change func(tx store.Tx, v *slipway.Volume) error) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		return state.Volumes.Edit(tx, state.Of(ctx), string(id), func(v *slipway.Volume) error { return change(tx, v) })
	})
}

// Copied says whether a snapshot of the volume is still being made: until then its file stays, whatever becomes of it.
func Copied(r store.Reader, v *slipway.Volume) bool {
	for n := range state.Snapshots.By(r, state.Shared(v.Region), "volume/"+string(v.ID)) {
		if n.State == slipway.SnapshotStatePending && n.Source == "" {
			return true
		}
	}
	return false
}

// Quota refuses volumes that the account may not have. Unlike a launch, which ends with the reason (rule R15), the caller is
// told at once.
func Quota(tx store.Tx, scope state.Scope, more int, moreGiB int32) error {
	a := state.Accounts.See(tx, state.Global, scope.Account)
	if a == nil || a.Quotas["volumes"] == 0 && a.Quotas["volume-gib"] == 0 {
		return nil
	}
	n, gib := more, int(moreGiB)
	for v := range state.Volumes.All(tx, scope) {
		n, gib = n+1, gib+int(v.SizeGiB)
	}
	if limit := a.Quotas["volumes"]; limit > 0 && n > limit {
		return slipway.Errorf(slipway.VolumeLimitExceeded,
			"You have exceeded your maximum number of volumes, which is %d.", limit)
	}
	if limit := a.Quotas["volume-gib"]; limit > 0 && gib > limit {
		return slipway.Errorf(slipway.VolumeLimitExceeded,
			"You have exceeded your maximum total size of volumes, which is %d GiB.", limit)
	}
	return nil
}

// chooseHost says which host of the zone keeps a new volume: the one whose instances it can be attached to, which is the one
// with most of the account's instances; a snapshot's content is where it is.
func chooseHost(tx store.Tx, scope state.Scope, zone string, snap *slipway.Snapshot) (slipway.HostID, error) {
	letter := zone[len(zone)-1:]
	var best slipway.HostID
	most := -1
	for h := range state.Hosts.All(tx, state.Global) {
		if !slices.Contains(h.Zones, letter) || snap != nil && snap.Host != h.ID {
			continue
		}
		n := 0
		for in := range state.Instances.By(tx, state.Global, "/host/"+string(h.ID)) {
			if in.Account == scope.Account && in.Zone == zone {
				n++
			}
		}
		if n > most {
			best, most = h.ID, n
		}
	}
	if most < 0 && snap != nil {
		return "", slipway.Errorf(slipway.InsufficientVolumeCapacity,
			"The host that has the snapshot '%s' does not serve the zone %s.", snap.ID, zone)
	}
	if most < 0 {
		return "", slipway.Errorf(slipway.InsufficientVolumeCapacity, "No host serves the zone %s.", zone)
	}
	return best, nil
}
