package controlplane_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/action"
	"slipway/internal/addresses"
	"slipway/internal/apitest"
	blocks "slipway/internal/blockstore/fake"
	"slipway/internal/computehost"
	"slipway/internal/consistency"
	"slipway/internal/controlplane"
	"slipway/internal/ec2query"
	"slipway/internal/guestimage"
	"slipway/internal/hosts"
	"slipway/internal/images"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/adversary"
	"slipway/internal/vpcs"
)

// front is one server of several, without its listener: calls by their forms, answers by their XML.
type front struct {
	t       testing.TB
	ctx     context.Context
	actions action.Table
}

// sharedState is an account over a state that several servers share.
type sharedState struct {
	*testing.T
	db      store.Store
	account string
	first   *front
}

func newSharedState(t *testing.T, db store.Store) *sharedState {
	a, k, err := accounts.New(state.DB{Store: db}, time.Now, vpcs.EnsureDefault).Create(t.Context(),
		slipway.Account{Name: "sharedState"})
	if err != nil {
		t.Fatal(err)
	}
	p := &sharedState{T: t, db: db, account: a.ID}
	over, log := state.DB{Store: db}, slog.New(slog.DiscardHandler)
	host := slipway.Host{ID: apitest.HostID, Zones: slipway.ZoneLetters, VCPUs: 1 << 16, MemoryMiB: 1 << 24, Simulated: true}
	if err := hosts.New(over, addresses.Pool{Range: computehost.SimulatedPool, Draw: rand.Uint32N}, log, time.Now).Join(t.Context(),
		host); err != nil {
		t.Fatal(err)
	}
	if err := images.New(over, time.Now).Provide(t.Context(), blocks.New(), apitest.HostID,
		guestimage.Simulated()); err != nil {
		t.Fatal(err)
	}
	p.first = p.server(db, k.ID)
	if err := accounts.New(over, time.Now, vpcs.EnsureDefault).Prepare(p.first.ctx); err != nil {
		t.Fatal(err)
	}
	return p
}

// server is one more.
func (p *sharedState) server(db store.Store, key string) *front {
	served, err := controlplane.New(state.DB{Store: db}, controlplane.Config{
		Pool: addresses.Pool{Range: computehost.SimulatedPool, Draw: rand.Uint32N}, Overcommit: 32, Log: slog.New(slog.DiscardHandler),
		Now: time.Now,
	}).Actions()
	if err != nil {
		p.Fatal(err)
	}
	call := slipway.Call{
		Caller: slipway.Caller{
			Account: p.account, ARN: "arn:aws:iam::" + p.account + ":root", UserID: p.account, AccessKey: key,
		}, Region: "us-east-1", RequestID: "r",
	}
	return &front{p, slipway.WithCall(context.Background(), call), served}
}

// call answers an error's code, or the answer.
func (f *front) call(name string, form ...string) string {
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	reader, err := ec2query.NewReader(values)
	if err != nil {
		return string(slipway.CodeOf(err))
	}
	request, err := f.actions[name].Read(reader)
	if err != nil {
		return string(slipway.CodeOf(err))
	}
	out, err := request.Do(f.ctx)
	if err != nil {
		if slipway.CodeOf(err) == slipway.InternalError {
			return err.Error()
		}
		return string(slipway.CodeOf(err))
	}
	w := ec2query.Answer(name, "2016-11-15", "r", out)
	defer w.Free()
	return string(slices.Clone(w.Bytes()))
}

func (f *front) must(element, name string, form ...string) string {
	f.t.Helper()
	answer := f.call(name, form...)
	v := apitest.First(answer, element)
	if v == "" {
		f.t.Fatalf("%s: no %s in %.300s", name, element, answer)
	}
	return v
}

// made are the things that a match's calls may name.
type made struct{ image, vpc, subnet, group, other, one, two, volume, eip, table string }

func (p *sharedState) makeEach() made {
	f := p.first
	m := made{
		image: f.must("imageId", "DescribeImages", "Owner.1", "amazon"),
		vpc:   f.must("vpcId", "CreateVpc", "CidrBlock", "10.0.0.0/16"),
	}
	m.subnet = f.must("subnetId", "CreateSubnet", "VpcId", m.vpc, "CidrBlock", "10.0.0.0/28", "AvailabilityZone", "us-east-1a")
	m.group = f.must("groupId", "CreateSecurityGroup", "GroupName", "one", "GroupDescription", "x", "VpcId", m.vpc)
	m.other = f.must("groupId", "CreateSecurityGroup", "GroupName", "other", "GroupDescription", "x", "VpcId", m.vpc)
	for _, to := range []*string{&m.one, &m.two} {
		*to = f.must("instanceId", "RunInstances", "ImageId", m.image, "InstanceType", "t3.nano", "MinCount", "1",
			"MaxCount", "1", "Placement.AvailabilityZone", "us-east-1a")
	}
	m.volume = f.must("volumeId", "CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1")
	m.eip = f.must("allocationId", "AllocateAddress", "Domain", "vpc")
	m.table = f.must("routeTableId", "CreateRouteTable", "VpcId", m.vpc)
	// What the host would report: the instances run, the volume is there.
	err := p.db.Update(p.Context(), func(tx store.Tx) error {
		s := state.Scope{Account: p.account, Region: "us-east-1"}
		for _, id := range []string{m.one, m.two} {
			if err := state.Instances.Edit(tx, s, id, func(in *slipway.Instance) error {
				in.State = slipway.Running
				return nil
			}); err != nil {
				return err
			}
		}
		return state.Volumes.Edit(tx, s, m.volume, func(v *slipway.Volume) error {
			v.State = slipway.VolumeStateAvailable
			return nil
		})
	})
	if err != nil {
		p.Fatal(err)
	}
	return m
}

func (p *sharedState) quota(name string, n int) {
	err := p.db.Update(p.Context(), func(tx store.Tx) error {
		return state.Accounts.Edit(tx, state.Global, p.account, func(a *slipway.Account) error {
			if a.Quotas == nil {
				a.Quotas = map[string]int{}
			}
			a.Quotas[name] = n
			return nil
		})
	})
	if err != nil {
		p.Fatal(err)
	}
}

// TestTogether: two or three servers are called at once, in every order that 40 seeds give. Whatever the order, the
// records agree with each other, no answer is an internal error, and no more calls succeed than may.
func TestTogether(t *testing.T) {
	launch := func(m made, more ...string) []string {
		return append([]string{
			"RunInstances", "ImageId", m.image, "InstanceType", "t3.nano", "MinCount", "1", "MaxCount", "1",
		}, more...)
	}
	same := func(n int, call []string) [][]string { return slices.Repeat([][]string{call}, n) }
	for _, tt := range []struct {
		name  string
		quota string // of 2 more than there are
		calls func(m made) [][]string
		most  int // how many may succeed; 0: any
	}{
		{"launches with one token", "", func(m made) [][]string { return same(3, launch(m, "ClientToken", "t")) }, 0},
		{"launches beyond the quota", "instances", func(m made) [][]string { return same(3, launch(m)) }, 2},
		{"launches into the last addresses", "", func(m made) [][]string {
			return same(3, launch(m, "SubnetId", m.subnet, "MinCount", "5", "MaxCount", "5"))
		}, 2},
		{"launches with one address", "", func(m made) [][]string {
			return same(2, launch(m, "SubnetId", m.subnet, "PrivateIpAddress", "10.0.0.9"))
		}, 1},
		{"a launch and the deletion of its group", "", func(m made) [][]string {
			return [][]string{
				launch(m, "SubnetId", m.subnet, "SecurityGroupId.1", m.group), {"DeleteSecurityGroup", "GroupId", m.group},
			}
		}, 1},
		{"a launch and the deletion of its subnet", "", func(m made) [][]string {
			return [][]string{launch(m, "SubnetId", m.subnet), {"DeleteSubnet", "SubnetId", m.subnet}}
		}, 1},
		{"a rule and the deletion of the group it names", "", func(m made) [][]string {
			return [][]string{
				{"AuthorizeSecurityGroupIngress", "GroupId", m.other, "IpPermissions.1.IpProtocol", "-1",
					"IpPermissions.1.Groups.1.GroupId", m.group}, {"DeleteSecurityGroup", "GroupId", m.group},
			}
		}, 1},
		{"groups of one name", "", func(m made) [][]string {
			return same(3, []string{"CreateSecurityGroup", "GroupName", "twin", "GroupDescription", "x", "VpcId", m.vpc})
		}, 1},
		{"subnets of one range", "", func(m made) [][]string {
			return same(2, []string{"CreateSubnet", "VpcId", m.vpc, "CidrBlock", "10.0.1.0/24"})
		}, 1},
		{"a subnet and the deletion of its VPC's route table", "", func(m made) [][]string {
			return [][]string{
				{"AssociateRouteTable", "RouteTableId", m.table, "SubnetId", m.subnet},
				{"DeleteRouteTable", "RouteTableId", m.table},
			}
		}, 1},
		{"two route tables for one subnet", "", func(m made) [][]string {
			return same(2, []string{"AssociateRouteTable", "RouteTableId", m.table, "SubnetId", m.subnet})
		}, 0},
		{"a volume for two instances", "", func(m made) [][]string {
			return [][]string{
				{"AttachVolume", "VolumeId", m.volume, "InstanceId", m.one, "Device", "/dev/sdf"},
				{"AttachVolume", "VolumeId", m.volume, "InstanceId", m.two, "Device", "/dev/sdf"},
			}
		}, 1},
		{"a volume's attachment and its deletion", "", func(m made) [][]string {
			return [][]string{
				{"AttachVolume", "VolumeId", m.volume, "InstanceId", m.one, "Device", "/dev/sdf"},
				{"DeleteVolume", "VolumeId", m.volume},
			}
		}, 1},
		{"an address for two instances", "", func(m made) [][]string {
			return [][]string{
				{"AssociateAddress", "AllocationId", m.eip, "InstanceId", m.one, "AllowReassociation", "false"},
				{"AssociateAddress", "AllocationId", m.eip, "InstanceId", m.two, "AllowReassociation", "false"},
			}
		}, 1},
		{"an address's association and its release", "", func(m made) [][]string {
			return [][]string{
				{"AssociateAddress", "AllocationId", m.eip, "InstanceId", m.one}, {"ReleaseAddress", "AllocationId", m.eip},
			}
		}, 1},
		{"addresses beyond the quota", "addresses",
			func(made) [][]string { return same(3, []string{"AllocateAddress", "Domain", "vpc"}) }, 2},
		{"placement groups beyond the quota", "placement-groups", func(made) [][]string {
			return [][]string{
				{"CreatePlacementGroup", "GroupName", "a", "Strategy", "cluster"},
				{"CreatePlacementGroup", "GroupName", "b", "Strategy", "cluster"},
				{"CreatePlacementGroup", "GroupName", "c", "Strategy", "cluster"},
			}
		}, 2},
		{"volumes beyond the quota", "volumes", func(made) [][]string {
			return same(3, []string{"CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1"})
		}, 2},
		{"volumes with one token", "", func(made) [][]string {
			return same(3, []string{"CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1", "ClientToken", "v"})
		}, 0},
		{"an interface's attachment and the instance's end", "", func(m made) [][]string {
			return [][]string{
				{"TerminateInstances", "InstanceId.1", m.one},
				{"AttachVolume", "VolumeId", m.volume, "InstanceId", m.one, "Device", "/dev/sdf"},
			}
		}, 0},
		{"a VPC's deletion and a subnet in it", "", func(m made) [][]string {
			return [][]string{{"DeleteSubnet", "SubnetId", m.subnet}, {"CreateNetworkInterface", "SubnetId", m.subnet}}
		}, 1},
		{"reservations and launches", "", func(m made) [][]string {
			reserve := []string{
				"CreateCapacityReservation", "InstanceType", "t3.nano", "InstancePlatform", "Linux/UNIX",
				"AvailabilityZone", "us-east-1a", "InstanceCount", "2",
			}
			return [][]string{reserve, launch(m), launch(m)}
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			orders := map[string]bool{}
			adversary.Run(t, state.Schema(), 40, func(t *testing.T, s *adversary.Store) {
				p := newSharedState(t, s)
				m := p.makeEach()
				if tt.quota != "" {
					p.quota(tt.quota, p.present(tt.quota)+2)
				}
				calls := tt.calls(m)
				answers := make([]string, len(calls))
				var callers []func()
				for i, call := range calls {
					on := p.server(s.Other(), "")
					callers = append(callers, func() { answers[i] = on.call(call[0], call[1:]...) })
				}
				s.Together(callers...)
				done := 0
				var brief []string
				for _, a := range answers {
					if strings.HasPrefix(a, "<") {
						done++
						a = "done"
					} else if strings.ContainsAny(a, " :") {
						t.Errorf("an internal error: %s", a)
					}
					brief = append(brief, a)
				}
				orders[strings.Join(brief, " ")] = true
				if tt.most > 0 && done > tt.most || done == 0 {
					t.Errorf("%d calls succeeded, at most %d may: %v", done, tt.most, brief)
				}
				r, err := s.Snapshot(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, fault := range consistency.Faults(r) {
					t.Errorf("%s; answers %v", fault, brief)
				}
			})
			if tt.most == 1 && len(orders) < 2 {
				t.Errorf("40 orders have one outcome: %v", orders)
			}
		})
	}
}

// present is how many of what a quota counts there are.
func (p *sharedState) present(quota string) (n int) {
	r, err := p.db.Snapshot(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	s := state.Scope{Account: p.account, Region: "us-east-1"}
	switch quota {
	case "instances":
		for range state.Instances.All(r, s) {
			n++
		}
	case "addresses":
		for range state.Addresses.All(r, s) {
			n++
		}
	case "volumes":
		for range state.Volumes.All(r, s) {
			n++
		}
	}
	return n
}
