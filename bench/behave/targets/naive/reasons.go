package naive

// Setup says how the target is configured.
const Setup = "Not a product: the technique that most articles teach, written by us in 60 lines. `SET key NX EX 86400` before the handler, a 409 for whoever comes later, " +
	"`DEL key` if the handler fails; two servers share the table."

// Reasons says why it fails what it fails.
func Reasons() map[string]string {
	const noReply = "no reply is kept: whoever retries is told “duplicate”, and never what became of the first send"
	const failureFrees = "a failure frees the key, whatever the handler did before it failed"
	reasons := map[string]string{
		"two-servers":    "the second server knows that the key is taken, and has no reply either",
		"outlives-lease": "the claim's time to live ends while the handler is at work",
		"own-operation":  "the key alone is claimed: one caller's key refuses the other's operation",
		"quoted":         "the header is taken as it stands",
		"joined-headers": "the header is taken as it stands, and the first of several",
	}
	for _, name := range []string{"retry", "after-concurrent", "hang-up", "hang-up-with-waiter", "reply-lost", "hang-up-in-stream"} {
		reasons[name] = noReply
	}
	for _, name := range []string{"panic", "server-error", "unavailable", "declined"} {
		reasons[name] = failureFrees
	}
	return reasons
}
