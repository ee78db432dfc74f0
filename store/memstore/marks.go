package memstore

import "github.com/onceward/onceward/store"

// markKey names a released token. The id is part of it, because a token is a proof for one record only.
type markKey struct {
	id    store.ID
	token store.Token
}

// marks are the released tokens of one shard, each alive through a time.
type marks struct {
	until map[markKey]store.Time
	over  heap[markKey]
}

// alive reports whether there is a mark at now.
func (m *marks) alive(id store.ID, t store.Token, now store.Time) bool {
	if len(m.until) == 0 {
		return false
	}
	until, ok := m.until[markKey{id, t}]
	return ok && now <= until
}

// add makes the mark or prolongs it, and returns how many marks there are more.
func (m *marks) add(id store.ID, t store.Token, until store.Time) int64 {
	k := markKey{id, t}
	old, ok := m.until[k]
	switch {
	case ok && until <= old:
		return 0
	case m.until == nil:
		m.until = make(map[markKey]store.Time)
	}
	m.until[k] = until
	if ok {
		return 0 // on the heap already; expire finds the later time
	}
	m.over.push(until, k)
	return 1
}

// expire removes at most limit marks that are over at now, and returns how many.
func (m *marks) expire(now store.Time, limit int) int64 {
	var n int64
	for range limit {
		if !m.over.dueBy(now - 1) {
			break
		}
		k := m.over.pop().what
		if until := m.until[k]; until >= now {
			m.over.push(until, k)
			continue
		}
		delete(m.until, k)
		n++
	}
	if len(m.until) == 0 {
		m.until = nil // a map keeps the memory of its largest size
	}
	return n
}
