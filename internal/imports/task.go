package imports

import (
	"time"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// First words of a task, as EC2 has them: the message and the percentage with which it answers.
const (
	pending       = "pending"
	firstImage    = 2
	firstSnapshot = 3
)

// Advance says how far a task is that its host works on.
func Advance(t *slipway.ImportTask) {
	sum := int32(0)
	for _, d := range t.Disks {
		sum += d.Progress
	}
	share := sum / int32(len(t.Disks))
	if !t.ID.OfImage() {
		t.Message, t.Progress = "downloading/converting", firstSnapshot+share*95/100
		return
	}
	if t.Message, t.Progress = "converting", firstImage+share*93/100; share == 100 {
		t.Message = "preparing ami"
	}
}

// End ends a task of which nothing has come.
func End(t *slipway.ImportTask, why string, now time.Time) error {
	t.Message, t.Progress, t.Ended = why, 0, now
	for i := range t.Disks {
		t.Disks[i].Secret = nil
	}
	return t.Become(slipway.ImportStateDeleted)
}

// Complete makes what a task was to make.
func Complete(tx store.Tx, t *slipway.ImportTask, now time.Time) error {
	if err := t.Become(slipway.ImportStateCompleted); err != nil {
		return err
	}
	t.Message, t.Progress, t.Ended = "", 0, now
	for i := range t.Disks {
		d := &t.Disks[i]
		err := state.Snapshots.Put(tx, &slipway.Snapshot{
			ID: d.Snapshot, Account: t.Account, Region: t.Region, Host: t.Host, SizeGiB: d.SizeGiB,
			Description: "Created by AWS-VMImport service for " + string(t.ID),
			Boot:        d.Boot, State: slipway.SnapshotStateCompleted, Progress: 100, Start: t.Created, Completed: now,
			Encrypted: t.Encrypted, Key: t.Key, Secret: d.Secret,
		})
		if err != nil {
			return err
		}
		d.Secret = nil
	}
	if !t.ID.OfImage() {
		return nil
	}
	im := &slipway.Image{
		ID: t.Image, Owner: t.Account, Region: t.Region, Name: string(t.ID), Description: "AWS-VMImport service: Linux",
		Location: t.Account + "/" + string(t.ID), State: slipway.ImageStateAvailable, Created: now,
		ImageMachine: slipway.ImageMachine{
			Architecture: "x86_64", RootDevice: t.Disks[0].Device, Boot: t.Disks[0].Boot, BootMode: t.BootMode,
			ENA: true, Virtualization: "hvm",
		},
	}
	for _, d := range t.Disks {
		keep := false // the volumes outlive their instance: EC2's imported images are so
		im.Devices = append(im.Devices,
			slipway.Mapping{
				Device: d.Device, Snapshot: d.Snapshot, SizeGiB: d.SizeGiB, Type: "gp2", Encrypted: &t.Encrypted,
				Key: t.Key, DeleteOnTermination: &keep,
			})
	}
	return state.Images.Put(tx, im)
}
