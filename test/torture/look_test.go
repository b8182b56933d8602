package torture

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// sight is what the API says of everything.
type sight struct {
	facts     map[fact]string
	moving    []string // what is in a state that has to pass
	wrong     []string // what cannot be
	alive     []string // instances that have not ended
	running   []string
	volumes   []string
	snapshots []string
	images    []string // snapshots of images, which are not the caller's
}

func name(tags []types.Tag) string { return tagOf(tags, "Name") }

func tagOf(tags []types.Tag, key string) string {
	for _, t := range tags {
		if aws.ToString(t.Key) == key {
			return aws.ToString(t.Value)
		}
	}
	return ""
}

// look reads the API as its callers do.
func look(ctx context.Context, at *site) (*sight, error) {
	e, i, _ := clients(at)
	now, _ := at.now()
	s := &sight{facts: map[fact]string{}}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	roots, err := s.instances(ctx, e)
	if err != nil {
		return nil, err
	}
	return s, errors.Join(s.disks(ctx, e, roots), s.copies(ctx, e), s.promises(ctx, e, now), s.users(ctx, i))
}

// instances looks at the instances and what their launches' tokens made, and answers their root volumes.
func (s *sight) instances(ctx context.Context, e *ec2.Client) (roots map[string]bool, err error) {
	out, err := e.DescribeInstances(ctx, &ec2.DescribeInstancesInput{})
	if err != nil {
		return nil, err
	}
	launches, reservations := map[string][]string{}, map[string][]string{}
	roots = map[string]bool{}
	for _, r := range out.Reservations {
		for _, in := range r.Instances {
			id, token := *in.InstanceId, aws.ToString(in.ClientToken)
			launches[token] = append(launches[token], id)
			if !slices.Contains(reservations[token], *r.ReservationId) {
				reservations[token] = append(reservations[token], *r.ReservationId)
			}
			s.facts[fact{"instance", id, "state"}] = string(in.State.Name)
			s.facts[fact{"instance", id, "tag"}] = tagOf(in.Tags, "torture")
			switch in.State.Name {
			case types.InstanceStateNameRunning:
				s.running = append(s.running, id)
				fallthrough
			case types.InstanceStateNameStopped:
				s.alive = append(s.alive, id)
			case types.InstanceStateNameTerminated:
				continue
			default:
				s.moving = append(s.moving, fmt.Sprintf("%s is %s", id, in.State.Name))
			}
			for _, b := range in.BlockDeviceMappings {
				if b.Ebs != nil && aws.ToString(b.DeviceName) == aws.ToString(in.RootDeviceName) {
					roots[*b.Ebs.VolumeId] = true
				}
			}
		}
	}
	for token, ids := range launches {
		slices.Sort(ids)
		s.facts[fact{"launch", token, "ids"}] = strings.Join(ids, " ")
		if len(reservations[token]) != 1 {
			s.wrong = append(s.wrong, fmt.Sprintf("token %s made the reservations %v", token, reservations[token]))
		}
	}
	return roots, nil
}

// disks looks at the volumes, of which each is a root or has a name.
func (s *sight) disks(ctx context.Context, e *ec2.Client, roots map[string]bool) error {
	volumes, err := e.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{})
	if err != nil {
		return err
	}
	for _, v := range volumes.Volumes {
		id, at := *v.VolumeId, ""
		s.volumes = append(s.volumes, id)
		for _, a := range v.Attachments {
			at = aws.ToString(a.InstanceId)
			if a.State != types.VolumeAttachmentStateAttached {
				s.moving = append(s.moving, fmt.Sprintf("%s is %s", id, a.State))
			}
		}
		switch {
		case name(v.Tags) != "":
			s.facts[fact{"volume", id, "exists"}], s.facts[fact{"volume", id, "instance"}] = "yes", at
		case roots[id]:
			delete(roots, id)
		default:
			s.wrong = append(s.wrong, fmt.Sprintf("volume %s (%s) is nobody's", id, v.State))
		}
		switch v.State {
		case types.VolumeStateAvailable, types.VolumeStateInUse:
		case types.VolumeStateError:
			s.wrong = append(s.wrong, fmt.Sprintf("volume %s is in error", id))
		default:
			s.moving = append(s.moving, fmt.Sprintf("%s is %s", id, v.State))
		}
	}
	for id := range roots {
		s.wrong = append(s.wrong, fmt.Sprintf("root volume %s is gone", id))
	}
	return nil
}

// copies looks at the snapshots and at the images that need them.
func (s *sight) copies(ctx context.Context, e *ec2.Client) error {
	snapshots, err := e.DescribeSnapshots(ctx, &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}})
	if err != nil {
		return err
	}
	for _, sn := range snapshots.Snapshots {
		s.snapshots = append(s.snapshots, *sn.SnapshotId)
		s.facts[fact{"snapshot", *sn.SnapshotId, "exists"}] = "yes"
		switch sn.State {
		case types.SnapshotStateCompleted:
		case types.SnapshotStatePending:
			s.moving = append(s.moving, fmt.Sprintf("%s is %s (%s)", *sn.SnapshotId, sn.State, aws.ToString(sn.Progress)))
		default:
			s.wrong = append(s.wrong,
				fmt.Sprintf("snapshot %s is in %s: %s", *sn.SnapshotId, sn.State, aws.ToString(sn.StateMessage)))
		}
	}
	images, err := e.DescribeImages(ctx, &ec2.DescribeImagesInput{})
	if err != nil {
		return err
	}
	for _, im := range images.Images {
		for _, b := range im.BlockDeviceMappings {
			if b.Ebs != nil && aws.ToString(b.Ebs.SnapshotId) != "" {
				s.images = append(s.images, *b.Ebs.SnapshotId)
			}
		}
	}
	return nil
}

// promises looks at the addresses and at the capacity reservations, which should have ended by now or not.
func (s *sight) promises(ctx context.Context, e *ec2.Client, now time.Time) error {
	addresses, err := e.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})
	if err != nil {
		return err
	}
	for _, a := range addresses.Addresses {
		s.facts[fact{"address", *a.AllocationId, "exists"}] = "yes"
		s.facts[fact{"address", *a.AllocationId, "instance"}] = aws.ToString(a.InstanceId)
	}
	promised, err := e.DescribeCapacityReservations(ctx, &ec2.DescribeCapacityReservationsInput{})
	if err != nil {
		return err
	}
	for _, r := range promised.CapacityReservations {
		s.facts[fact{"reservation", *r.CapacityReservationId, "state"}] = string(r.State)
		if r.State == types.CapacityReservationStateActive && aws.ToTime(r.EndDate).Before(now) {
			s.moving = append(s.moving,
				fmt.Sprintf("%s should have ended at %v, and it is %v", *r.CapacityReservationId, *r.EndDate, now))
		}
	}
	return nil
}

// users looks at the users and their policies.
func (s *sight) users(ctx context.Context, i *iam.Client) error {
	for users := iam.NewListUsersPaginator(i, &iam.ListUsersInput{}); users.HasMorePages(); {
		page, err := users.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, u := range page.Users {
			if strings.HasPrefix(*u.UserName, "shared-") {
				continue
			}
			own, err := i.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: u.UserName})
			if err != nil {
				return err
			}
			s.facts[fact{"user", *u.UserName, "exists"}] = "yes"
			if len(own.PolicyNames) > 0 {
				s.facts[fact{"user", *u.UserName, "policy"}] = "yes"
			}
		}
	}
	return nil
}

// differences are what one of two lists has, and the other lacks.
func differences(what string, wanted, there []string) (out []string) {
	want, have := map[string]bool{}, map[string]bool{}
	for _, w := range wanted {
		want[w] = true
	}
	for _, h := range there {
		have[h] = true
	}
	for _, w := range slices.Sorted(maps.Keys(want)) {
		if !have[w] {
			out = append(out, what+" "+w+" is missing")
		}
	}
	for _, h := range slices.Sorted(maps.Keys(have)) {
		if !want[h] {
			out = append(out, what+" "+h+" is an orphan")
		}
	}
	return out
}
