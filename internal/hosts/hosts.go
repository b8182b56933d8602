// Package hosts is the server's side of hostapi: it turns records into assignments for each host, and an agent's observations
// into the states that callers see. It is the only writer of what was observed.
package hosts

import (
	"context"
	"iter"
	"log/slog"
	"strings"
	"time"

	"slipway"
	"slipway/internal/addresses"
	"slipway/internal/hostapi"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Service implements hostapi.Host.
type Service struct {
	db   state.DB
	pool addresses.Pool
	log  *slog.Logger
	now  func() time.Time
}

var _ hostapi.Host = (*Service)(nil)

// New makes the room.
func New(db state.DB, pool addresses.Pool, log *slog.Logger, now func() time.Time) *Service {
	return &Service{db, pool, log, now}
}

// Join makes the host known.
func (s *Service) Join(ctx context.Context, h slipway.Host) error {
	h.Seen = s.now()
	return s.db.Update(ctx, func(tx store.Tx) error { return state.Hosts.Put(tx, &h) })
}

// Changes reports, first everything on the host, then what changes.
func (s *Service) Changes(ctx context.Context, host slipway.HostID, report func([]hostapi.Ref)) error {
	w := s.db.Watch("s/")
	defer w.Close()
	r, err := s.db.Snapshot(ctx)
	if err != nil {
		return err
	}
	report(s.everything(r, host))
	for {
		keys, err := w.Next(ctx)
		if err != nil {
			return err
		}
		if refs := s.affected(s.db.Local(), host, keys); len(refs) > 0 {
			report(refs)
		}
	}
}

func (s *Service) everything(r store.Reader, host slipway.HostID) []hostapi.Ref {
	seen := refs{}
	for in := range state.Instances.By(r, state.Global, "/host/"+string(host)) {
		seen.add(hostapi.InstanceKind, string(in.ID))
		seen.add(hostapi.NetworkKind, string(in.Network()))
	}
	for v := range state.Volumes.By(r, state.Global, "/host/"+string(host)) {
		if busy(r, v) {
			seen.add(hostapi.VolumeKind, string(v.ID))
		}
	}
	for n := range state.Snapshots.By(r, state.Global, "/todo/"+string(host)) {
		seen.add(hostapi.SnapshotKind, string(n.ID))
	}
	for t := range state.ImportTasks.By(r, state.Global, "/todo/"+string(host)) {
		seen.add(hostapi.ImportKind, string(t.ID))
	}
	return seen.list()
}

type refs map[hostapi.Ref]bool

func (r refs) add(kind hostapi.Kind, id string) { r[hostapi.Ref{Kind: kind, ID: id}] = true }

func (r refs) list() []hostapi.Ref {
	out := make([]hostapi.Ref, 0, len(r))
	for k := range r {
		out = append(out, k)
	}
	return out
}

// affected are the host's things that a change of these records may concern.
func (s *Service) affected(r store.Reader, host slipway.HostID, keys []string) []hostapi.Ref {
	out := refs{}
	for _, key := range keys {
		scope, id, kind, ok := state.Split(key)
		if !ok {
			continue
		}
		switch kind {
		case state.Instances.Kind():
			in := state.Instances.See(r, scope, id)
			if in == nil || in.Host != host {
				continue
			}
			out.add(hostapi.InstanceKind, id)
			if in.State != slipway.Terminated {
				out.add(hostapi.NetworkKind, string(in.Network()))
			}
			s.neighbours(r, out, host, scope, in.VPC)
		case state.Interfaces.Kind():
			n := state.Interfaces.See(r, scope, id)
			if n == nil {
				continue
			}
			s.network(r, out, host, scope, n.VPC)
			s.neighbours(r, out, host, scope, n.VPC) // whose rules may refer to a group of this one's
			if n.Attachment != nil {
				if in := state.Instances.See(r, scope, string(n.Attachment.Instance)); in != nil && in.Host == host {
					out.add(hostapi.InstanceKind, string(in.ID))
				}
			}
		case state.AccessKeys.Kind():
			if k := state.AccessKeys.See(r, scope, id); k != nil && k.Instance != "" {
				if in := instanceByID(r, slipway.InstanceID(k.Instance)); in != nil && in.Host == host {
					out.add(hostapi.InstanceKind, k.Instance)
				}
			}
		case state.Volumes.Kind():
			if v := state.Volumes.See(r, scope, id); v != nil && v.Host == host {
				out.add(hostapi.VolumeKind, id)
				if v.Attachment != nil {
					out.add(hostapi.InstanceKind, string(v.Attachment.Instance))
				}
			}
		case state.Snapshots.Kind():
			if n := state.Snapshots.See(r, scope, id); n != nil && n.Host == host {
				out.add(hostapi.SnapshotKind, id)
				if n.Volume != "" {
					out.add(hostapi.VolumeKind, string(n.Volume)) // it may have waited for the snapshot to be gone
				}
			}
		case state.ImportTasks.Kind():
			if t := state.ImportTasks.See(r, scope, id); t != nil && t.Host == host {
				out.add(hostapi.ImportKind, id)
			}
		case state.VPCs.Kind():
			s.network(r, out, host, scope, slipway.VPCID(id))
			s.neighbours(r, out, host, scope, slipway.VPCID(id))
		case state.Peerings.Kind():
			if p := state.Peerings.See(r, scope, id); p != nil {
				for _, side := range []slipway.PeeringSide{p.Requester, p.Accepter} {
					s.network(r, out, host, state.Scope{Account: side.Account, Region: p.Region}, side.VPC)
				}
			}
		case state.SecurityGroups.Kind():
			if g := state.SecurityGroups.See(r, scope, id); g != nil {
				if g.VPC == "" {
					s.network(r, out, host, scope, slipway.ClassicNetwork(scope.Region))
				}
				s.network(r, out, host, scope, g.VPC)
			}
		case state.Subnets.Kind():
			if n := state.Subnets.See(r, scope, id); n != nil {
				s.network(r, out, host, scope, n.VPC)
			}
		case state.RouteTables.Kind(), state.InternetGateways.Kind(), state.NetworkACLs.Kind(),
			state.DHCPOptions.Kind(), state.NATGateways.Kind(), state.PrefixLists.Kind():
			// Their VPC may have changed with them, and there are few: look at all of the account's in the region.
			for v := range state.VPCs.All(r, scope) {
				s.network(r, out, host, scope, v.ID)
			}
		}
	}
	return out.list()
}

// network adds a VPC if one of its instances is on the host.
func (s *Service) network(r store.Reader, out refs, host slipway.HostID, scope state.Scope, vpc slipway.VPCID) {
	if vpc == "" || out[hostapi.Ref{Kind: hostapi.NetworkKind, ID: string(vpc)}] {
		return
	}
	for in := range inhabitants(r, scope, vpc) {
		if in.Host == host && in.State != slipway.Terminated {
			out.add(hostapi.NetworkKind, string(vpc))
			return
		}
	}
}

// neighbours adds the VPCs that are peered with one: the way to it exists while both are on the host.
func (s *Service) neighbours(r store.Reader, out refs, host slipway.HostID, scope state.Scope, vpc slipway.VPCID) {
	if vpc == "" {
		return
	}
	for p := range state.Peerings.By(r, state.Shared(scope.Region), "vpc/"+string(vpc)) {
		if other := p.Other(vpc); p.Status == slipway.PeeringStateActive {
			s.network(r, out, host, state.Scope{Account: other.Account, Region: p.Region}, other.VPC)
		}
	}
}

// inhabitants are the instances of a network: of a VPC, which is in one scope, or of a region's EC2-Classic, which all
// accounts share.
func inhabitants(r store.Reader, scope state.Scope, id slipway.VPCID) iter.Seq[*slipway.Instance] {
	if region, ok := classicRegion(id); ok {
		return state.Instances.By(r, state.Global, "/classic/"+region)
	}
	return state.Instances.By(r, scope, "vpc/"+string(id))
}

func classicRegion(id slipway.VPCID) (string, bool) {
	return strings.CutPrefix(string(id), string(slipway.ClassicNetwork("")))
}

// owner finds whose a VPC is: an agent names it by its id alone.
func owner(r store.Reader, id slipway.VPCID) (state.Scope, *slipway.VPC) {
	for v := range state.VPCs.By(r, state.Global, "/id/"+string(id)) {
		return state.Scope{Account: v.Account, Region: v.Region}, v
	}
	return state.Scope{}, nil
}

// instanceByID finds an instance by its id alone.
func instanceByID(r store.Reader, id slipway.InstanceID) *slipway.Instance {
	for in := range state.Instances.By(r, state.Global, "/id/"+string(id)) {
		return in
	}
	return nil
}

func volumeByID(r store.Reader, id string) *slipway.Volume {
	for v := range state.Volumes.By(r, state.Global, "/id/"+id) {
		return v
	}
	return nil
}

func snapshotByID(r store.Reader, id string) *slipway.Snapshot {
	for n := range state.Snapshots.By(r, state.Global, "/id/"+id) {
		return n
	}
	return nil
}

// name is a fully qualified name as resolvers look it up.
func name(s string) string { return strings.ToLower(s) + "." }
