package controlplane_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"slipway"
	"slipway/internal/apitest"
	"slipway/internal/state"
	"slipway/internal/store"
)

// crowd is an account with n instances; ten of them are stopped, in a group of their own, with a tag.
func crowd(w *apitest.Wire, n int) (ids []string) {
	w.T.Helper()
	id := w.Launch("t3.micro")
	w.Await(id, "running")
	scope := state.Scope{Account: w.Keys.Account, Region: "us-east-1"}
	like := state.Instances.See(w.DB.Local(), scope, id)
	for len(ids) < n {
		err := w.DB.Update(w.T.Context(), func(tx store.Tx) error {
			for range min(1000, n-len(ids)) {
				in := *like
				in.ID, in.Reservation, in.Host, in.State = slipway.NewInstanceID(), slipway.NewReservationID(),
					"elsewhere", slipway.Running
				if len(ids) < 10 {
					in.State, in.Tags, in.VPC = slipway.Stopped, slipway.Tags{"few": "yes"}, "vpc-0000000000000few0"
				}
				if err := state.Instances.Put(tx, &in); err != nil {
					return err
				}
				ids = append(ids, string(in.ID))
			}
			return nil
		})
		if err != nil {
			w.T.Fatal(err)
		}
	}
	return ids
}

// BenchmarkDescribeInstances100000 measures calls in an account of 100,000 instances from the signing to the last byte
// of the answer, which comes compressed where it is long, as clients ask. What a client makes of the bytes is its own.
func BenchmarkDescribeInstances100000(b *testing.B) {
	w := apitest.New(b)
	ids := crowd(w, 100_000)
	for _, bb := range []struct {
		name string
		form url.Values
		want string
	}{
		{"one by id", url.Values{"InstanceId.1": {ids[50_000]}}, ids[50_000]},
		{"a page of 1000", url.Values{"MaxResults": {"1000"}}, "nextToken"},
		{"ten by state", url.Values{"Filter.1.Name": {"instance-state-name"}, "Filter.1.Value.1": {"stopped"}}, ids[3]},
		{"ten by VPC", url.Values{"Filter.1.Name": {"vpc-id"}, "Filter.1.Value.1": {"vpc-0000000000000few0"}}, ids[3]},
		{"ten by tag", url.Values{"Filter.1.Name": {"tag:few"}, "Filter.1.Value.1": {"yes"}}, ids[3]},
	} {
		b.Run(bb.name, func(b *testing.B) {
			bb.form.Set("Action", "DescribeInstances")
			bb.form.Set("Version", "2016-11-15")
			var took []time.Duration
			var answer bytes.Buffer
			for b.Loop() {
				began := time.Now()
				r := w.Request(http.MethodPost, bb.form.Encode(), http.Header{"Accept-Encoding": {"gzip"}})
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					b.Fatal(err)
				}
				answer.Reset()
				if _, err := answer.ReadFrom(resp.Body); err != nil {
					b.Fatal(err)
				}
				resp.Body.Close()
				took = append(took, time.Since(began))
			}
			body := answer.Bytes()
			if z, err := gzip.NewReader(&answer); err == nil { // small answers come as they are
				if body, err = io.ReadAll(z); err != nil {
					b.Fatal(err)
				}
			}
			if !bytes.Contains(body, []byte(bb.want)) {
				b.Fatalf("no %s in %d bytes", bb.want, len(body))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
