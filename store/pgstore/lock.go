package pgstore

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/onceward/onceward/store"
)

// Advisory locks, all of them until the end of the transaction. They order what cannot be a row's lock, because there is no row yet.
//
//	the id, 64 bits                 every step on the record of that id, and every transaction that will insert it
//	lockService, the service        shared by steps while they read the watermark and write; exclusive while it is raised
//	lockTrail                       numbers of the trail are committed in their order, so that a reader's cursor misses none
//	lockMigrate                     one migration at a time
//	lockFloor, the schema           of a partitioned table, shared by steps like lockService; exclusive while its floor is raised
//	lockPartitions, the schema      one maintainer of its partitions at a time; held by a session that is ended if it is idle; and by a layout
//
// Who takes several takes them in this order. Two ids, or services, with one lock make somebody wait, and no more: what is true stands in rows.
const (
	lockService int32 = 0x6f6e6365 + iota // "once": apart from the two-number locks of others
	lockTrail
	lockMigrate
	lockFloor
	lockPartitions
)

// idLock is the number under which the record of id is locked.
func idLock(id store.ID) int64 { return int64(binary.BigEndian.Uint64(id[:8])) }

// serviceLock is the second number, after lockService.
func serviceLock(service string) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(service)) // never fails
	return int32(h.Sum32())
}
