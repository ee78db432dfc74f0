// Package onceward makes updates safe to send again: the same request, sent any number of times, takes effect once and gets the same
// reply, although replies get lost.
//
// A client mints one unique key per operation and sends it with every try. A server claims the key in a deduplication table before it
// works, saves its reply there, and only then answers; a repeated call gets the saved reply. [Guard] is the server half over any
// [github.com/onceward/onceward/store.Store]; package oncehttp has the HTTP middleware and the client; [Do] guards plain functions.
//
// # What is promised
//
// An owner that crashes or stalls after it has started leaves a record of which nobody can tell whether it took effect. [MarkUnknown] holds it as unknown:
// at most once. [Rerun] runs it again: at least once. [Guard.Guarantee] prints what holds for a store and a configuration, and what weakens it.
//
// # Words
//
// An operation is one logical thing that must take effect once; a call is one send of it. The scope says for which service and on whose behalf. The fingerprint
// says what makes two requests the same. A claim is taking a record to work on it; its token proves that it is still ours; its lease says until when nobody may suspect its
// owner. A replay is a saved reply given again. The window is how long a key is remembered. The fate is what a client knows in the end: [Executed], [NotExecuted] or [Unknown].
package onceward
