package pgstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward/store"
)

const readCommitted = pgx.ReadCommitted

// session is a connection in a transaction that holds the lock of one record. Its methods bound themselves.
type session interface {
	context(ctx context.Context) context.Context // for the function: has the transaction
	end()                                        // the function has ended: it loses the transaction
	state() (txState, error)                     // with the error that aborted it, if known

	// finish writes the finished record, in place of old if there was one, and commits, in one flight that raises unless it writes exactly
	// one row in the transaction that open began: [ErrEnded].
	finish(old, done store.Record, k keeping) error

	// undo rolls back, after a look at whether it is still the transaction that open began: [ErrEnded].
	// Where the transaction was aborted or lost nobody can look, and the lock may have been another's meanwhile: checked is false.
	undo() (checked bool, err error)

	// remember writes a finished record if it is absent and its key admissible, after undo, in one flight. It returns what was found before.
	remember(q entry, old, done store.Record, k keeping) (f found, made bool, err error)

	origin() origin // of the transaction
	drop()          // rolls back what is open and gives the connection back
}

// entry is what a transaction begins with.
type entry struct {
	who       store.Identity
	isolation pgx.TxIsoLevel
	wait      time.Duration // for the lock
	after     origin        // of a transaction: has it been committed? zero: there was none
	idle      time.Duration // after which the server ends a transaction that its client has left alone
}

func (p *pass) entry(isolation pgx.TxIsoLevel, wait time.Duration) entry {
	return entry{p.who, isolation, wait, origin{}, p.e.config.HandlerLimit + p.e.config.SaveLimit}
}

// origin tells a transaction from all others: its number, when it began and when its server did, in microseconds.
type origin struct{ number, began, server int64 }

func (o origin) args() []any {
	return []any{orNull(store.Time(o.number)), orNull(store.Time(o.began)), orNull(store.Time(o.server))}
}

// keeping is how long a record is kept.
type keeping struct{ window, guard time.Duration }

func (e *engine) keep() keeping { return keeping{e.config.Window, e.config.Skew} }

// txState is what has become of a transaction.
type txState uint8

const (
	txOpen    txState = iota
	txAborted         // by an error; it can only be rolled back
	txEnded           // by a COMMIT or ROLLBACK that is not ours
	txLost            // with its connection; what was not committed is rolled back
)

// SQLSTATEs that decide something.
const (
	lockNotAvailable = "55P03"
	uniqueViolation  = "23505"
	serialization    = "40001"
	deadlock         = "40P01"
	abortedTx        = "25P02"
	noStatement      = "26000" // a prepared statement was deallocated behind pgx's back
	stalePlan        = "0A000" // a prepared statement's tables were changed
	diskFull         = "53100"
	noPrivilege      = "42501"
	queryCanceled    = "57014" // by the session's statement_timeout, for example
	oddSquareRoot    = "2201F" // our own raise: another transaction than the one begun
	divisionByZero   = "22012" // our own raise: not exactly one row
)

// serverError is an error that the server itself has reported, in whatever driver's words.
type serverError interface {
	error
	SQLState() string
}

func isCode(err error, codes ...string) bool {
	var server serverError
	return errors.As(err, &server) && slices.Contains(codes, server.SQLState())
}

// isServers reports whether the server itself has said that a statement failed, and so that nothing of its transaction can have been committed.
func isServers(err error) bool {
	var server serverError
	return errors.As(err, &server)
}

// isLost reports whether the connection is gone, or was never there: it is open what became of the last flight.
func isLost(err error) bool {
	var server serverError
	if !errors.As(err, &server) {
		return err != nil
	}
	code := server.SQLState()
	return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "57P") || code == "25P03" || code == "25P04"
}

// mayRunAgain reports whether another attempt may do better. An aborted transaction counts: a function may have swallowed what aborted it. A
// function that has run out of time does not.
func mayRunAgain(err error) bool {
	switch {
	case err == nil, errors.Is(err, errCut), errors.Is(err, errTaken), errors.Is(err, errStale):
		return true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return false
	}
	return isLost(err) || isCode(err, serialization, deadlock, abortedTx)
}

var (
	errCut   = errors.New("pgstore: the answer to the commit was lost")
	errStale = errors.New("pgstore: a prepared statement has to be prepared again")
	errTaken = errors.New("pgstore: the record has been written by another transaction") // the index held
)
