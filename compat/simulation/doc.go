// Package simulation runs clients, a network, two servers and one store in virtual time, lets all of them fail, and checks each history
// with porcupine. It is tests only; docs/simulation.md tells what is simulated and how a seed is repeated.
//
// The code under test is the product's, end to end: oncehttp.Client, net/http's transport and server over connections in memory, the
// middleware, a guard in each server, the memory store. What is ours is what lies between them:
//
//	events_test.go    the one queue through which everything goes that leaves a process
//	dice_test.go      what decides: the seed, who asks, and how often it has asked
//	wire_test.go      connections; network_test.go loses, delays, cuts and copies what they carry
//	link_test.go      a server's connection to the store; oracle_test.go watches the store's side of it
//	process_test.go   servers that crash, stall and close; fleet_test.go starts them again; handler_test.go is what they serve
//	ledger_test.go    the effects, which it does not deduplicate
//	client_test.go    clients; overheard_test.go listens to what copies are answered
//	operator_test.go  settles what is unknown, by looking into the ledger
//	world_test.go     puts a run together from its seed
//	model_test.go     what a history must be like; rejected_test.go the histories that must not pass
//	report_test.go    what is printed of a run that fails; everything_test.go what has to be seen
//	broken_test.go    systems that are wrong, which have to be found; naive_test.go has those that take more than a line
package simulation
