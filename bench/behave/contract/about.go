package contract

// About is what GET /behave answers: what a target is, and which of the optional parts it offers. A part that is missing makes the cases that
// need it not applicable.
type About struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Protocol string `json:"protocol,omitempty"`     // "onceward": the protocol of docs/protocol.md is to be tested too
	Lease    int    `json:"lease_ms,omitempty"`     // of /short: after how long an owner counts as dead; at most 1000
	Window   int    `json:"window_ms,omitempty"`    // of /short: for how long a key is remembered; at most 2000
	Twin     string `json:"twin,omitempty"`         // base URL of a second server on the same store and the same ledger
	Store    bool   `json:"store_switch,omitempty"` // POST /store works
	Restart  bool   `json:"restart,omitempty"`      // POST /restart works
}

// Paths of the contract.
const (
	PathAbout   = "/behave"
	PathLedger  = "/ledger"
	PathOpen    = "/open"
	PathStore   = "/store"
	PathRestart = "/restart"

	PathEffect = "/effect"       // guarded, in the target's best configuration
	PathOther  = "/effect/other" // the same
	PathShort  = "/short/effect" // guarded, with a short lease and a short window
	PathPlain  = "/plain/effect" // not guarded
)

// HeaderPrincipal says who calls. The target takes it as what authentication has established.
const HeaderPrincipal = "X-Principal"

// Entry is what GET /ledger?op=NAME answers.
type Entry struct {
	Runs    int `json:"runs"`    // how often the handler ran for this operation
	Effects int `json:"effects"` // how often it took effect
}
