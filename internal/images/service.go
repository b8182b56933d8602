// Package images is the room of AMIs: made of instances, registered of snapshots, copied, shared and ended. Their content lies
// in snapshots, whose room is below; this room must not touch it.
package images

import (
	"context"
	"regexp"
	"time"

	"slipway"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service answers the image actions.
type Service struct {
	db  state.DB
	now func() time.Time
}

// New makes the room.
func New(db state.DB, now func() time.Time) *Service { return &Service{db, now} }

// named is the id that a request must give.
func named(id *string) (slipway.ImageID, error) {
	if shape.Get(id) == "" {
		return "", slipway.Missing("ImageId")
	}
	return slipway.ParseImageID(*id)
}

// own is an image that the caller may change: what it cannot see is not there, what it can only launch is not its own.
func own(ctx context.Context, r store.Reader, id slipway.ImageID) (*slipway.Image, error) {
	scope := state.Of(ctx)
	im := state.FindImage(r, scope.Region, string(id))
	switch {
	case im == nil || !im.LaunchableFrom(scope.Account):
		return nil, state.Images.Absent(string(id))
	case im.Owner != scope.Account:
		return nil, slipway.Errorf(slipway.AuthFailure, "Not authorized for image:%s", id)
	}
	return im, nil
}

// edit changes one of the caller's images.
func (s *Service) edit(ctx context.Context, name *string, change func(store.Tx, *slipway.Image) error) error {
	id, err := named(name)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx store.Tx) error {
		if _, err := own(ctx, tx, id); err != nil {
			return err
		}
		return state.Images.Edit(tx, state.Shared(state.Of(ctx).Region), string(id), func(im *slipway.Image) error {
			return change(tx, im)
		})
	})
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9()\[\] ./\-'@_]{3,128}$`)

func checkName(name string) error {
	switch {
	case name == "":
		return slipway.Missing("Name")
	case !nameForm.MatchString(name):
		return slipway.Errorf(slipway.InvalidAMINameMalformed,
			"AMI names must be between 3 and 128 characters long, and may contain letters, numbers, spaces and ( ) "+
				"[ ] . / - ' @ _")
	}
	return nil
}

// put writes a new image, whose name must be new among the account's.
func put(tx store.Tx, im *slipway.Image) error {
	for other := range state.Images.All(tx, state.Shared(im.Region)) {
		if other.Owner == im.Owner && other.Name == im.Name {
			return slipway.Errorf(slipway.InvalidAMINameDuplicate, "AMI name %s is already in use by AMI %s", im.Name, other.ID)
		}
	}
	return state.Images.Put(tx, im)
}
