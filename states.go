package slipway

import "fmt"

// changes are the lawful changes of one kind's states: from each, which may come next. What is not there cannot happen.
// A state that is no key is an end.
type changes[S ~string] map[S][]S

// become changes a state, or refuses a change that cannot happen. To stay is no change.
func become[S ~string](state *S, to S, lawful changes[S], who string) error {
	if *state == to {
		return nil
	}
	for _, next := range lawful[*state] {
		if next == to {
			*state = to
			return nil
		}
	}
	return fmt.Errorf("%s cannot become %s from %s", who, to, *state)
}

// instanceChanges: a machine that ends by itself, or whose launch fails, has not shut down first.
var instanceChanges = changes[State]{
	Pending:      {Running, ShuttingDown, Terminated, Stopping, Stopped},
	Running:      {Stopping, ShuttingDown, Stopped, Terminated},
	Stopping:     {Stopped, ShuttingDown, Terminated},
	Stopped:      {Pending, ShuttingDown, Terminated},
	ShuttingDown: {Terminated},
}

// VolumeState is a volume's.
type VolumeState string

// A volume is made, lies, is used, and goes.
const (
	VolumeStateCreating  VolumeState = "creating"
	VolumeStateAvailable VolumeState = "available"
	VolumeStateInUse     VolumeState = "in-use"
	VolumeStateDeleting  VolumeState = "deleting"
	VolumeStateError     VolumeState = "error"
)

var volumeChanges = changes[VolumeState]{
	VolumeStateCreating:  {VolumeStateAvailable, VolumeStateError, VolumeStateDeleting},
	VolumeStateAvailable: {VolumeStateInUse, VolumeStateDeleting, VolumeStateError},
	VolumeStateInUse:     {VolumeStateAvailable, VolumeStateDeleting},
	VolumeStateError:     {VolumeStateDeleting},
}

// Become changes the state, or refuses a change that cannot happen.
func (v *Volume) Become(to VolumeState) error {
	return become(&v.State, to, volumeChanges, string(v.ID))
}

// VolumeAttachmentState is that of a volume's attachment; one that has ended is no more.
type VolumeAttachmentState string

// An attachment comes and goes as its guest lets it.
const (
	VolumeAttachmentStateAttaching VolumeAttachmentState = "attaching"
	VolumeAttachmentStateAttached  VolumeAttachmentState = "attached"
	VolumeAttachmentStateDetaching VolumeAttachmentState = "detaching"
)

var volumeAttachmentChanges = changes[VolumeAttachmentState]{
	VolumeAttachmentStateAttaching: {VolumeAttachmentStateAttached, VolumeAttachmentStateDetaching},
	VolumeAttachmentStateAttached:  {VolumeAttachmentStateDetaching},
	VolumeAttachmentStateDetaching: {VolumeAttachmentStateAttached}, // the guest kept it
}

// Become changes the state, or refuses a change that cannot happen.
func (a *VolumeAttachment) Become(to VolumeAttachmentState) error {
	return become(&a.State, to, volumeAttachmentChanges, "the attachment of "+a.Device)
}

// ModificationState is that of a volume's last change.
type ModificationState string

// A modification is made by the volume's host.
const (
	ModificationStateModifying  ModificationState = "modifying"
	ModificationStateOptimizing ModificationState = "optimizing"
	ModificationStateCompleted  ModificationState = "completed"
	ModificationStateFailed     ModificationState = "failed"
)

var modificationChanges = changes[ModificationState]{
	ModificationStateModifying:  {ModificationStateOptimizing, ModificationStateCompleted, ModificationStateFailed},
	ModificationStateOptimizing: {ModificationStateCompleted, ModificationStateFailed},
}

// Become changes the state, or refuses a change that cannot happen.
func (m *Modification) Become(to ModificationState) error {
	return become(&m.State, to, modificationChanges, "the modification")
}

// SnapshotState is a snapshot's.
type SnapshotState string

// A snapshot is made by its host; one that others still need outlives its deletion.
const (
	SnapshotStatePending   SnapshotState = "pending"
	SnapshotStateCompleted SnapshotState = "completed"
	SnapshotStateError     SnapshotState = "error"
	SnapshotStateDeleting  SnapshotState = "deleting"
)

var snapshotChanges = changes[SnapshotState]{
	SnapshotStatePending:   {SnapshotStateCompleted, SnapshotStateError, SnapshotStateDeleting},
	SnapshotStateCompleted: {SnapshotStateDeleting},
	SnapshotStateError:     {SnapshotStateDeleting},
}

// Become changes the state, or refuses a change that cannot happen.
func (s *Snapshot) Become(to SnapshotState) error {
	return become(&s.State, to, snapshotChanges, string(s.ID))
}

// ImageState is an image's; one that is deregistered is no more.
type ImageState string

// An image waits for its snapshots.
const (
	ImageStatePending   ImageState = "pending"
	ImageStateAvailable ImageState = "available"
	ImageStateFailed    ImageState = "failed"
)

var imageChanges = changes[ImageState]{ImageStatePending: {ImageStateAvailable, ImageStateFailed}}

// Become changes the state, or refuses a change that cannot happen.
func (im *Image) Become(to ImageState) error {
	return become(&im.State, to, imageChanges, string(im.ID))
}

// ImportState is an import task's.
type ImportState string

// An import task ends by its work or by its owner.
const (
	ImportStateActive    ImportState = "active"
	ImportStateDeleting  ImportState = "deleting"
	ImportStateDeleted   ImportState = "deleted"
	ImportStateCompleted ImportState = "completed"
)

var importChanges = changes[ImportState]{
	ImportStateActive:   {ImportStateDeleting, ImportStateDeleted, ImportStateCompleted},
	ImportStateDeleting: {ImportStateDeleted},
}

// Become changes the state, or refuses a change that cannot happen.
func (t *ImportTask) Become(to ImportState) error {
	return become(&t.State, to, importChanges, string(t.ID))
}

// NATGatewayState is a NAT gateway's. The wire has it pending in the answer that makes it.
type NATGatewayState string

// A NAT gateway is there at once, or never.
const (
	NATGatewayStateAvailable NATGatewayState = "available"
	NATGatewayStateFailed    NATGatewayState = "failed"
	NATGatewayStateDeleted   NATGatewayState = "deleted"
)

var natGatewayChanges = changes[NATGatewayState]{NATGatewayStateAvailable: {NATGatewayStateFailed, NATGatewayStateDeleted}}

// Become changes the state, or refuses a change that cannot happen.
func (g *NATGateway) Become(to NATGatewayState) error {
	return become(&g.State, to, natGatewayChanges, string(g.ID))
}

// PeeringState is a peering connection's; EC2 calls it its status.
type PeeringState string

// A peering is asked for, and answered.
const (
	PeeringStatePending  PeeringState = "pending-acceptance"
	PeeringStateActive   PeeringState = "active"
	PeeringStateRejected PeeringState = "rejected"
	PeeringStateDeleted  PeeringState = "deleted"
	PeeringStateFailed   PeeringState = "failed"
	PeeringStateExpired  PeeringState = "expired" // a pending one whose time is over: nobody writes it
)

var peeringChanges = changes[PeeringState]{
	PeeringStatePending: {PeeringStateActive, PeeringStateRejected, PeeringStateDeleted, PeeringStateFailed},
	PeeringStateActive:  {PeeringStateDeleted},
	PeeringStateFailed:  {PeeringStateDeleted},
}

// Become changes the state, or refuses a change that cannot happen.
func (p *Peering) Become(to PeeringState) error {
	return become(&p.Status, to, peeringChanges, string(p.ID))
}

// PrefixListState is a prefix list's.
type PrefixListState string

// A prefix list's changes are complete when they are answered.
const (
	PrefixListStateCreated  PrefixListState = "create-complete"
	PrefixListStateModified PrefixListState = "modify-complete"
)

var prefixListChanges = changes[PrefixListState]{PrefixListStateCreated: {PrefixListStateModified}}

// Become changes the state, or refuses a change that cannot happen.
func (l *PrefixList) Become(to PrefixListState) error {
	return become(&l.State, to, prefixListChanges, string(l.ID))
}

// PlacementGroupState is a placement group's, which is there or not.
type PlacementGroupState string

// PlacementGroupStateAvailable is the only state that one is seen in.
const PlacementGroupStateAvailable PlacementGroupState = "available"

// CapacityReservationState is a capacity reservation's.
type CapacityReservationState string

// A capacity reservation keeps its room until its owner or its end date ends it.
const (
	CapacityReservationStateActive    CapacityReservationState = "active"
	CapacityReservationStateCancelled CapacityReservationState = "cancelled"
	CapacityReservationStateExpired   CapacityReservationState = "expired"
)

var capacityReservationChanges = changes[CapacityReservationState]{
	CapacityReservationStateActive: {CapacityReservationStateCancelled, CapacityReservationStateExpired},
}

// Become changes the state, or refuses a change that cannot happen.
func (c *CapacityReservation) Become(to CapacityReservationState) error {
	return become(&c.State, to, capacityReservationChanges, string(c.ID))
}

// SpotRequestState is a spot request's.
type SpotRequestState string

// A spot request waits, is fulfilled, and waits again if it is persistent.
const (
	SpotRequestStateOpen      SpotRequestState = "open"
	SpotRequestStateActive    SpotRequestState = "active"
	SpotRequestStateClosed    SpotRequestState = "closed"
	SpotRequestStateCancelled SpotRequestState = "cancelled"
	SpotRequestStateFailed    SpotRequestState = "failed"
)

var spotRequestChanges = changes[SpotRequestState]{
	SpotRequestStateOpen:   {SpotRequestStateActive, SpotRequestStateClosed, SpotRequestStateCancelled, SpotRequestStateFailed},
	SpotRequestStateActive: {SpotRequestStateOpen, SpotRequestStateClosed, SpotRequestStateCancelled},
}
