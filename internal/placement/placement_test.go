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
		{"spills to the next host when one is full", []Host{host("a", 1, 512), host("b", 1, 512)}, Request{VCPUs: 1, MemoryMiB: 512, Max: 2}, []slipway.HostID{"a", "b"}},
		{"refuses rather than overcommits", []Host{host("a", 4, 256)}, Request{VCPUs: 1, MemoryMiB: 512, Max: 1}, nil},
		{"places as many as fit", []Host{host("a", 3, 4096)}, Request{VCPUs: 1, MemoryMiB: 512, Max: 5}, []slipway.HostID{"a", "a", "a"}},
		{"keeps a spread group apart", []Host{host("a", 9, 9000), host("b", 9, 9000)}, Request{VCPUs: 1, MemoryMiB: 1, Max: 4, PerHost: 1}, []slipway.HostID{"a", "b"}},
		{"keeps a cluster together", []Host{host("a", 4, 900), host("b", 4, 800)}, Request{VCPUs: 1, MemoryMiB: 100, Max: 3, Together: true}, []slipway.HostID{"a", "a", "a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.ZoneLetter = "a"
			if got := Choose(tt.hosts, tt.r); !slices.Equal(got.Hosts, tt.want) {
				t.Errorf("Choose = %v (refused %v), want %v", got.Hosts, got.Refused, tt.want)
			}
		})
	}
}

func TestEveryHostThatTakesNoMoreSaysWhy(t *testing.T) {
	other := host("c", 9, 9000)
	other.Zones = []string{"b"}
	got := Choose([]Host{host("a", 1, 9000), host("b", 9, 100), other}, Request{ZoneLetter: "a", VCPUs: 1, MemoryMiB: 512, Max: 9})
	for id, want := range map[slipway.HostID]string{"a": "0 of 1 vCPUs free", "b": "100 of 512 MiB memory free", "c": "serves other zones"} {
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
