package faults

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// identity is a hash of what Config.Identity said: short, and not the key.
type identity [16]byte

func newIdentity(name string) identity {
	sum := sha256.Sum256([]byte(name))
	return identity(sum[:16])
}

// String is enough to find an identity in a log.
func (id identity) String() string { return hex.EncodeToString(id[:6]) }

// planned is a fault that strikes, and how.
type planned struct {
	fault string
	strike
}

// plan decides what strikes the n-th arrival of id, in the order in which the request meets it. It depends on nothing else.
func plan(seed uint64, faults []Fault, id identity, n uint64) []planned {
	var hits []planned
	left, ended := 1.0, false // left: the probability that none of the ending faults before this one struck
	for _, f := range faults {
		p := f.probability
		if f.place == placeEnd {
			// They exclude each other, so the later ones are asked more rarely. Dividing by that gives each of them the rate
			// that it was given.
			p, left = share(p, left), left-p
			if ended {
				continue
			}
		}
		draw := newDraw(seed, id, n, f.name)
		if draw.Float64() >= p {
			continue
		}
		ended = ended || f.place == placeEnd
		hits = append(hits, planned{f.name, f.plan(draw)})
	}
	return hits
}

// share is p divided by what is left, safe against rounding.
func share(p, left float64) float64 {
	switch {
	case p == 0:
		return 0
	case p >= left:
		return 1
	}
	return p / left
}

// newDraw returns the random source of one decision. All fields but the last have a fixed length, so no two decisions share one.
func newDraw(seed uint64, id identity, n uint64, fault string) *rand.Rand {
	b := binary.BigEndian.AppendUint64(nil, seed)
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint64(b, n)
	b = append(b, fault...)
	sum := sha256.Sum256(b)
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16])))
}
