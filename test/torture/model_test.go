package torture

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// fact names something that the API says: an attribute of a thing.
type fact struct{ kind, id, name string }

func (f fact) String() string { return f.kind + " " + f.id + " " + f.name }

// model is what the callers know: for each fact the values that it may have. One value is acknowledged; a call whose answer was
// lost leaves two. A thing has one caller, who asks one thing at a time, so nothing else changes it.
type model struct {
	mu    sync.Mutex
	facts map[fact][]string
	ends  map[string]time.Time // of reservations
}

func newModel() *model { return &model{facts: map[fact][]string{}, ends: map[string]time.Time{}} }

// ending says when a reservation has its time.
func (m *model) ending(id string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ends[id] = at
}

// timely takes over which reservations have expired: those may whose time had come by the latest that the clock has shown.
func (m *model) timely(found map[fact]string, latest time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, at := range m.ends {
		f := fact{"reservation", id, "state"}
		if found[f] == "expired" && latest.After(at) && slices.Contains(m.facts[f], "active") {
			m.facts[f] = []string{"expired"}
		}
	}
}

// sure says that a fact has this value now.
func (m *model) sure(f fact, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.facts[f] = []string{value}
}

// perhaps says that a fact may have this value, or any it might have had.
func (m *model) perhaps(f fact, values ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range values {
		if !slices.Contains(m.facts[f], v) {
			m.facts[f] = append(m.facts[f], v)
		}
	}
}

// freed says that what a fact may name is there no more, or perhaps not.
func (m *model) freed(f fact, from string, o outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	may := m.facts[f]
	if o == refused || !slices.Contains(may, from) {
		return
	}
	if o == done {
		may = slices.DeleteFunc(may, func(v string) bool { return v == from })
	}
	if !slices.Contains(may, "") {
		may = append(may, "")
	}
	m.facts[f] = may
}

// tidied forgets instances that have ended and are not found: an hour after its end nobody is told of an instance, and
// a clock that is set makes an hour of a moment.
func (m *model) tidied(found map[fact]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gone := map[string]bool{}
	for f, may := range m.facts {
		if f.kind == "instance" && f.name == "state" && found[f] == "" && slices.Contains(may, "terminated") {
			gone[f.id] = true
		}
	}
	for f, may := range m.facts {
		switch {
		case f.kind == "instance" && gone[f.id]:
			delete(m.facts, f)
		case f.kind == "launch":
			for i, ids := range may {
				may[i] = strings.Join(slices.DeleteFunc(strings.Fields(ids), func(id string) bool { return gone[id] }), " ")
			}
		case f.name == "instance":
			for i, id := range may {
				if gone[id] {
					may[i] = ""
				}
			}
		}
	}
}

// may answers the values that a fact may have.
func (m *model) may(f fact) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.facts[f])
}

// is says whether a fact surely has the value.
func (m *model) is(f fact, value string) bool {
	may := m.may(f)
	return len(may) == 1 && may[0] == value
}

// compare holds what was found to the model, and takes it over: what was in doubt is known from then on.
// A fact of the model that was not found has the value "".
func (m *model) compare(found map[fact]string) (wrong []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for f, may := range m.facts {
		if got := found[f]; !slices.Contains(may, got) {
			wrong = append(wrong, fmt.Sprintf("%s is %q, and may be %q", f, got, may))
		} else {
			m.facts[f] = []string{got}
		}
	}
	for f, got := range found {
		if _, known := m.facts[f]; !known && got != "" {
			wrong = append(wrong, fmt.Sprintf("%s is %q, and nobody made it", f, got))
		}
	}
	slices.Sort(wrong)
	return wrong
}
