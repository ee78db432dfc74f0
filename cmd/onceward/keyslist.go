package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/onceward/onceward/cmd/onceward/internal/adminapi"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
)

// listing is what a command line asks for.
type listing struct {
	desk

	state, service, principal, cursor string
	olderThan                         time.Duration
	limit                             int
	all                               bool
}

// newKeysList lists operations, problems first. The server pages by its indices; nothing is scanned.
func newKeysList() *cobra.Command {
	var l listing
	cmd := newKeysCommand(&cobra.Command{
		Use:   "list",
		Short: "List operations: the unknown ones, then those at work",
		Long: `Lists operations, the oldest first: those that are unknown, then those that are open. Text has one operation a line, by its id; json and jsonl have
all that is known of it, with its key.`,
		Example: `  onceward keys list
  onceward keys list --state unknown --principal alice --older-than 1h
  onceward keys list --state unknown --all -o jsonl`,
	}, &l.desk, l.run)
	flags := cmd.Flags()
	flags.StringVar(&l.state, "state", "", "`state`: unknown, open (claimed or started) or, where the store lists them, done (default the unknown, then the open)")
	flags.StringVar(&l.service, "service", "", "`name` of the guarded service (default all)")
	flags.StringVar(&l.principal, "principal", "", "`name` of who called (default all)")
	flags.DurationVar(&l.olderThan, "older-than", 0, "`time` since it first came, by the store's clock, like 1h30m")
	flags.IntVar(&l.limit, "limit", 100, "operations at most")
	flags.BoolVar(&l.all, "all", false, "all of them, whatever the limit")
	flags.StringVar(&l.cursor, "cursor", "", "`place` where a list went on, of the same filters")
	return cmd
}

func (l *listing) asked(args []string) error {
	var faults []error
	if len(args) > 0 {
		faults = append(faults, errors.New("an argument too many: list has filters, and keys show has an id"))
	}
	switch l.state {
	case "", store.ClassUnknown.String(), store.ClassOpen.String(), store.ClassDone.String():
	default:
		faults = append(faults, fmt.Errorf("--state is %q: use unknown, open or done", l.state))
	}
	if l.limit < 1 {
		faults = append(faults, fmt.Errorf("--limit is %d: it must be at least 1", l.limit))
	}
	if l.olderThan < 0 {
		faults = append(faults, fmt.Errorf("--older-than is %v: it must not be negative", l.olderThan))
	}
	return joined(faults)
}

func (l *listing) run(cmd *cobra.Command, args []string) error {
	if err := l.asked(args); err != nil {
		return wrong(err)
	}
	f := adminapi.Filter{Class: l.state, Service: l.service, Principal: l.principal, Cursor: l.cursor}
	if l.olderThan > 0 {
		now, err := l.client.Now(cmd.Context())
		if err != nil {
			return err
		}
		f.Before = now.Add(-l.olderThan)
	}
	all := oncehttp.AdminPage{Records: []oncehttp.AdminRecord{}}
	for left := l.limit; ; {
		if f.Limit = store.MaxPage; !l.all {
			f.Limit = min(left, store.MaxPage)
		}
		page, err := l.client.Page(cmd.Context(), f)
		if err != nil {
			return err
		}
		all.Now, all.Next, f.Cursor = page.Now, page.Next, page.Next
		if l.out.format == formatJSON {
			all.Records = append(all.Records, page.Records...)
		} else if err := l.out.records(page); err != nil {
			return err
		}
		left -= len(page.Records)
		if page.Next == "" || left <= 0 && !l.all {
			break
		}
	}
	return l.end(cmd, all)
}

// end says on stderr what a list of lines does not say of itself.
func (l *listing) end(cmd *cobra.Command, all oncehttp.AdminPage) error {
	if l.out.format == formatJSON {
		return l.out.document(all)
	}
	if all.Next != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "there may be more: --all, a larger --limit, or --cursor %s\n", plain(all.Next))
	}
	if l.out.format == formatText && l.out.lines == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "no such operations")
	}
	return nil
}
