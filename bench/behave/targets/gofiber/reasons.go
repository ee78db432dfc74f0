package gofiber

// Setup says how the target is configured.
const Setup = "`fiber.New` with `BodyLimit` 32 MiB, which is also what the middleware stores of a reply; `recover` outside; `KeyHeader` Idempotency-Key; " +
	"`KeyHeaderValidate` that accepts 1 to 255 visible ASCII characters without quotes and commas, instead of 36 bytes of any kind; `Lifetime` 24 h; " +
	"`KeepResponseHeaders` all; replays marked by way of `idempotency.IsFromCache`. A `Storage` in memory that two servers share, each with the in-process " +
	"`Lock` that fiber ships. Handlers write their failures as replies, which are stored, except those without an effect, which they return as errors."

// Reasons says why it fails what it fails, from middleware/idempotency/idempotency.go of fiber v3.1.0.
func Reasons() map[string]string {
	const keyOnly = "a reply is stored and found under the key alone"
	const otherRequest = keyOnly + "; nothing of the request is compared"
	const otherCaller = keyOnly + "; there is no scope, unless a middleware in front rewrites the key"
	return map[string]string{
		"trailers":              "it reads the reply's stream into memory, and fasthttp sends trailers after a stream only; they are not stored either",
		"broken-off":            "it reads the reply's stream until it ends and stores that, whatever length was declared",
		"two-servers":           "the lock that fiber ships is in-process, and nothing is claimed in the storage before the handler runs; Config.Lock takes a distributed one of your own",
		"panic":                 "the panic unlocks the key and stores nothing, so the next send runs",
		"other-body":            otherRequest,
		"other-body-in-flight":  otherRequest,
		"other-query":           otherRequest,
		"other-path":            otherRequest,
		"other-method":          otherRequest,
		"no-leak":               otherCaller,
		"own-operation":         otherCaller,
		"anonymous":             otherCaller,
		"store-dies-in-handler": "a failed Set turns the finished operation into a 500, and nothing says that the handler ran",
	}
}
