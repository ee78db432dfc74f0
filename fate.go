package onceward

import (
	"errors"
	"fmt"
)

// Fate is what a caller knows of an operation in the end.
type Fate uint8

// The fates. The zero value is the honest one.
const (
	Unknown     Fate = iota // it may or may not have taken effect: send the same operation again, or ask
	NotExecuted             // it has not taken effect and will not
	Executed                // it has been carried out; the reply, where there is one, is the answer
)

var fateNames = [...]string{Unknown: "unknown", NotExecuted: "not executed", Executed: "executed"}

// String names the fate.
func (f Fate) String() string {
	if int(f) < len(fateNames) {
		return fateNames[f]
	}
	return fmt.Sprintf("fate(%d)", uint8(f))
}

// FateOf reads the fate off an error: nil is Executed, an error that has a Fate method anywhere in its tree says it itself,
// and of any other error nothing is known.
func FateOf(err error) Fate {
	if err == nil {
		return Executed
	}
	var told interface {
		error
		Fate() Fate
	}
	if errors.As(err, &told) {
		return told.Fate()
	}
	return Unknown
}
