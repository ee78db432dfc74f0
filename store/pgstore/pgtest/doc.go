// Package pgtest starts throw-away PostgreSQL servers: real ones, with a data directory of their own, from the binaries that are installed.
//
// A test package that needs one server, and a database for each test:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		pool := … pgtest.Shared(t).MustDatabase(t) …
//	}
//
// A test that kills or restarts its server takes one of its own with [Own]. Programs use [Start] and [Server.Close].
//
// Where PostgreSQL is missing, tests are skipped, and fail if the environment says CI=true: "make services" installs it.
//
// A server never outlives its process: it is stopped by [Main], by the test's cleanup or by Close, and on Linux the kernel stops it when the
// process dies. PostgreSQL refuses to run as root, so root starts it as the user postgres or nobody.
package pgtest
