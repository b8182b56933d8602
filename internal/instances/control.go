package instances

import (
	"context"

	"slipway"
	"slipway/internal/admission"
	"slipway/internal/capacity"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

// change applies one step to each instance named, all or none, and says how their states changed.
func (s *Service) change(
	ctx context.Context, names []string, step func(store.Tx, *slipway.Instance) error,
) ([]ec2wire.InstanceStateChange, error) {
	if len(names) == 0 {
		return nil, slipway.Errorf(slipway.InvalidParameterCombination, "No instances specified")
	}
	ids, err := parseIDs(names)
	if err != nil {
		return nil, err
	}
	var out []ec2wire.InstanceStateChange
	err = s.db.Update(ctx, func(tx store.Tx) error {
		out = nil
		found, err := find(tx, state.Of(ctx), ids)
		if err != nil {
			return err
		}
		for _, shared := range found {
			in, err := state.Instances.Get(tx, state.Of(ctx), string(shared.ID))
			if err != nil {
				return err
			}
			before := in.State
			if err := step(tx, in); err != nil {
				return err
			}
			if err := state.Instances.Put(tx, in); err != nil {
				return err
			}
			out = append(out,
				ec2wire.InstanceStateChange{
					InstanceId: shape.Text(in.ID), CurrentState: stateOf(in.State), PreviousState: stateOf(before),
				})
		}
		return nil
	})
	return out, err
}

// Start answers StartInstances.
func (s *Service) Start(ctx context.Context, in *ec2wire.StartInstancesRequest) (*ec2wire.StartInstancesResult, error) {
	changes, err := s.change(ctx, in.InstanceIds, func(tx store.Tx, i *slipway.Instance) error {
		switch i.State {
		case slipway.Pending, slipway.Running:
			return nil
		case slipway.Stopped:
		default:
			return slipway.Errorf(slipway.IncorrectInstanceState,
				"The instance '%s' is not in a state from which it can be started.", i.ID)
		}
		if _, ok := i.RootVolume(); !ok {
			return slipway.Errorf(slipway.IncorrectInstanceState,
				"Invalid value '%s' for instanceId. Instance does not have a volume attached at root (%s)", i.ID, i.RootDevice)
		}
		if i.Interruption != nil {
			return slipway.Errorf(slipway.IncorrectSpotRequestState,
				"The Spot request of the instance '%s' is not active: the instance starts by itself when there is capacity.",
				i.ID)
		}
		if why := capacity.LacksUEFI(tx, i.Host); i.Boot.UEFI && why != "" {
			return slipway.Errorf(slipway.Unsupported, "The instance '%s' boots by UEFI, which its host cannot: %s.", i.ID, why)
		}
		return s.StartAgain(tx, i)
	})
	return &ec2wire.StartInstancesResult{StartingInstances: changes}, err
}

// StartAgain wants a stopped instance running.
func (s *Service) StartAgain(tx store.Tx, i *slipway.Instance) error {
	if err := i.Become(slipway.Pending, slipway.ReasonPending); err != nil {
		return err
	}
	i.Wanted, i.Force, i.TransitionReason, i.LaunchTime, i.Reachable = slipway.WantRunning, false, "", s.now(), ""
	i.Boots++
	return admission.TakePublic(tx, s.pool, i)
}

// Stop answers StopInstances.
func (s *Service) Stop(ctx context.Context, in *ec2wire.StopInstancesRequest) (*ec2wire.StopInstancesResult, error) {
	changes, err := s.change(ctx, in.InstanceIds, func(tx store.Tx, i *slipway.Instance) error {
		switch {
		case i.Lifecycle == "spot" && !admission.Persistent(tx, i):
			return slipway.Errorf(slipway.UnsupportedOperation,
				"You can't stop the Spot Instance '%s' because it is associated with a one-time Spot Instance "+
					"request. You can only stop Spot Instances associated with persistent Spot Instance requests.",
				i.ID)
		case i.State == slipway.Stopped, i.State == slipway.Stopping && !shape.Get(in.Force):
			return nil
		case i.State != slipway.Running && i.State != slipway.Stopping:
			return slipway.Errorf(slipway.IncorrectInstanceState,
				"This instance '%s' is not in a state from which it can be stopped.", i.ID)
		case i.ProtectStop:
			return slipway.Errorf(slipway.OperationNotPermitted,
				"The instance '%s' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.", i.ID)
		case shape.Get(in.Hibernate) && !i.Hibernation:
			return slipway.Errorf(slipway.UnsupportedHibernationConfiguration,
				"The instance '%s' is not enabled for hibernation.", i.ID)
		}
		why := slipway.ReasonUserShutdown
		i.Wanted = slipway.WantStopped
		if shape.Get(in.Hibernate) {
			why, i.Wanted = slipway.ReasonUserHibernate, slipway.WantHibernated
		}
		i.Force = i.Force || shape.Get(in.Force) || shape.Get(in.SkipOsShutdown)
		i.TransitionReason = slipway.UserInitiated(s.now())
		return i.Become(slipway.Stopping, why)
	})
	return &ec2wire.StopInstancesResult{StoppingInstances: changes}, err
}

// Reboot answers RebootInstances. Terminated instances are ignored.
func (s *Service) Reboot(ctx context.Context, in *ec2wire.RebootInstancesRequest) error {
	_, err := s.change(ctx, in.InstanceIds, func(tx store.Tx, i *slipway.Instance) error {
		switch i.State {
		case slipway.Running:
			i.Reboots++
			return state.AddEvent(tx, state.Of(ctx), string(i.ID), state.Event{Step: "reboot", At: s.now(), Note: "RebootInstances"})
		case slipway.Terminated, slipway.ShuttingDown:
		default:
			return slipway.Errorf(slipway.IncorrectInstanceState,
				"The instance '%s' is not in a state from which it can be rebooted.", i.ID)
		}
		return nil
	})
	return err
}

// Terminate answers TerminateInstances. Protection refuses a whole zone's instances and lets the other zones' go, although
// the call then reports an error (rule terminate-by-zone).
func (s *Service) Terminate(
	ctx context.Context, in *ec2wire.TerminateInstancesRequest,
) (*ec2wire.TerminateInstancesResult, error) {
	protected := map[string]error{}
	if ids, err := parseIDs(in.InstanceIds); err == nil {
		r, err := s.db.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		found, err := find(r, state.Of(ctx), ids)
		if err != nil {
			return nil, err
		}
		for _, i := range found {
			if err := mayTerminate(i); err != nil && protected[i.Zone] == nil {
				protected[i.Zone] = err
			}
		}
	}
	changes, err := s.change(ctx, in.InstanceIds, func(_ store.Tx, i *slipway.Instance) error {
		if protected[i.Zone] != nil || i.State == slipway.Terminated || i.State == slipway.ShuttingDown {
			return nil
		}
		if err := mayTerminate(i); err != nil {
			return err
		}
		i.Wanted, i.Force, i.TransitionReason = slipway.WantTerminated,
			i.Force || shape.Get(in.Force) || shape.Get(in.SkipOsShutdown), slipway.UserInitiated(s.now())
		return i.Become(slipway.ShuttingDown, slipway.ReasonUserShutdown)
	})
	if err == nil {
		for _, refusal := range protected {
			return nil, refusal
		}
	}
	return &ec2wire.TerminateInstancesResult{TerminatingInstances: changes}, err
}

// mayTerminate says whether protection forbids it; stop protection forbids it too.
func mayTerminate(i *slipway.Instance) error {
	attribute := ""
	switch {
	case i.State == slipway.Terminated || i.State == slipway.ShuttingDown:
	case i.ProtectTerminate:
		attribute = "disableApiTermination"
	case i.ProtectStop:
		attribute = "disableApiStop"
	}
	if attribute == "" {
		return nil
	}
	return slipway.Errorf(slipway.OperationNotPermitted,
		"The instance '%s' may not be terminated. Modify its '%s' instance attribute and try again.", i.ID, attribute)
}

// Monitor answers MonitorInstances; Unmonitor its opposite.
func (s *Service) Monitor(ctx context.Context, in *ec2wire.MonitorInstancesRequest) (*ec2wire.MonitorInstancesResult, error) {
	out, err := s.monitor(ctx, in.InstanceIds, true, "enabled")
	return &ec2wire.MonitorInstancesResult{InstanceMonitorings: out}, err
}

// Unmonitor answers UnmonitorInstances.
func (s *Service) Unmonitor(
	ctx context.Context, in *ec2wire.UnmonitorInstancesRequest,
) (*ec2wire.UnmonitorInstancesResult, error) {
	out, err := s.monitor(ctx, in.InstanceIds, false, "disabled")
	return &ec2wire.UnmonitorInstancesResult{InstanceMonitorings: out}, err
}

func (s *Service) monitor(ctx context.Context, ids []string, on bool, word string) ([]ec2wire.InstanceMonitoring, error) {
	changes, err := s.change(ctx, ids, func(_ store.Tx, i *slipway.Instance) error {
		if i.State == slipway.Terminated || i.State == slipway.ShuttingDown {
			return slipway.Errorf(slipway.IncorrectInstanceState,
				"The instance '%s' is not in a state in which its monitoring can be changed.", i.ID)
		}
		i.Monitoring = on
		return nil
	})
	out := make([]ec2wire.InstanceMonitoring, len(changes))
	for i, c := range changes {
		out[i] = ec2wire.InstanceMonitoring{InstanceId: c.InstanceId, Monitoring: &ec2wire.Monitoring{State: shape.Of(word)}}
	}
	return out, err
}
