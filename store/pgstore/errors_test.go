package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/onceward/onceward/store"
)

// What a person can do something about is named; only what was certainly not carried out is told as such.
func TestErrorsSayWhatToDo(t *testing.T) {
	for code, want := range map[string]struct {
		is   error
		text string
	}{
		"53100": {store.ErrFull, "disk"},
		"42P01": {ErrSchema, "onceward migrate postgres --apply"},
		"3F000": {ErrSchema, "pgstore.Migrate"},
		"42501": {ErrGrants, "pgstore.Grants"},
		"25006": {ErrReadOnly, "target_session_attrs=read-write"},
		"57P01": {nil, "claim"},
	} {
		cause := &pgconn.PgError{Code: code, Message: "words that nobody reads"}
		err := failed("claim", fmt.Errorf("wrapped: %w", cause))
		var server *pgconn.PgError
		if !errors.As(err, &server) || server != cause || want.is != nil && !errors.Is(err, want.is) || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %v; want %v and %q", code, err, want.is, want.text)
		}
		for _, certain := range []error{store.ErrFull, store.ErrClosed, store.ErrInvalid, store.ErrClock, store.ErrUnsupported} {
			if errors.Is(err, certain) && !errors.Is(want.is, certain) {
				t.Errorf("%s is told as %v", code, certain)
			}
		}
	}
	if err := failed("claim", context.DeadlineExceeded); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a deadline: %v", err)
	}
	if failed("claim", nil) != nil {
		t.Error("no error is one")
	}
}
