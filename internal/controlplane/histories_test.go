package controlplane_test

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/apitest"
	"slipway/internal/consistency"
	"slipway/internal/seal"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/adversary"
	"slipway/internal/store/etcd"
	"slipway/internal/vpcs"
)

// deed is one call of a history: what it is about, what it wants, and what came of it.
type deed struct {
	about string // "token a", "ip 10.0.0.9", "eip", "capacity": histories about different things are independent
	do    string
	what  string // the arguments that count, or who has it
}

// holder is the model of a thing that one has at a time, of a token's first request, and of a room for three.
var holder = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := map[string][]porcupine.Operation{}
		for _, op := range history {
			about := op.Input.(deed).about
			parts[about] = append(parts[about], op)
		}
		return slices.Collect(maps.Values(parts))
	},
	Init: func() any { return "" },
	Step: func(was, input, output any) (bool, any) {
		has, in, out := was.(string), input.(deed), output.(string)
		switch in.do {
		case "launch", "associate": // has is "arguments result"
			if has == "" {
				return strings.Contains(out, "-"), in.what + " " + out
			}
			what, result, _ := strings.Cut(has, " ")
			if what == in.what {
				return out == result, has
			}
			return out == map[string]string{
				"launch": "IdempotentParameterMismatch", "associate": "Resource.AlreadyAssociated",
			}[in.do], has
		case "disassociate":
			if _, id, _ := strings.Cut(has, " "); id != in.what {
				return out == "InvalidAssociationID.NotFound", has
			}
			return out == "done", ""
		case "associated":
			_, id, _ := strings.Cut(has, " ")
			return out == id, has
		case "take":
			if has == "" {
				return out != "" && out != in.what, out
			}
			return out == in.what, has // in.what is the refusal's code
		case "leave":
			return has == in.what && out == "done", ""
		case "look":
			return out == has, has
		case "reserve": // has counts
			n, _ := strconv.Atoi("0" + has)
			if n < roomFor {
				return out != in.what, strconv.Itoa(n + 1)
			}
			return out == in.what, has
		case "cancel":
			n, _ := strconv.Atoi("0" + has)
			return out == "done" && n > 0, strconv.Itoa(n - 1)
		}
		return false, was
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%v -> %v", input, output) },
}

const roomFor = 3

// TestHistories: calls of several servers on one etcd cluster of default limits, about the same tokens, addresses and
// capacity, are as if they had come one by one; a read is one of them.
func TestHistories(t *testing.T) {
	n := 24
	if long := os.Getenv("SLIPWAY_HISTORIES"); long != "" {
		var err error
		if n, err = strconv.Atoi(long); err != nil {
			t.Fatalf("SLIPWAY_HISTORIES: %v", err)
		}
	}
	dir, err := os.MkdirTemp("", "sw") // short: a socket lies in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	quiet, socket := slog.New(slog.DiscardHandler), filepath.Join(dir, "s")
	keys, err := seal.Load(filepath.Join(dir, "secrets.key"))
	if err != nil {
		t.Fatal(err)
	}
	schema := etcd.Sealed(state.Schema(), keys)
	engine, err := etcd.Embed(t.Context(), filepath.Join(dir, "etcd"), socket, "/engine/", schema, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	calls := 0
	for i := range n {
		if !t.Run(strconv.Itoa(i), func(t *testing.T) { calls += history(t, schema, socket, i, apitest.Seed(t)) }) {
			break
		}
	}
	t.Logf("%d histories of %d calls in all", n, calls)
}

func history(t *testing.T, schema etcd.Schema, socket string, number int, seed uint64) (calls int) {
	dial := func() store.Store {
		s, err := etcd.Dial(t.Context(), []string{"unix://" + socket}, fmt.Sprintf("/h%d/", number), etcd.DefaultLimits,
			schema, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	servers := []store.Store{dial(), dial(), dial()}
	p := newSharedState(t, servers[0])
	m := p.makeEach()
	err := servers[0].Update(t.Context(), func(tx store.Tx) error { // what is there, and room for three more
		return state.Hosts.Edit(tx, state.Global, string(apitest.HostID), func(h *slipway.Host) error {
			if number%2 == 1 {
				h.MemoryMiB = (2 + roomFor) * 512
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var ops []porcupine.Operation
	began := time.Now()
	var wg sync.WaitGroup
	for caller := range 6 {
		dice, on := rand.New(rand.NewPCG(seed, uint64(caller))), p.server(servers[caller%len(servers)], "")
		wg.Go(func() {
			c := &historian{front: on, made: m, dice: dice, held: map[string]string{}, room: number%2 == 1}
			for range 8 {
				in, do := c.next()
				from := time.Since(began)
				out := do()
				to := time.Since(began)
				mu.Lock()
				ops = append(ops,
					porcupine.Operation{ClientId: caller, Input: in, Output: out, Call: int64(from), Return: int64(to)})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if result, _ := porcupine.CheckOperationsVerbose(holder, ops, time.Minute); result != porcupine.Ok {
		t.Errorf("seed %d: %s", seed, result)
		for _, op := range ops {
			t.Logf("%d-%d %v -> %v", op.Call, op.Return, op.Input, op.Output)
		}
	}
	r, err := servers[1].Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range consistency.Faults(r) {
		t.Errorf("seed %d: %s", seed, fault)
	}
	return len(ops)
}

// historian is one caller of a history.
type historian struct {
	*front
	made made
	dice *rand.Rand
	held map[string]string // by what it is about: what gives it back
	room bool              // it is about the host's room
}

func (h *historian) done(answer string) string {
	if answer[0] == '<' {
		return "done"
	}
	return answer
}

// next is the caller's next call, which is about what the seed says.
func (h *historian) next() (deed, func() string) {
	kinds := []func() (deed, func() string){h.launch, h.launch, h.eip, h.eip, h.address, h.address}
	if h.room {
		kinds = []func() (deed, func() string){h.capacity, h.capacity, h.address}
	}
	return kinds[h.dice.IntN(len(kinds))]()
}

func (h *historian) launch() (deed, func() string) {
	token, kind := string(rune('a'+h.dice.IntN(2))), []string{"ZHJ5", "d2V0"}[h.dice.IntN(2)]
	return deed{"token " + token, "launch", kind}, func() string {
		a := h.call("RunInstances", "ImageId", h.made.image, "InstanceType", "t3.nano", "MinCount", "1", "MaxCount",
			"1", "ClientToken", token, "UserData", kind)
		return cmp.Or(apitest.First(a, "reservationId"), a)
	}
}

func (h *historian) address() (deed, func() string) {
	about := "ip 10.0.0." + strconv.Itoa(8+h.dice.IntN(2))
	if h.dice.IntN(3) == 0 {
		return deed{about, "look", ""}, func() string {
			return apitest.First(h.call("DescribeNetworkInterfaces", "Filter.1.Name", "addresses.private-ip-address",
				"Filter.1.Value.1", about[3:], "Filter.2.Name", "description", "Filter.2.Value.1", "history"),
				"networkInterfaceId")
		}
	}
	if eni := h.held[about]; eni != "" {
		delete(h.held, about)
		return deed{about, "leave", eni}, func() string {
			return h.done(h.call("DeleteNetworkInterface", "NetworkInterfaceId", eni))
		}
	}
	return deed{about, "take", "InvalidIPAddress.InUse"}, func() string {
		a := h.call("CreateNetworkInterface", "SubnetId", h.made.subnet, "PrivateIpAddress", about[3:], "Description",
			"history")
		if eni := apitest.First(a, "networkInterfaceId"); eni != "" {
			h.held[about] = eni
			return eni
		}
		return a
	}
}

func (h *historian) eip() (deed, func() string) {
	switch id := h.held["eip"]; {
	case h.dice.IntN(3) == 0:
		return deed{"eip", "associated", ""}, func() string {
			return apitest.First(h.call("DescribeAddresses", "AllocationId.1", h.made.eip), "associationId")
		}
	case id != "":
		delete(h.held, "eip")
		return deed{"eip", "disassociate", id}, func() string {
			return h.done(h.call("DisassociateAddress", "AssociationId", id))
		}
	}
	instance := []string{h.made.one, h.made.two}[h.dice.IntN(2)]
	return deed{"eip", "associate", instance}, func() string {
		a := h.call("AssociateAddress", "AllocationId", h.made.eip, "InstanceId", instance, "AllowReassociation", "false")
		if id := apitest.First(a, "associationId"); id != "" {
			h.held["eip"] = id
			return id
		}
		return a
	}
}

func (h *historian) capacity() (deed, func() string) {
	if id := h.held["capacity"]; id != "" {
		delete(h.held, "capacity")
		return deed{"capacity", "cancel", ""}, func() string {
			return h.done(h.call("CancelCapacityReservation", "CapacityReservationId", id))
		}
	}
	return deed{"capacity", "reserve", "InsufficientInstanceCapacity"}, func() string {
		a := h.call("CreateCapacityReservation", "InstanceType", "t3.nano", "InstancePlatform", "Linux/UNIX",
			"AvailabilityZone", "us-east-1a", "InstanceCount", "1")
		if id := apitest.First(a, "capacityReservationId"); id != "" {
			h.held["capacity"] = id
			return id
		}
		return a
	}
}

// TestARevokedKeyIsRefusedEverywhere: what one server answered, every other server's next call knows: a key that was
// deleted does not sign, a policy that was attached permits, and what a call then looks at is no older.
func TestARevokedKeyIsRefusedEverywhere(t *testing.T) {
	adversary.Run(t, state.Schema(), 60, func(t *testing.T, s *adversary.Store) {
		p := newSharedState(t, s)
		there := accounts.New(state.DB{Store: s.Other()}, time.Now, vpcs.EnsureDefault)
		k := accounts.NewKey(p.account, time.Now())
		write := func(fn func(tx store.Tx) error) {
			t.Helper()
			if err := s.Update(t.Context(), fn); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			write(func(tx store.Tx) error { return state.AccessKeys.Put(tx, &k) })
			if _, found, err := there.Key(t.Context(), k.ID); !found || err != nil {
				t.Fatalf("a key that was made at another server: %v %v", found, err)
			}
			write(func(tx store.Tx) error { state.AccessKeys.Delete(tx, state.Global, k.ID); return nil })
			if _, found, _ := there.Key(t.Context(), k.ID); found {
				t.Fatal("a key that another server has deleted signs")
			}
		}
	})
}
