// Package examples holds whole programs around onceward, and clients in other languages. It is a module of its own and exports nothing.
//
// Folder payments is a small bank: transfers in PostgreSQL, payouts by a provider outside, and a walk through lost replies and killed processes:
//
//	go run ./examples/payments
//
// Folder python has a client on Python's standard library, written from docs/protocol.md, with a program that sends transfers by it:
//
//	onceward faults --upstream http://127.0.0.1:8080 --lose-reply 0.3
//	printf '{"amount": 5}\n' | python3 examples/python/transfers.py http://127.0.0.1:9000/transfers
//
// Folder sidecar has a service in Python that knows nothing of idempotency, behind the proxy.
//
// The tests of python and sidecar need a python3. Those of python compare it with the Go client, reply by reply and fate by fate, and run it under faults.
package examples
