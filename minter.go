package onceward

// Minter makes keys. Mint is safe for concurrent use if the clock and the source of randomness that it was given are.
//
// [TypeID] is the default, and the only one whose keys are stamped: they say when they were minted, so that a server that has
// forgotten a key can refuse it instead of running it again. Keys of the others carry the weaker promise that a late copy,
// sent after the server's window, runs again.
type Minter interface {
	Mint() (Key, error)
}

// NewKey mints a key of the default kind, as TypeID{}.Mint does. It fails only if the clock shows a time before 1970.
func NewKey() (Key, error) { return TypeID{}.Mint() }
