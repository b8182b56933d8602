package placement

import (
	"fmt"
	"slices"
	"testing"

	"slipway"
)

func host(id string, vcpus, mem int) Host {
	return Host{ID: slipway.HostID(id), Zones: []string{"a"}, VCPUs: vcpus, MemoryMiB: mem}
}

func TestChoose(t *testing.T) {
	for _, tt := range []struct {
		name  string
		hosts []Host
		r     Request
		want  []slipway.HostID
	}{
		{"spills to the next host when one is full", []Host{host("a", 1, 512), host("b", 1, 512)},
			Request{VCPUs: 1, MemoryMiB: 512, Max: 2}, []slipway.HostID{"a", "b"}},
		{"refuses rather than overcommits", []Host{host("a", 4, 256)}, Request{VCPUs: 1, MemoryMiB: 512, Max: 1}, nil},
		{"places as many as fit", []Host{host("a", 3, 4096)}, Request{VCPUs: 1, MemoryMiB: 512, Max: 5},
			[]slipway.HostID{"a", "a", "a"}},
		{"keeps a spread group apart", []Host{host("a", 9, 9000), host("b", 9, 9000)},
			Request{VCPUs: 1, MemoryMiB: 1, Max: 4, PerHost: 1}, []slipway.HostID{"a", "b"}},
		{"keeps a cluster together", []Host{host("a", 4, 900), host("b", 4, 800)},
			Request{VCPUs: 1, MemoryMiB: 100, Max: 3, Together: true}, []slipway.HostID{"a", "a", "a"}},
		{"boots by UEFI where there is firmware",
			[]Host{
				{ID: "a", Zones: []string{"a"}, VCPUs: 9, MemoryMiB: 9000, NoUEFI: "no firmware"}, host("b", 1, 512),
			}, Request{VCPUs: 1, MemoryMiB: 512, Max: 2, UEFI: true}, []slipway.HostID{"b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.ZoneLetter = "a"
			if got := Choose(tt.hosts, tt.r); !slices.Equal(got.Hosts, tt.want) {
				t.Errorf("Choose = %v (refused %v), want %v", got.Hosts, got.Refused, tt.want)
			}
		})
	}
}

// mated is a host that holds instances of the group, by partition; partition 0 is none.
func mated(h Host, partitions map[int32]int) Host {
	h.Partitions = partitions
	for _, n := range partitions {
		h.Mates += n
	}
	return h
}

func TestGroups(t *testing.T) {
	roomy := func(id string) Host { return host(id, 99, 9000) }
	for _, tt := range []struct {
		name       string
		hosts      []Host
		r          Request
		want       []slipway.HostID
		partitions []int32
	}{
		{"a spread group goes where fewest of it are",
			[]Host{mated(roomy("a"), map[int32]int{0: 1}), host("b", 9, 500), host("c", 9, 400)},
			Request{Max: 3, PerHost: 7, Apart: true}, []slipway.HostID{"b", "c", "a"}, nil},
		{"a cluster goes where most of it is", []Host{roomy("a"), mated(host("b", 9, 500), map[int32]int{0: 1})},
			Request{Max: 2, Together: true}, []slipway.HostID{"b", "b"}, nil},
		{"partitions are filled evenly", []Host{roomy("a")}, Request{Max: 5, Partitions: 3},
			[]slipway.HostID{"a", "a", "a", "a", "a"}, []int32{1, 2, 3, 1, 2}},
		{"the emptiest partition is filled first", []Host{mated(roomy("a"), map[int32]int{1: 2, 2: 1})},
			Request{Max: 3, Partitions: 2}, []slipway.HostID{"a", "a", "a"}, []int32{2, 1, 2}},
		{"the partition asked for is taken", []Host{roomy("a")}, Request{Max: 2, Partitions: 3, Partition: 3},
			[]slipway.HostID{"a", "a"}, []int32{3, 3}},
		{"partitions share no host where there are enough", []Host{host("a", 99, 9000), host("b", 99, 8000)},
			Request{Max: 4, Partitions: 2}, []slipway.HostID{"a", "b", "a", "b"}, []int32{1, 2, 1, 2}},
		{"a partition whose host is full goes nowhere else", []Host{host("a", 1, 9000), host("b", 2, 8000)},
			Request{Max: 4, Partitions: 2}, []slipway.HostID{"a", "b", "b"}, []int32{1, 2, 2}},
		{"with fewer hosts than partitions, hosts are shared least", []Host{host("a", 99, 9000), host("b", 99, 8000)},
			Request{Max: 3, Partitions: 3}, []slipway.HostID{"a", "b", "a"}, []int32{1, 2, 3}},
		{"a partition stays with its own",
			[]Host{mated(host("a", 9, 900), map[int32]int{1: 1}), mated(roomy("b"), map[int32]int{2: 1})},
			Request{Max: 1, Partitions: 2, Partition: 1}, []slipway.HostID{"a"}, []int32{1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.ZoneLetter, tt.r.VCPUs, tt.r.MemoryMiB = "a", 1, 1
			if got := Choose(tt.hosts, tt.r); !slices.Equal(got.Hosts, tt.want) ||
				!slices.Equal(got.Partitions, tt.partitions) {
				t.Errorf("Choose = %v in %v (refused %v), want %v in %v", got.Hosts, got.Partitions, got.Refused,
					tt.want, tt.partitions)
			}
		})
	}
}

func TestChoosingLeavesTheHostsAsTheyWere(t *testing.T) {
	hosts := []Host{mated(host("a", 9, 900), map[int32]int{1: 1})}
	Choose(hosts, Request{ZoneLetter: "a", VCPUs: 1, MemoryMiB: 1, Max: 3, Partitions: 2})
	if h := hosts[0]; h.VCPUs != 9 || h.Mates != 1 || h.Partitions[1] != 1 || h.Partitions[2] != 0 {
		t.Errorf("the caller's host became %+v", h)
	}
}

func TestEveryHostThatTakesNoMoreSaysWhy(t *testing.T) {
	other := host("c", 9, 9000)
	other.Zones = []string{"b"}
	got := Choose([]Host{host("a", 1, 9000), host("b", 9, 100), other},
		Request{ZoneLetter: "a", VCPUs: 1, MemoryMiB: 512, Max: 9})
	for id, want := range map[slipway.HostID]string{
		"a": "too few vCPUs: 0 free, once it has taken 1 of this launch; an instance asks for 1",
		"b": "too little memory: 100 MiB free; an instance asks for 512 MiB", "c": "serves other zones",
	} {
		if got.Refused[id] != want {
			t.Errorf("%s: %q, want %q", id, got.Refused[id], want)
		}
	}
}

func BenchmarkChoose1000On1000(b *testing.B) {
	hosts := make([]Host, 1000)
	for i := range hosts {
		hosts[i] = host(fmt.Sprintf("h%04d", i), 64, 1<<18+i)
	}
	for b.Loop() {
		Choose(hosts, Request{ZoneLetter: "a", VCPUs: 2, MemoryMiB: 1024, Max: 1000})
	}
}

func BenchmarkPartition1000On1000(b *testing.B) {
	hosts := make([]Host, 1000)
	for i := range hosts {
		hosts[i] = host(fmt.Sprintf("h%04d", i), 64, 1<<18+i)
	}
	for b.Loop() {
		Choose(hosts, Request{ZoneLetter: "a", VCPUs: 2, MemoryMiB: 1024, Max: 1000, Partitions: 7})
	}
}
