// Package store is for authors of stores: the contract that the deduplication table keeps, and the transitions
// of a record as pure functions.
//
// A store loads what a transition reads (an [Env] and the [Record]), calls [Claim], [Advance] or [Decide], and writes
// the [Step] that comes back, all in one atomic operation. Scripts and SQL that cannot call Go restate the functions and are
// held to them by package storetest. README.md in this folder tells how to add a store.
//
//	         claim                start                    complete
//	ABSENT ────────► CLAIMED(t) ─────────► STARTED(t) ────────────► DONE
//	  ▲               │   ▲ │ lapsed         │ lapsed = UNKNOWN        ▲
//	  │ release(t)    │   └─┘ takeover       └─ the late complete(t), or a decision
//	  └───────────────┘
//
// A lease gives liveness only. What keeps the promise is that every transition is one compare-and-set on state and token.
package store
