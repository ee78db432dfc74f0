// Package demo shows what the project is for: a bank, transfers that must happen once, and a network that loses replies.
// The same transfers meet the same faults twice, first with retries as people write them, then with onceward.
//
//	client ─► faults.Network + reverse proxy ─► bank ─► ledger
//
// Everything runs in this process, over loopback sockets. What happened is counted in the bank's ledger, which does not
// deduplicate. [Run] makes a [Report]; [Report.Verdict] judges it and [Report.Text] prints it.
//
// [RunCrash] is the other form: bank and onceward proxy are processes of their own, which are killed.
package demo
