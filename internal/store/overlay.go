package store

// Overlay is a transaction in the making: a snapshot, what was read of it, and what is to be written.
type Overlay struct {
	Snapshot
	Reads  map[string]int64  // key to the revision seen; 0 for absent
	Writes map[string][]byte // nil value: delete
	Guards map[string]struct{}
}

// NewOverlay begins a transaction on a snapshot.
func NewOverlay(s Snapshot) *Overlay {
	return &Overlay{Snapshot: s, Reads: map[string]int64{}, Writes: map[string][]byte{}, Guards: map[string]struct{}{}}
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

// Put also makes the key's present revision a precondition: nobody's change is written over unseen.
func (o *Overlay) Put(key string, value []byte) {
	if _, seen := o.Reads[key]; !seen {
		o.read(key)
	}
	o.Writes[key] = value
}

// Delete is Put of nothing.
func (o *Overlay) Delete(key string) { o.Put(key, nil) }

// Guard remembers a prefix that must not gain or change a key.
func (o *Overlay) Guard(prefix string) { o.Guards[prefix] = struct{}{} }
