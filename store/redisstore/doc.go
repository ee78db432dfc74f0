// Package redisstore keeps the deduplication table in Redis: fast, shared by many servers. It is tested with version 7.0, alone, in a Cluster and behind Sentinel.
// Other versions, and Valkey, are untested. README.md has a whole program, and says what Redis can promise and what it cannot.
//
// # How a step is one atomic moment
//
// Records are spread over shards. A shard's keys have one hash tag, so they share a slot: its records, its anchor, the index of open records by lease, the
// marks of released tokens, its part of the trail. Every step is one Lua script on one shard, which reads the server's clock, the anchor and the record, and
// restates the pure function of package store as far as it has to: whether something is written, and what. It answers what it found, from which the pure
// function computes the answer; the two are compared each time.
//
// A script that is sent twice finds its own work, by its token. So a lost answer is harmless, and a script cache that was flushed, or a master that has just been
// promoted, costs one flight more. The driver's own re-sends are off.
//
// # Why nothing is left to the server's expiry
//
// A record that the server expires is gone without its stamp being sealed, and a clock that is set back, or a window that is made longer, would admit its
// key again. So [Store.Purge] removes records, and raises the watermark in the same script. Done records stand in lists of ids by purge time, which take less
// memory than an expiry would: about 35 bytes each. The marks of released tokens do expire: their claims carry the same bound.
//
// # How a lost database is noticed
//
// Each shard has an anchor: a hash with the services' names, and a number that was drawn when the store was laid out, which stands beside each service's watermark as well. A script that does not find the number
// changes nothing and says so: who flushes the database, or promotes an empty replica, stops the service instead of making it run everything again. A process that
// starts on an empty database lays a store out, whose watermarks begin at that time: stamped keys from before are refused.
package redisstore
