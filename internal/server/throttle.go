package server

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"slipway/internal/action"
)

// Throttle says whether calls are throttled as EC2 throttles them, and how an operator's buckets differ from EC2's.
// The zero Throttle never does.
type Throttle struct {
	On       bool
	Actions  map[string]action.Bucket // instead of EC2's, by action
	Accounts map[string]float64       // by how much an account's buckets are larger, by its id
}

// buckets are those that calls draw from: one for each account, region and action, and one more for some in instances.
type buckets struct {
	Throttle
	now func() time.Time

	mu sync.Mutex
	by map[source]*rate.Limiter
}

// source is whose bucket it is, and of what.
type source struct {
	account, region, action string
	bucket                  action.Bucket
}

// maxBuckets is from how many on those that have filled up again are forgotten: they are as good as new.
const maxBuckets = 10000

func newBuckets(t Throttle, now func() time.Time) *buckets {
	return &buckets{Throttle: t, now: now, by: map[source]*rate.Limiter{}}
}

// draw takes n from a bucket; an error says that it does not hold as much. What no bucket can hold is taken when it is full.
func (b *buckets) draw(account, region, name string, bucket action.Bucket, n int) error {
	if !b.On || n <= 0 {
		return nil
	}
	if own, ok := b.Actions[name]; ok && bucket.Calls() {
		bucket = own
	}
	if by := b.Accounts[account]; by > 0 {
		bucket.Size, bucket.Refill = max(int(float64(bucket.Size)*by), 1), bucket.Refill*by
	}
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	at := source{account, region, name, bucket}
	l := b.by[at]
	if l == nil {
		if len(b.by) >= maxBuckets {
			b.forget(now)
		}
		l = rate.NewLimiter(rate.Limit(bucket.Refill), bucket.Size)
		b.by[at] = l
	}
	if !l.AllowN(now, min(n, bucket.Size)) {
		return busy()
	}
	return nil
}

func (b *buckets) forget(now time.Time) {
	for at, l := range b.by {
		if l.TokensAt(now) >= float64(l.Burst()) {
			delete(b.by, at)
		}
	}
}
