// Package pebblestore keeps the deduplication table in a directory of one process, with no server: on Pebble, a log-structured store.
//
// A claim and a reply are on the disk before they are answered; many callers share one fsync. One process holds the directory.
//
// # How it is built
//
// A record stands in a bucket of its service, and its key begins with the bucket: for a stamped key the bucket of its stamp, so that one
// probe finds it; for another the bucket that was current at its first claim, of which there are about two dozen to probe. A bucket
// holds done records that end at about the same time. When all of them are over, what is still open moves to the attic, some at a time;
// then one atomic and synced write raises the service's watermark to the newest stamp that leaves, and removes the bucket. Its tables are
// cut out of the files (Excise): a million records go in the time of one, and the disk gets its space back. Records that would stay much
// longer, or shorter, than their bucket are completed into the attic, which is probed after the buckets and purged record by record.
//
//	s name                  number of the service
//	b service kind bucket   a live bucket: its width, when it ends
//	c service kind bucket   how many done records it holds, and their bytes: merged, never read on the way
//	r service stamp id      record of a stamped key
//	u service bucket id     record of an unstamped key
//	a service id            record in the attic
//	d purge service id      done record in the attic, by the end of its time
//	o lease service id      claimed record, by the end of its lease
//	p lease service id      started record, by the end of its lease: up to now the unknown ones
//	m id token              mark against a released token
//	t number                entry of the trail
//	w service               watermark
//	z service kind          the newest bucket that was ever removed; nothing is put there again
//	x service kind bucket   removed, but not cut out yet
//
// Each step holds a lock of its record's stripe from the read to the synced write, so nobody is answered from what is not on the disk.
// Seal and Purge hold the service's gate, which every step passes.
package pebblestore
