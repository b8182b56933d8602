package etcd

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// fences are a key for each process that writes: every commit renews its own, and names itself there. So
//   - a commit whose answer was lost can be told from one that never was: by the key, which also stops the lost one from
//     coming late;
//   - one comparison over the other processes' fences says that nobody else has committed since.
const fences = "batch/"

// fencesKept is how long a fence stays that nobody renews. A process that slept longer finds out and begins a new one.
const fencesKept = 24 * time.Hour

// aloneAfter is how long nobody else must have committed for this process to take itself to be alone.
const aloneAfter = time.Second

type fence struct {
	key    string // without the store's prefix
	rev    int64  // of its last renewal; 0: not there
	others moment // when another process committed
}

func newFence() fence { return fence{key: fences + rand.Text()} }

// heard notes that a key was written.
func (f *fence) heard(key string) {
	if strings.HasPrefix(key, fences) && key != f.key {
		f.others.set()
	}
}

// alone says whether no other process has committed lately.
func (f *fence) alone() bool { return f.others.ago() > aloneAfter }

// moment is a time that goroutines share, by the clock that nobody sets. The zero moment is long ago.
type moment struct{ at atomic.Pointer[time.Time] }

func (m *moment) set() {
	now := time.Now()
	m.at.Store(&now)
}

func (m *moment) ago() time.Duration {
	if at := m.at.Load(); at != nil {
		return time.Since(*at)
	}
	return math.MaxInt64
}

// stamp is a fence's value.
type stamp struct {
	Batch string    `json:"batch"`
	At    time.Time `json:"at"`
}

func (s *Store) stamped(batch string) (clientv3.Op, error) {
	b, err := json.Marshal(stamp{batch, time.Now().UTC()})
	return clientv3.OpPut(s.prefix+s.fence.key, string(b)), err
}

// unchanged is the precondition that no other process has committed since rev.
func (s *Store) unchanged(rev int64) []clientv3.Cmp {
	first, own := s.prefix+fences, s.prefix+s.fence.key
	return []clientv3.Cmp{
		clientv3.Compare(clientv3.ModRevision(first), "<", rev+1).WithRange(own),
		clientv3.Compare(clientv3.ModRevision(own+"\x00"), "<", rev+1).WithRange(clientv3.GetPrefixRangeEnd(first)),
	}
}

// patienceOfOne is how long one commit waits for its answer before its outcome is looked up.
const patienceOfOne = 5 * time.Second

// fenced commits ops if cmps hold, once, and knows the outcome: an answer that is lost is looked up until ctx ends.
func (s *Store) fenced(ctx context.Context, cmps []clientv3.Cmp, ops []clientv3.Op) (rev int64, done bool, err error) {
	batch, own := rand.Text(), s.prefix+s.fence.key
	renew, err := s.stamped(batch)
	if err != nil {
		return 0, false, err
	}
	cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(own), "=", s.fence.rev))
	brief, cancel := context.WithTimeout(ctx, patienceOfOne)
	got, err := s.client.Txn(brief).If(cmps...).Then(append(ops, renew)...).Else(clientv3.OpGet(own)).Commit()
	cancel()
	switch {
	case err == nil && got.Succeeded:
		s.fence.rev = got.Header.Revision
		return s.fence.rev, true, nil
	case err == nil:
		s.fence.rev = 0
		if kvs := got.Responses[0].GetResponseRange().Kvs; len(kvs) > 0 {
			s.fence.rev = kvs[0].ModRevision
		}
		return got.Header.Revision, false, nil
	case refusedByEtcd(err):
		return 0, false, err
	}
	s.log.Warn("a commit was not answered: its outcome is looked up", "error", err)
	return s.lookUp(ctx, batch)
}

// lookUp finds out whether a batch was committed, and makes sure that it is not after that.
func (s *Store) lookUp(ctx context.Context, batch string) (rev int64, done bool, err error) {
	own, mine := s.prefix+s.fence.key, map[string]bool{}
	for pause := minPause; sleep(ctx, pause); pause = min(2*pause, maxPause) {
		question := rand.Text()
		mine[question] = true
		renew, err := s.stamped(question)
		if err != nil {
			return 0, false, err
		}
		brief, cancel := context.WithTimeout(ctx, patienceOfOne)
		got, err := s.client.Txn(brief).If(clientv3.Compare(clientv3.ModRevision(own), "=",
			s.fence.rev)).Then(renew).Else(clientv3.OpGet(own)).Commit()
		cancel()
		if err != nil {
			s.log.Warn("etcd does not say what became of a commit: asked again", "error", err, "pause", pause)
			continue
		}
		if got.Succeeded { // it had not come, and now cannot
			s.fence.rev = got.Header.Revision
			return s.fence.rev, false, nil
		}
		kvs := got.Responses[0].GetResponseRange().Kvs
		if len(kvs) == 0 {
			s.fence.rev = 0
			return 0, false, errors.New("the outcome of a commit is unknown: its fence is gone")
		}
		s.fence.rev = kvs[0].ModRevision
		var left stamp
		if err := json.Unmarshal(kvs[0].Value, &left); err != nil || left.Batch != batch && !mine[left.Batch] {
			return 0, false, errors.New("the outcome of a commit is unknown: its fence is another's")
		}
		return s.fence.rev, left.Batch == batch, nil
	}
	return 0, false, context.Cause(ctx)
}

// refusedByEtcd says whether an error means that surely nothing was written.
func refusedByEtcd(err error) bool {
	for _, known := range []error{
		rpctypes.ErrNoSpace, rpctypes.ErrRequestTooLarge, rpctypes.ErrTooManyOps, rpctypes.ErrPermissionDenied,
		rpctypes.ErrAuthFailed, rpctypes.ErrInvalidAuthToken,
	} {
		if errors.Is(err, known) || err.Error() == known.Error() {
			return true
		}
	}
	return false
}

// dropOldFences removes those that nobody renews any more.
func (s *Store) dropOldFences(ctx context.Context) error {
	got, err := s.client.Get(ctx, s.prefix+fences, clientv3.WithPrefix())
	if err != nil {
		return err
	}
	for _, kv := range got.Kvs {
		var left stamp
		if json.Unmarshal(kv.Value, &left) == nil && time.Since(left.At) < fencesKept {
			continue
		}
		_, err := s.client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(string(kv.Key)), "=",
			kv.ModRevision)).Then(clientv3.OpDelete(string(kv.Key))).Commit()
		if err != nil {
			return err
		}
	}
	return nil
}
