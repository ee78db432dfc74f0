// Package redistest starts throw-away Redis servers: real ones, from the binaries that are installed, each with a folder of its own.
//
// [Own] and [Shared] give a test one server, [OwnCluster] three that share the slots, [OwnSentinel] a master with a replica and a sentinel that watches both.
// Programs use [Start] and [Server.Close]. A package whose tests share a server has
//
//	func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }
//
// Where Redis is missing, tests are skipped, and fail if the environment says CI=true: "make services" installs it. A server never outlives its process: on
// Linux the kernel kills it when the process dies. Root starts it as the user redis or nobody.
package redistest
