package storetest

import "github.com/onceward/onceward/store"

// The situations from which cases begin. Each returns the record as the store answered it: its identity and token stand in it.

// claimed is a record that is Claimed with a long lease.
func (w *world) claimed(change ...claimOption) store.Record {
	w.Helper()
	return w.want(w.claim(w.key(), w.token(), change...), store.Granted)
}

// started is a record that is Started with a long lease.
func (w *world) started(change ...claimOption) store.Record {
	w.Helper()
	return w.claimed(append([]claimOption{straight}, change...)...)
}

// lapsed is a record that is Claimed and lapsed.
func (w *world) lapsed(change ...claimOption) store.Record {
	w.Helper()
	r := w.claimed(append([]claimOption{w.brief}, change...)...)
	w.lapse()
	return r
}

// unknown is a record that is Started and lapsed, under MarkUnknown unless changed.
func (w *world) unknown(change ...claimOption) store.Record {
	w.Helper()
	r := w.started(append([]claimOption{w.brief}, change...)...)
	w.lapse()
	return r
}

// unknownStamped is an unknown record of a key that was minted now.
func (w *world) unknownStamped() store.Record {
	w.Helper()
	r := w.want(w.claim(w.stamped(w.now()), w.token(), straight, w.brief), store.Granted)
	w.lapse()
	return r
}

// doubted is a record whose start was taken over, with a long lease.
func (w *world) doubted() store.Record {
	w.Helper()
	r := w.unknown(rerun)
	return w.want(w.claim(r.Identity, w.token(), straight, rerun), store.TakenOver)
}

// done is a record with the reply "paid".
func (w *world) done(change ...advanceOption) store.Record {
	w.Helper()
	return w.complete(w.key(), change...)
}

// complete takes a key from absent to Done.
func (w *world) complete(who store.Identity, change ...advanceOption) store.Record {
	w.Helper()
	r := w.want(w.claim(who, w.token(), straight), store.Granted)
	return w.want(w.advance(store.OpComplete, who, r.Token, change...), store.Applied)
}

// notExecuted is a record that an operator resolved as not happened, with the token of its late owner.
func (w *world) notExecuted() (r store.Record, late store.Token) {
	w.Helper()
	u := w.unknown()
	r = w.want(w.decide(store.DidNotHappen, u.Identity, w.token(), atVersion(u.Version)), store.Applied)
	return r, u.Token
}
