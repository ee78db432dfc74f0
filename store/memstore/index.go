package memstore

// index finds refs by a hash: open addressing with linear probing. A slot is the hash's upper part and a ref in 8 bytes, zero if free.
// Whoever looks compares the ids behind the refs whose hash fits.
type index struct {
	slots []uint64
	count int
}

const (
	tagBits    = 64 - refBits
	leastSlots = 16
)

// tag is the part of a hash that the index uses.
func tag(hash uint64) uint64 { return hash & (1<<tagBits - 1) }

func slot(tag uint64, r ref) uint64 { return tag<<refBits | uint64(r) }

func slotRef(s uint64) ref { return ref(s & (1<<refBits - 1)) }

// home is where the search for a slot's tag begins.
func (x *index) home(tag uint64) int { return int(tag) & (len(x.slots) - 1) }

func (x *index) next(i int) int { return (i + 1) & (len(x.slots) - 1) }

func (x *index) add(tag uint64, r ref) {
	if 16*(x.count+1) > 13*len(x.slots) {
		x.resize(max(2*len(x.slots), leastSlots))
	}
	x.place(slot(tag, r))
	x.count++
}

func (x *index) place(s uint64) {
	i := x.home(s >> refBits)
	for x.slots[i] != 0 {
		i = x.next(i)
	}
	x.slots[i] = s
}

// remove takes the slot out and moves what follows it closer to its home, so that no search ends at the gap.
func (x *index) remove(tag uint64, r ref) {
	i := x.home(tag)
	for x.slots[i] != slot(tag, r) {
		i = x.next(i)
	}
	for j := x.next(i); x.slots[j] != 0; j = x.next(j) {
		fromHome := (j - x.home(x.slots[j]>>refBits)) & (len(x.slots) - 1)
		fromGap := (j - i) & (len(x.slots) - 1)
		if fromHome >= fromGap {
			x.slots[i] = x.slots[j]
			i = j
		}
	}
	x.slots[i] = 0
	x.count--
	if len(x.slots) > leastSlots && 8*x.count < len(x.slots) {
		x.resize(len(x.slots) / 2)
	}
}

func (x *index) resize(n int) {
	old := x.slots
	x.slots = make([]uint64, n)
	for _, s := range old {
		if s != 0 {
			x.place(s)
		}
	}
}
