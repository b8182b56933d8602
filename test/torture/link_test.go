package torture

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// link is the way from a server to its etcd, which can be cut, held, and made deaf.
type link struct {
	to string
	l  net.Listener

	mu    sync.Mutex
	turn  *sync.Cond // state has changed
	state linkState
	ends  map[net.Conn]struct{} // both of each connection
	over  bool
}

// linkState is what becomes of what is sent.
type linkState string

const (
	whole linkState = "whole"
	cut   linkState = "links cut"  // every connection is reset, and none is taken
	held  linkState = "links held" // nothing passes, and nobody is told
	deaf  linkState = "links deaf" // what is asked arrives, and no answer does
)

func newLink(t testing.TB, to string) *link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &link{to: to, l: l, state: whole, ends: map[net.Conn]struct{}{}}
	k.turn = sync.NewCond(&k.mu)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { k.carry(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		k.mu.Lock()
		k.over = true
		k.reset()
		k.mu.Unlock()
		wg.Wait()
	})
	return k
}

// carry takes one connection there and back.
func (k *link) carry(c net.Conn) {
	there, err := net.Dial("tcp", k.to)
	if err != nil {
		c.Close()
		return
	}
	k.mu.Lock()
	if k.state == cut || k.over {
		k.mu.Unlock()
		c.Close()
		there.Close()
		return
	}
	k.ends[c], k.ends[there] = struct{}{}, struct{}{}
	k.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { k.pass(there, c, held) })
	both.Go(func() { k.pass(c, there, held, deaf) })
	both.Wait()
	k.mu.Lock()
	delete(k.ends, c)
	delete(k.ends, there)
	k.mu.Unlock()
}

// pass takes what is sent one way, but for the states in which it waits.
func (k *link) pass(to, from net.Conn, waits ...linkState) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		k.mu.Lock()
		for waiting := true; waiting && !k.over; {
			waiting = false
			for _, w := range waits {
				waiting = waiting || w == k.state
			}
			if waiting {
				k.turn.Wait()
			}
		}
		k.mu.Unlock()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err == io.EOF || err != nil {
			return
		}
	}
}

// reset ends every connection as a machine does that has lost its memory. mu is held.
func (k *link) reset() {
	for c := range k.ends {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	k.turn.Broadcast()
}

// become changes what becomes of what is sent from now on. What has been waiting while it was deaf is lost with the
// connections.
func (k *link) become(s linkState) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s == cut || k.state == deaf {
		k.reset()
	}
	k.state = s
	k.turn.Broadcast()
}

// harm does one of it for a moment, which now and then outlasts the patience of the one who waits for an answer.
func (k *link) harm(r *rand.Rand, await func(time.Duration)) (string, int) {
	s := []linkState{cut, held, deaf}[r.IntN(3)]
	most := 600 * time.Millisecond
	if r.IntN(12) == 0 {
		most = 12 * time.Second
	}
	k.become(s)
	await(time.Duration(r.Int64N(int64(most))))
	k.become(whole)
	return string(s), 1
}
