// Package pgstore keeps the deduplication table in PostgreSQL; it is tested with version 15.
//
// [NewTransactor] makes a [Transactor], for operations whose effects are in this database: effect, record and reply are committed in one transaction, exactly
// once. [New] opens a [Store], for operations whose effects are outside of it: a guard claims, starts and completes. The tables are made by
// [Migrate], or by one's own migration tool from [Migrations]; [Grants] has the least privileges that a role needs. README.md has a whole program.
//
// # How a step is one atomic moment
//
// Every step on a record runs in a transaction at READ COMMITTED that first takes an advisory lock on the id, because an absent record has no row to
// lock, and a shared one on the service. Only then, in a statement of its own, it reads record, watermark, mark and clock: a statement sees what was
// committed before it began, so one that locked and read would not see what it waited for. The pure functions of package store decide. A process that
// stalls in between keeps nobody waiting for long: the server ends a transaction that its client leaves alone for five seconds.
//
// The two steps of every new operation take one round trip each: a claim that creates, and an owner's complete, restate the functions in one
// SQL statement. Where such a statement finds anything else it changes nothing, and the functions decide.
//
// A purge removes records and raises the watermark in one commit, and everybody reads the two in one snapshot: nobody sees a record gone
// and its key admissible.
//
// [Partition] lays the table out by the time at which keys were minted, and a [Maintainer] drops partitions that are over. README.md says when that pays.
//
// # How a transaction is exactly once
//
// The first flight begins it, takes the advisory lock on the id, and reads record, watermark and clock in a statement of its own; the last one inserts the
// finished record and commits. The last write raises unless it writes exactly one row in the transaction that was begun, for COMMIT is on its way behind
// it. The lock makes duplicates wait; the index decides. After any error, a lost answer to COMMIT first of all, the record is read again behind the lock, which a
// transaction that is still alive somewhere would hold: what is read then is final.
package pgstore
