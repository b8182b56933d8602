package server_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"slipway/internal/apitest"
	"slipway/internal/server"
)

// TestHundredsOfKeptConnections: each of 400 clients keeps its one connection through several calls, as long-lived
// controllers do, and an idle one costs the others nothing.
func TestHundredsOfKeptConnections(t *testing.T) {
	w := apitest.New(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var opened atomic.Int32
	front := server.New(w.Wiring()).HTTP()
	front.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	go front.Serve(listener)
	defer front.Close()

	const clients, calls = 400, 3
	var all sync.WaitGroup
	var failed atomic.Int32
	begin := sync.NewCond(&sync.Mutex{})
	ready := 0
	for range clients {
		all.Go(func() {
			kept := &http.Transport{MaxIdleConns: 1, MaxConnsPerHost: 1}
			defer kept.CloseIdleConnections()
			for call := range calls {
				r := w.Request(http.MethodPost, "Action=DescribeRegions&Version=2016-11-15", nil)
				r.URL.Host = listener.Addr().String() // the signature is of the other listener's host, which the header still names
				r.Host = strings.TrimPrefix(w.URL, "http://")
				resp, err := kept.RoundTrip(r)
				if err != nil {
					t.Error(err)
					failed.Add(1)
					return
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
					failed.Add(1)
				}
				resp.Body.Close()
				if call > 0 {
					continue
				}
				begin.L.Lock() // nobody goes on before all are connected
				for ready++; ready < clients; {
					begin.Wait()
				}
				begin.L.Unlock()
				begin.Broadcast()
			}
		})
	}
	all.Wait()
	if n := failed.Load(); n != 0 {
		t.Errorf("%d calls failed", n)
	}
	if n := opened.Load(); n != clients {
		t.Errorf("%d connections were opened for %d clients: they are not kept", n, clients)
	}
}

// TestListsFromZero: some clients count from 0, some leave holes; the order is the indexes'.
func TestListsFromZero(t *testing.T) {
	w := apitest.New(t)
	a, b := w.Launch("t3.nano"), w.Launch("t3.nano")
	for _, index := range [][2]string{{"0", "1"}, {"1", "2"}, {"3", "7"}, {"10", "9"}} {
		out := w.Call("DescribeInstances", "InstanceId."+index[0], a, "InstanceId."+index[1], b)
		if out.Status != http.StatusOK || strings.Count(out.Body, "<instanceId>") != 2 {
			t.Errorf("indexes %v: %d %s", index, out.Status, out.Message)
		}
	}
}

// TestAbsentIsNotEmpty: what an instance does not have is absent where clients see a difference.
func TestAbsentIsNotEmpty(t *testing.T) {
	w := apitest.New(t)
	id := w.Launch("t3.nano")
	w.Await(id, "running")
	body := w.Call("DescribeInstances", "InstanceId.1", id).Body
	for _, element := range []string{
		"keyName", "iamInstanceProfile", "kernelId", "ramdiskId", "platform", "instanceLifecycle",
		"spotInstanceRequestId", "stateReason", "stateTransitionReason",
		"outpostArn", "capacityReservationId", "hostId", "affinity", "partitionNumber", "ipv6Address", "kmsKeyId",
		"sriovNetSupport",
	} {
		if strings.Contains(body, "<"+element+">") {
			t.Errorf("%s is there: %q", element, apitest.First(body, element))
		}
	}
	for attribute, element := range map[string]string{
		"userData": "<userData></userData>", "kernel": "<kernel></kernel>", "ramdisk": "<ramdisk></ramdisk>",
	} {
		a := w.Call("DescribeInstanceAttribute", "InstanceId", id, "Attribute", attribute)
		if a.Status != http.StatusOK || strings.Contains(a.Body, "<value>") ||
			!strings.Contains(a.Body, element) && strings.Contains(a.Body, "<"+attribute) {
			t.Errorf("%s of an instance without: %s", attribute, a.Body)
		}
	}
	volume := w.Call("DescribeVolumes", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", id).Body
	for _, element := range []string{"throughput", "kmsKeyId", "outpostArn", "fastRestored"} {
		if strings.Contains(volume, "<"+element+">") {
			t.Errorf("%s of a gp2 volume is there: %q", element, apitest.First(volume, element))
		}
	}
}
