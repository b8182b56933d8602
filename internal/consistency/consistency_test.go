package consistency_test

import (
	"net/netip"
	"strings"
	"testing"

	"slipway"
	"slipway/internal/apitest"
	"slipway/internal/consistency"
	"slipway/internal/state"
	"slipway/internal/store"
)

// TestEachContradictionIsFound: of a world that agrees with itself nothing is said; with one record bent, what was bent.
func TestEachContradictionIsFound(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	id := w.Launch("t3.micro")
	w.Await(id, "running")
	w.Settled(id)
	w.User("ann", "")
	w.Profiled("app-of-test", apitest.Document(apitest.MaySeeVPCs))
	s, all := state.Scope{Account: w.Keys.Account, Region: w.Region}, state.IAM(w.Keys.Account)
	if faults := consistency.Faults(w.DB.Local()); len(faults) > 0 {
		t.Fatalf("of a world at rest: %q", faults)
	}
	in := state.Instances.See(w.DB.Local(), s, id)
	eni, vol := string(in.Interfaces[0]), string(in.Volumes[0].Volume)
	held := state.Interfaces.See(w.DB.Local(), s, eni)
	subnet, ip := string(held.Subnet), held.Addresses[0].IP
	for name, tt := range map[string]struct {
		says string
		bend func(tx store.Tx) error
	}{
		"a record that cannot be read": {"cannot be read",
			func(tx store.Tx) error { tx.Put(state.VPCs.Key(s, "vpc-x"), []byte("{")); return nil }},
		"a policy that is gone": {"which is gone", func(tx store.Tx) error {
			return state.Users.Edit(tx, all, "ann", func(u *slipway.User) error {
				u.Policies.Attached = append(u.Policies.Attached, "arn:aws:iam::1:policy/none")
				return nil
			})
		}},
		"a role that is gone": {"has the role", func(tx store.Tx) error {
			return state.InstanceProfiles.Edit(tx, all, "app-of-test", func(p *slipway.InstanceProfile) error {
				p.Role = "none"
				return nil
			})
		}},
		"a key whose user is gone": {"who is gone", func(tx store.Tx) error { state.Users.Delete(tx, all, "ann"); return nil }},
		"three keys": {"has 3 access keys", func(tx store.Tx) error {
			for _, k := range []string{"AKIA2", "AKIA3"} {
				if err := state.AccessKeys.Put(tx, &slipway.AccessKey{ID: k, Account: s.Account, User: "ann"}); err != nil {
					return err
				}
			}
			return nil
		}},
		"a subnet whose VPC is gone": {"is of vpc-gone", func(tx store.Tx) error {
			return state.Subnets.Edit(tx, s, subnet, func(n *slipway.Subnet) error { n.VPC = "vpc-gone"; return nil })
		}},
		"subnets that overlap": {"overlap", func(tx store.Tx) error {
			n, err := state.Subnets.Get(tx, s, subnet)
			if err != nil {
				return err
			}
			n.ID = "subnet-0twin"
			return state.Subnets.Put(tx, n)
		}},
		"two groups of one name": {"have one name", func(tx store.Tx) error {
			g, err := state.SecurityGroups.Get(tx, s, o.Group)
			if err != nil {
				return err
			}
			g.ID = "sg-0twin"
			return state.SecurityGroups.Put(tx, g)
		}},
		"a rule's group that is gone": {"refers to sg-gone", func(tx store.Tx) error {
			return state.SecurityGroups.Edit(tx, s, o.Group, func(g *slipway.SecurityGroup) error {
				g.Rules = append(g.Rules, slipway.Rule{ID: "sgr-x", Group: "sg-gone", GroupOwner: s.Account})
				return nil
			})
		}},
		"an address that nobody is said to use": {"nobody is said to use", func(tx store.Tx) error {
			state.InUse.Delete(tx, s, state.AddressKey(subnet, ip))
			return nil
		}},
		"an address in use by nobody": {"is in use by eni-gone", func(tx store.Tx) error {
			return state.InUse.Put(tx,
				&state.Use{Scope: s, ID: state.AddressKey(subnet, netip.MustParseAddr("172.31.0.99")), By: "eni-gone"})
		}},
		"an address twice": {"both have the address", func(tx store.Tx) error {
			n, err := state.Interfaces.Get(tx, s, eni)
			if err != nil {
				return err
			}
			n.ID, n.Attachment = "eni-0twin", nil
			return state.Interfaces.Put(tx, n)
		}},
		"an interface whose group is gone": {"has the group sg-gone", func(tx store.Tx) error {
			return state.Interfaces.Edit(tx, s, eni, func(n *slipway.Interface) error {
				n.Groups = []slipway.SecurityGroupID{"sg-gone"}
				return nil
			})
		}},
		"an instance without its interface": {"which does not have it", func(tx store.Tx) error {
			return state.Instances.Edit(tx, s, id, func(in *slipway.Instance) error { in.Interfaces = nil; return nil })
		}},
		"an instance whose volume is gone": {"which is not attached to it",
			func(tx store.Tx) error { state.Volumes.Delete(tx, s, vol); return nil }},
		"a volume of another": {"is attached to i-gone", func(tx store.Tx) error {
			return state.Volumes.Edit(tx, s, vol, func(v *slipway.Volume) error {
				v.Attachment.Instance = "i-gone"
				return nil
			})
		}},
		"a token of another reservation": {"is of", func(tx store.Tx) error {
			return state.Tokens.Put(tx,
				&state.Token{Scope: s, ID: "t", Result: "r-other", Instances: []slipway.InstanceID{in.ID}})
		}},
		"a ledger that counts wrong": {"has promised", func(tx store.Tx) error {
			return state.Ledgers.Edit(tx, state.Global, string(apitest.HostID), func(l *slipway.Ledger) error {
				l.VCPUs++
				return nil
			})
		}},
		"no ledger": {"has promised none",
			func(tx store.Tx) error { state.Ledgers.Delete(tx, state.Global, string(apitest.HostID)); return nil }},
		"no main route table": {"main route tables", func(tx store.Tx) error {
			for table := range state.RouteTables.All(tx, s) {
				state.RouteTables.Delete(tx, s, string(table.ID))
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bent := store.NewOverlay(w.DB.Local())
			if err := tt.bend(bent); err != nil {
				t.Fatal(err)
			}
			faults := consistency.Faults(after(w.DB.Local(), bent.Writes))
			for _, f := range faults {
				if strings.Contains(f, tt.says) {
					return
				}
			}
			t.Errorf("found %q, want one that says %q", faults, tt.says)
		})
	}
}

// after is the state with the writes, which nobody else sees.
func after(r store.Reader, writes map[string][]byte) store.Reader {
	c := store.NewCache(state.Schema())
	var changes []store.Change
	for it := range r.Range("") {
		changes = append(changes, store.Change{Key: it.Key, Value: it.Value, Rev: 1})
	}
	for k, v := range writes {
		changes = append(changes, store.Change{Key: k, Value: v, Rev: 2})
	}
	c.Apply(changes, 2, false)
	return c.Snapshot()
}
