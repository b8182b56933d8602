package admission

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"slipway"
	"slipway/internal/addresses"
	"slipway/internal/capacity"
	"slipway/internal/interfaces"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/volumes"
)

// Finish ends an instance: terminated, with everything it held given back. The hosts room calls it when nothing of the
// instance is left on its host, or when its launch has failed there.
func Finish(tx store.Tx, pool addresses.Pool, in *slipway.Instance, why slipway.Reason, now time.Time) error {
	if in.State == slipway.Terminated {
		return nil
	}
	if why.Code == "" {
		why = in.Reason
	}
	if err := in.Become(slipway.Terminated, why); err != nil {
		return err
	}
	in.TerminatedAt, in.Wanted = now, slipway.WantTerminated
	scope := state.Scope{Account: in.Account, Region: in.Region}
	if err := endCommitments(tx, in, now); err != nil {
		return err
	}
	// What a reservation keeps stays charged until the reservation itself ends.
	if !capacity.Reserved(tx, in) {
		memory := 0
		if t := slipway.FindInstanceType(in.Type); t != nil {
			memory = int(t.MemoryMiB)
		}
		if err := capacity.ChargeSize(tx, in.Host, -1, int(in.Cores*in.ThreadsPerCore), memory); err != nil {
			return err
		}
	}
	for _, id := range in.Interfaces {
		n, err := state.Interfaces.Get(tx, scope, string(id))
		if err != nil {
			continue
		}
		if err := releaseInterface(tx, pool, n); err != nil {
			return err
		}
	}
	for _, b := range in.Volumes {
		v, err := state.Volumes.Get(tx, scope, string(b.Volume))
		if err != nil {
			continue
		}
		if b.DeleteOnTermination && volumes.Copied(tx, v) {
			v.Attachment = nil
			if err := errors.Join(v.Become(slipway.VolumeStateDeleting), state.Volumes.Put(tx, v)); err != nil {
				return err
			}
			continue
		}
		if b.DeleteOnTermination {
			state.Volumes.Delete(tx, scope, string(v.ID))
			continue
		}
		v.Attachment = nil
		if err := errors.Join(v.Become(slipway.VolumeStateAvailable), state.Volumes.Put(tx, v)); err != nil {
			return err
		}
	}
	releaseClassic(tx, pool, in)
	return state.Instances.Put(tx, in)
}

// releaseInterface detaches an interface from an instance that ends, and removes it if it was made for it.
func releaseInterface(tx store.Tx, pool addresses.Pool, n *slipway.Interface) error {
	returnPublic(tx, pool, n)
	if n.Attachment != nil && n.Attachment.DeleteOnTermination {
		if err := addresses.Free(tx, n); err != nil {
			return err
		}
		interfaces.Remove(tx, n)
		return nil
	}
	n.Attachment = nil
	return state.Interfaces.Put(tx, n)
}

// returnPublic returns an interface's addresses of the pool to it.
func returnPublic(tx store.Tx, pool addresses.Pool, n *slipway.Interface) (given bool) {
	for i := range n.Addresses {
		if a := &n.Addresses[i]; a.Public.IsValid() && a.Allocation == "" {
			pool.Give(tx, a.Public)
			a.Public, given = netip.Addr{}, true
		}
	}
	return given
}

// ReleasePublic gives back the addresses of the pool that an instance had while it ran: a stop takes them.
func ReleasePublic(tx store.Tx, pool addresses.Pool, in *slipway.Instance) error {
	scope := state.Scope{Account: in.Account, Region: in.Region}
	for _, id := range in.Interfaces {
		n, err := state.Interfaces.Get(tx, scope, string(id))
		if err != nil {
			continue
		}
		if returnPublic(tx, pool, n) {
			if err := state.Interfaces.Put(tx, n); err != nil {
				return err
			}
		}
	}
	releaseClassic(tx, pool, in)
	return nil
}

// TakePublic gives a starting instance new addresses of the pool, where its interface has them by nature. One with several
// interfaces gets none, as in EC2.
func TakePublic(tx store.Tx, pool addresses.Pool, in *slipway.Instance) error {
	if in.VPC == "" {
		return takeClassic(tx, pool, in)
	}
	if len(in.Interfaces) != 1 {
		return nil
	}
	n, err := state.Interfaces.Get(tx, state.Scope{Account: in.Account, Region: in.Region}, string(in.Interfaces[0]))
	if err != nil {
		return err
	}
	elastic := slices.ContainsFunc(n.Addresses, func(a slipway.PrivateAddress) bool { return a.Allocation != "" })
	if !n.AutoPublic || elastic || len(n.Addresses) == 0 || n.Addresses[0].Public.IsValid() {
		return nil
	}
	if n.Addresses[0].Public, err = pool.Take(tx, string(n.ID)); err != nil {
		return err
	}
	return state.Interfaces.Put(tx, n)
}
