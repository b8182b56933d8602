// Package consistency says where the records of one state contradict each other: what refers to what is gone, what two
// hold, what is charged and not there. Nothing of it may ever be found; `slipway state check` and the tests look. It reads
// records and repairs nothing.
package consistency

import (
	"fmt"
	"net/netip"
	"slices"

	"slipway"
	"slipway/internal/state"
	"slipway/internal/store"
)

// Faults are the contradictions in all accounts, each in words that name the records.
func Faults(r store.Reader) []string {
	f := &finder{r: r, used: map[string]string{}}
	if err := state.Whole(r); err != nil {
		f.say("%v", err)
	}
	for a := range state.Accounts.All(r, state.Global) {
		f.identity(a.ID)
		for _, region := range slipway.RegionNames() {
			s := state.Scope{Account: a.ID, Region: region}
			f.networks(s)
			f.interfaces(s)
			f.instances(s)
			f.volumes(s)
		}
	}
	f.uses()
	f.ledgers()
	slices.Sort(f.faults)
	return f.faults
}

type finder struct {
	r      store.Reader
	used   map[string]string // the key of an address's Use to what holds it
	faults []string
}

func (f *finder) say(format string, args ...any) {
	f.faults = append(f.faults, fmt.Sprintf(format, args...))
}

func (f *finder) identity(account string) {
	s := state.IAM(account)
	attached := func(who string, p slipway.Policies) {
		for _, arn := range p.Attached {
			if state.ManagedPolicies.See(f.r, s, arn) == nil {
				f.say("%s has the policy %s attached, which is gone", who, arn)
			}
		}
	}
	for u := range state.Users.All(f.r, s) {
		attached("user "+u.Name, u.Policies)
		n := 0
		for k := range state.AccessKeys.By(f.r, state.Global, "user/"+account+"/"+u.Name) {
			if k.Token == "" {
				n++
			}
		}
		if n > 2 {
			f.say("user %s has %d access keys", u.Name, n)
		}
	}
	for role := range state.Roles.All(f.r, s) {
		attached("role "+role.Name, role.Policies)
	}
	for p := range state.InstanceProfiles.All(f.r, s) {
		if p.Role != "" && state.Roles.See(f.r, s, p.Role) == nil {
			f.say("instance profile %s has the role %s, which is gone", p.Name, p.Role)
		}
	}
	for k := range state.AccessKeys.All(f.r, state.Global) {
		if k.Account == account && k.Token == "" && k.User != "" && state.Users.See(f.r, s, k.User) == nil {
			f.say("access key %s belongs to the user %s, who is gone", k.ID, k.User)
		}
	}
}

func (f *finder) networks(s state.Scope) {
	var subnets []*slipway.Subnet
	for sub := range state.Subnets.All(f.r, s) {
		if state.VPCs.See(f.r, s, string(sub.VPC)) == nil {
			f.say("subnet %s is of %s, which is gone", sub.ID, sub.VPC)
		}
		for _, other := range subnets {
			if other.VPC == sub.VPC && other.CIDR.IsValid() && sub.CIDR.IsValid() && other.CIDR.Overlaps(sub.CIDR) {
				f.say("subnets %s and %s of %s overlap", other.ID, sub.ID, sub.VPC)
			}
		}
		subnets = append(subnets, sub)
	}
	names := map[string]slipway.SecurityGroupID{}
	for g := range state.SecurityGroups.All(f.r, s) {
		if g.VPC != "" && state.VPCs.See(f.r, s, string(g.VPC)) == nil {
			f.say("group %s is of %s, which is gone", g.ID, g.VPC)
		}
		name := string(g.VPC) + "/" + g.Name
		if other, twice := names[name]; twice {
			f.say("groups %s and %s have one name, %s", other, g.ID, g.Name)
		}
		names[name] = g.ID
		for _, rule := range g.Rules {
			if rule.Group != "" && rule.GroupOwner == s.Account && state.SecurityGroups.See(f.r, s, string(rule.Group)) == nil {
				f.say("rule %s of %s refers to %s, which is gone", rule.ID, g.ID, rule.Group)
			}
		}
	}
	main := map[slipway.VPCID]int{}
	of := map[slipway.SubnetID]string{}
	for t := range state.RouteTables.All(f.r, s) {
		for _, a := range t.Associations {
			switch other := of[a.Subnet]; {
			case a.Main:
				main[t.VPC]++
			case a.Subnet != "" && state.Subnets.See(f.r, s, string(a.Subnet)) == nil:
				f.say("route table %s is associated with %s, which is gone", t.ID, a.Subnet)
			case a.Subnet != "" && other != "":
				f.say("subnet %s has the route tables %s and %s", a.Subnet, other, t.ID)
			case a.Subnet != "":
				of[a.Subnet] = string(t.ID)
			}
		}
	}
	for v := range state.VPCs.All(f.r, s) {
		if main[v.ID] != 1 {
			f.say("%s has %d main route tables", v.ID, main[v.ID])
		}
	}
}

func (f *finder) use(s state.Scope, of string, ip netip.Addr, by string) {
	if !ip.IsValid() {
		return
	}
	key := state.InUse.Key(s, state.AddressKey(of, ip))
	if other, twice := f.used[key]; twice {
		f.say("%s and %s both have the address %s of %s", other, by, ip, of)
	}
	f.used[key] = by
	if f.r.Get(key) == nil {
		f.say("%s has the address %s of %s, which nobody is said to use", by, ip, of)
	}
}

func (f *finder) interfaces(s state.Scope) {
	for n := range state.Interfaces.All(f.r, s) {
		if state.Subnets.See(f.r, s, string(n.Subnet)) == nil {
			f.say("interface %s lies in %s, which is gone", n.ID, n.Subnet)
		}
		for _, g := range n.Groups {
			if state.SecurityGroups.See(f.r, s, string(g)) == nil {
				f.say("interface %s has the group %s, which is gone", n.ID, g)
			}
		}
		for _, a := range n.Addresses {
			f.use(s, string(n.Subnet), a.IP, string(n.ID))
			if a.Allocation == "" {
				continue
			}
			if eip := state.Addresses.See(f.r, s, string(a.Allocation)); eip == nil || eip.Interface != n.ID ||
				eip.PrivateIP != a.IP {
				f.say("interface %s has the elastic address %s, which does not have it", n.ID, a.Allocation)
			}
		}
		for _, ip := range n.IPv6 {
			f.use(s, string(n.Subnet), ip, string(n.ID))
		}
		if n.Attachment != nil {
			in := state.Instances.See(f.r, s, string(n.Attachment.Instance))
			if in == nil || !in.Alive() || !slices.Contains(in.Interfaces, n.ID) {
				f.say("interface %s is attached to %s, which does not have it", n.ID, n.Attachment.Instance)
			}
		}
	}
	for a := range state.Addresses.All(f.r, s) {
		if a.Interface == "" {
			continue
		}
		n := state.Interfaces.See(f.r, s, string(a.Interface))
		if n == nil || !slices.ContainsFunc(n.Addresses, func(p slipway.PrivateAddress) bool { return p.Allocation == a.ID }) {
			f.say("elastic address %s is associated with %s, which does not have it", a.ID, a.Interface)
		}
	}
}

func (f *finder) instances(s state.Scope) {
	for in := range state.Instances.All(f.r, s) {
		if !in.Alive() {
			continue
		}
		for _, id := range in.Interfaces {
			if n := state.Interfaces.See(f.r, s, string(id)); n == nil || n.Attachment == nil ||
				n.Attachment.Instance != in.ID {
				f.say("instance %s has the interface %s, which is not attached to it", in.ID, id)
			}
		}
		for _, b := range in.Volumes {
			if v := state.Volumes.See(f.r, s, string(b.Volume)); v == nil || v.Attachment == nil ||
				v.Attachment.Instance != in.ID {
				f.say("instance %s has the volume %s, which is not attached to it", in.ID, b.Volume)
			}
		}
		if g := in.Placement.GroupID; g != "" {
			if pg := state.PlacementGroups.See(f.r, s, in.Placement.GroupName); pg == nil || pg.ID != g {
				f.say("instance %s is in the placement group %s, which is gone", in.ID, in.Placement.GroupName)
			}
		}
	}
	for t := range state.Tokens.All(f.r, s) {
		if len(t.Instances) == 0 {
			continue
		}
		for _, id := range t.Instances {
			if in := state.Instances.See(f.r, s, string(id)); in != nil && string(in.Reservation) != t.Result {
				f.say("token %s made the reservation %s, and its instance %s is of %s", t.ID, t.Result, id, in.Reservation)
			}
		}
	}
}

func (f *finder) volumes(s state.Scope) {
	for v := range state.Volumes.All(f.r, s) {
		if v.Attachment == nil {
			continue
		}
		in := state.Instances.See(f.r, s, string(v.Attachment.Instance))
		if in == nil || !in.Alive() ||
			!slices.ContainsFunc(in.Volumes, func(b slipway.BlockDevice) bool { return b.Volume == v.ID }) {
			f.say("volume %s is attached to %s, which does not have it", v.ID, v.Attachment.Instance)
		}
	}
}

// uses finds private addresses that are said to be in use, of a subnet's interface that is not there.
func (f *finder) uses() {
	for a := range state.Accounts.All(f.r, state.Global) {
		for _, region := range slipway.RegionNames() {
			s := state.Scope{Account: a.ID, Region: region}
			for u := range state.InUse.All(f.r, s) {
				if state.Interfaces.See(f.r, s, u.By) == nil {
					f.say("the address %s is in use by %s, which is gone", u.ID, u.By)
				}
			}
		}
	}
}

// ledgers compares what hosts have promised with who is there: instances that have not ended, and what reservations keep.
func (f *finder) ledgers() {
	want := map[slipway.HostID]slipway.Ledger{}
	add := func(h slipway.HostID, n, vcpus, mib int) {
		l := want[h]
		l.Host, l.Instances, l.VCPUs, l.MemoryMiB = h, l.Instances+n, l.VCPUs+n*vcpus, l.MemoryMiB+n*mib
		want[h] = l
	}
	for a := range state.Accounts.All(f.r, state.Global) {
		for _, region := range slipway.RegionNames() {
			s := state.Scope{Account: a.ID, Region: region}
			for in := range state.Instances.All(f.r, s) {
				t := slipway.FindInstanceType(in.Type)
				if in.Alive() && t != nil && !f.reserved(s, in) {
					add(in.Host, 1, int(in.Cores*in.ThreadsPerCore), int(t.MemoryMiB))
				}
			}
			for c := range state.CapacityReservations.All(f.r, s) {
				if t := slipway.FindInstanceType(c.Type); c.State == slipway.CapacityReservationStateActive && t != nil {
					for h, n := range c.Hosts {
						add(h, n, int(t.VCPUs), int(t.MemoryMiB))
					}
				}
			}
		}
	}
	for l := range state.Ledgers.All(f.r, state.Global) {
		if w := want[l.Host]; l.Instances != w.Instances || l.VCPUs != w.VCPUs || l.MemoryMiB != w.MemoryMiB {
			f.say("host %s has promised %d instances, %d vCPUs, %d MiB; there are %d, %d, %d", l.Host, l.Instances,
				l.VCPUs, l.MemoryMiB, w.Instances, w.VCPUs, w.MemoryMiB)
		}
		delete(want, l.Host)
	}
	for h, w := range want {
		if w.Instances > 0 {
			f.say("host %s has %d instances and has promised none", h, w.Instances)
		}
	}
}

func (f *finder) reserved(s state.Scope, in *slipway.Instance) bool {
	if in.CapacityReservation == "" {
		return false
	}
	c := state.CapacityReservations.See(f.r, s, string(in.CapacityReservation))
	return c != nil && c.State == slipway.CapacityReservationStateActive
}
