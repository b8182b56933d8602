package store

import "iter"

// maxReads is how many keys a transaction's reads are told apart by. One that reads more depends on everything.
const maxReads = 256

// Overlay is a transaction in the making: a snapshot, what was read of it, and what is to be written.
type Overlay struct {
	Snapshot
	Reads  map[string]int64    // key to the revision seen; 0 for absent
	Writes map[string][]byte   // nil value: delete
	Ranges map[string]struct{} // prefixes that were looked through
	Terms  map[string]struct{} // index terms that were looked through
	// All says that more was read than Reads, Ranges and Terms tell: only an unchanged state will do.
	All bool
}

// NewOverlay begins a transaction on a snapshot.
func NewOverlay(s Snapshot) *Overlay {
	return &Overlay{
		Snapshot: s, Reads: map[string]int64{}, Writes: map[string][]byte{}, Ranges: map[string]struct{}{},
		Terms: map[string]struct{}{},
	}
}

// Get reads through the transaction's own writes.
func (o *Overlay) Get(key string) *Item {
	if v, ok := o.Writes[key]; ok {
		if v == nil {
			return nil
		}
		return &Item{Key: key, Value: v}
	}
	return o.read(key)
}

func (o *Overlay) read(key string) *Item {
	it := o.Snapshot.Get(key)
	if it == nil {
		o.Reads[key] = 0
	} else {
		o.Reads[key] = it.Rev
	}
	return it
}

// Range also makes what the prefix holds, and what it does not, a precondition.
func (o *Overlay) Range(prefix string) iter.Seq[*Item] {
	o.Ranges[prefix] = struct{}{}
	return o.noted(o.Snapshot.Range(prefix))
}

// Indexed also makes what the term is given to, and what not, a precondition.
func (o *Overlay) Indexed(term string) iter.Seq[*Item] {
	o.Terms[term] = struct{}{}
	return o.noted(o.Snapshot.Indexed(term))
}

// noted remembers the items that a loop came to.
func (o *Overlay) noted(items iter.Seq[*Item]) iter.Seq[*Item] {
	return func(yield func(*Item) bool) {
		for it := range items {
			if len(o.Reads) < maxReads {
				o.Reads[it.Key] = it.Rev
			} else {
				o.All = true
			}
			if !yield(it) {
				return
			}
		}
	}
}

// Put also makes the key's present revision a precondition: nobody's change is written over unseen.
func (o *Overlay) Put(key string, value []byte) {
	if _, seen := o.Reads[key]; !seen {
		o.read(key)
	}
	o.Writes[key] = value
}

// Delete is Put of nothing.
func (o *Overlay) Delete(key string) { o.Put(key, nil) }
