package pgstore

import (
	"context"
	"errors"
	"time"

	"github.com/onceward/onceward/store"
)

// link is a way to the database.
type link interface {
	// open takes a connection and sends the first flight: BEGIN, the lock, and behind it the record, watermark and clock. On an error nothing is left
	// open. If no connection was to be had, the error wraps errNoConnection; if the one that was had is closed, errBroken.
	open(ctx context.Context, q entry) (session, found, error)

	// hold writes an open record in place of old, if there was one, without the lock.
	hold(ctx context.Context, old, open store.Record) error

	size() int // most connections at a time
}

// errBroken is of a connection that turned out to be closed: nothing was begun on it.
var errBroken = errors.New("pgstore: the connection was closed")

var errNoConnection = errors.New("pgstore: no connection to the database")

// texts are what both ways to the database say, and how long they wait for an answer.
type texts struct {
	own     transactSQL
	sql     statements
	timeout time.Duration // of a round trip, and for a connection
	commit  time.Duration // of the last flight, which may have to wait for standbys
}

func newTexts(c TransactConfig, l layout) texts {
	return texts{newTransactSQL(c.Schema, c.clock, l), newStatements(c.Schema, c.clock, l), c.StoreTimeout, c.SaveLimit}
}
