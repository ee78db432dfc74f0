package simulation

// What has to happen, or the simulation has gone blind: each fault, each verdict of the store, each way in which something can end. A line is what the
// simulation says when it sees it.

// often is to be seen in 500 seeds.
const often = `
client: restarts
client: sends under a new key
decision: cancel applied
decision: cancel in flight
decision: cancel replay
decision: cancel unknown
decision: did not happen applied
decision: happened applied
decision: release claim applied
end: answered
end: executed, the reply is gone
end: found as not executed
end: not executed, say its answers
end: not executed, says the record
end: unknown
end: unknown, says the record
error: retry: the attempt took too long
error: retry: the connection failed, and the request may have arrived
error: retry: the request was not sent
error: the key belongs to another request
error: the key is minted in the future
fate: executed
fate: not executed
fate: unknown
handler: answers 500
handler: answers at length
handler: asks to come later
handler: fails after
handler: fails before
handler: flushes
handler: goes on after its reply
handler: its limit is over
handler: panics after
handler: panics before
handler: rejects
handler: says no effect
handler: start refused
handler: works for longer than the lease
ledger: reply lost
licence: taken over under Rerun, and doubted
licence: unstamped, and its window is over
network: connection refused
network: copy answered
network: copy delivered
network: copy held for longer than the window
network: late
network: reply arrives, reset
network: reply cut
network: reply lost
network: reply reset
network: request arrives, reset
network: request cut
network: request lost
network: request reset
no licence: doubted, with child keys
operator: attests
operator: decides although the owner may still act
overheard: answered
overheard: executed, the reply is gone
overheard: found as not executed
overheard: unknown, says the record
server: closes
server: crashes
server: stalls
step: complete applied
step: extend applied
step: extend lapsed
step: extend lost
step: release applied
step: release lost
step: release yielded
step: start applied
step: start lost
step: yield applied
step: yield lost
store: hangs
store: late
store: purged
store: refused
store: reply lost
store: twice
verdict: expired
verdict: from the future
verdict: granted
verdict: in flight
verdict: mismatch
verdict: replay
verdict: stale
verdict: taken over
verdict: unknown
`

// seldom is to be seen in 3000.
const seldom = `
client: not executed, though the network has copies
decision: cancel from the future
decision: happened in flight
error: retry: the reply broke off
error: the operation is still in progress
overheard: not executed, says the record
step: complete lost
store: the clock has jumped
verdict: dead
`
