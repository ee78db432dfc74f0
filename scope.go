package onceward

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/onceward/onceward/store"
)

// Scope says whose a key is: the same key in another scope is another operation. A request whose scope is faulty is not executed:
// without a scope one caller would get another's reply.
type Scope struct {
	Service   string // the guarded service: a constant, never derived from the request
	Principal string // who calls: an identity, never a credential, which may be refreshed between two sends
}

// Validate reports every fault at once: a field that is empty (ErrScopeEmpty), longer than store.MaxName bytes or not UTF-8 (ErrScopeInvalid).
// The error does not hold the values.
func (s Scope) Validate() error {
	if plainName(s.Service) && plainName(s.Principal) {
		return nil
	}
	return errors.Join(
		validateName("Service", s.Service, "name the guarded service"),
		validateName("Principal", s.Principal, "name who calls; authenticate before the key is looked at"),
	)
}

// plainName answers for almost all names without looking at them twice.
func plainName(name string) bool {
	return name != "" && len(name) <= store.MaxName && utf8.ValidString(name)
}

func validateName(field, value, hint string) error {
	switch {
	case value == "":
		return fmt.Errorf("%w: %s is empty: %s", ErrScopeEmpty, field, hint)
	case len(value) > store.MaxName:
		return fmt.Errorf("%w: %s has %d bytes; use at most %d", ErrScopeInvalid, field, len(value), store.MaxName)
	case !utf8.ValidString(value):
		return fmt.Errorf("%w: %s is not UTF-8", ErrScopeInvalid, field)
	}
	return nil
}

// Identity returns the name of the operation k in this scope, for a store. The caller has validated s; k is not zero.
//
// Its ID is SHA-256 over service, principal and key, each after its length as 8 bytes, big-endian. It is stored: it never changes.
func (s Scope) Identity(k Key) store.Identity {
	var room [512]byte
	b := appendField(room[:0], s.Service)
	b = appendField(b, s.Principal)
	b = appendField(b, k.text)
	identity := store.Identity{ID: sha256.Sum256(b), Service: s.Service, Principal: s.Principal, Key: k.text}
	if stamp, ok := k.Stamp(); ok {
		identity.Stamp = store.TimeOf(stamp)
	}
	return identity
}

// appendField appends text after its length as 8 bytes, big-endian, so that no two lists of fields give the same bytes.
func appendField(b []byte, text string) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(text)))
	return append(b, text...)
}
