package hosts

import (
	"errors"
	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// conclude ends what was under way with an instance's devices when its machine went.
func conclude(tx store.Tx, in *slipway.Instance) error {
	if err := concludeVolumes(tx, in); err != nil {
		return err
	}
	return concludeInterfaces(tx, in)
}

// concludeInterfaces ends what a stopped instance's interfaces waited for: its cards are what its next start finds.
func concludeInterfaces(tx store.Tx, in *slipway.Instance) error {
	kept := in.Interfaces[:0]
	for _, id := range in.Interfaces {
		n, err := state.Interfaces.Get(tx, state.Scope{Account: in.Account, Region: in.Region}, string(id))
		if err != nil {
			continue
		}
		if n.Attachment == nil || !n.Attachment.Detaching {
			kept = append(kept, id)
		}
		if n.Attachment == nil || !n.Attachment.Detaching && !n.Attachment.Attaching {
			continue
		}
		if n.Attachment.Detaching {
			n.Attachment = nil
		} else {
			n.Attachment.Attaching = false
		}
		if err := state.Interfaces.Put(tx, n); err != nil {
			return err
		}
	}
	in.Interfaces = kept
	return nil
}

// release makes a volume available that no machine has any more.
func release(tx store.Tx, v *slipway.Volume) error {
	v.Attachment = nil
	return errors.Join(v.Become(slipway.VolumeStateAvailable), state.Volumes.Put(tx, v))
}

// concludeVolumes ends what was under way with the volumes of an instance whose machine is gone.
func concludeVolumes(tx store.Tx, in *slipway.Instance) error {
	kept := in.Volumes[:0]
	for _, b := range in.Volumes {
		v, err := state.Volumes.Get(tx, state.Scope{Account: in.Account, Region: in.Region}, string(b.Volume))
		if err != nil {
			continue
		}
		if b.Detaching {
			if err := release(tx, v); err != nil {
				return err
			}
			continue
		}
		if v.Attachment != nil && v.Attachment.State == slipway.VolumeAttachmentStateAttaching {
			err := errors.Join(v.Attachment.Become(slipway.VolumeAttachmentStateAttached), state.Volumes.Put(tx, v))
			if err != nil {
				return err
			}
		}
		kept = append(kept, b)
	}
	in.Volumes = kept
	return nil
}
