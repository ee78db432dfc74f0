package onceward

import (
	"crypto/sha256"
	"fmt"
)

// MaxStep is the longest name of a step, in bytes.
const MaxStep = 255

// ChildKey returns the key for step of the operation parent: the key to send downstream, the same in every run of the operation.
// It is a pure function of its arguments; every step of an operation needs a name of its own.
//
// The child of a stamped key is a stamped key with its parent's time, so that it grows too old together with it: "once_" and a UUIDv7 with 74 bits
// of a SHA-256. The child of an unstamped key is unstamped: a UUIDv8 (RFC 9562 §5.8) of 122 bits of it. The hash is
// over service, principal, key and step, each after its length as 8 bytes, big-endian.
//
// The error is the scope's, ErrKeyMissing, or wraps ErrStepInvalid.
func ChildKey(scope Scope, parent Key, step string) (Key, error) {
	if err := scope.Validate(); err != nil {
		return Key{}, err
	}
	if parent.IsZero() {
		return Key{}, ErrKeyMissing
	}
	if step == "" || len(step) > MaxStep {
		return Key{}, fmt.Errorf("%w: it has %d bytes; use 1 to %d", ErrStepInvalid, len(step), MaxStep)
	}
	sum := childSum(scope, parent, step)
	u := uuid(sum[:16])
	stamp, stamped := parent.Stamp()
	if !stamped {
		u.brand(8)
		return Key{text: u.text()}, nil
	}
	u.setMillis(stamp.UnixMilli())
	u.brand(7)
	return typeIDKey(u), nil
}

func childSum(scope Scope, parent Key, step string) [32]byte {
	var room [768]byte
	b := appendField(room[:0], scope.Service)
	b = appendField(b, scope.Principal)
	b = appendField(b, parent.text)
	b = appendField(b, step)
	return sha256.Sum256(b)
}
