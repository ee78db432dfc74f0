// Package memstore keeps the deduplication table in the memory of one process.
//
// It is for tests and for services that may forget on a restart. It survives nothing: a process that comes back has an empty table
// and runs an old request again. Nothing is ever evicted to make room; a store that is full refuses new claims with
// [store.ErrFull], and goes on replaying and completing. Somebody must call [Store.Purge] from time to time – a guard does –
// or the store fills up.
//
// # How it is built
//
// Records are spread over 256 shards, each with a mutex of its own. Every step of a record happens under its shard's mutex: load,
// decide by the pure functions of package store, write.
//
// Open records stand in a map. Done records never change, so they are kept encoded, one behind the other in large chunks without
// pointers: the garbage collector has nothing to follow in a million replies, and a record with a reply of 1 KB takes about
// 1,240 bytes of heap, all included, when there are a million of them. Each chunk holds records of about the same remaining life, so that chunks empty as a whole. A heap of
// (purge time, place) tells what is due.
//
// Each shard has its own copy of every service's watermark. A purge takes the records that are due off the heaps, then raises the
// watermark in all shards, then removes the records, some hundred under one lock at a time: an absent record always has its watermark
// behind it, and no call waits long.
package memstore
