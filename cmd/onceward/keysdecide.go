package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onceward/onceward/cmd/onceward/internal/adminapi"
	"github.com/onceward/onceward/oncehttp"
)

// decision is what a command line decides about one operation.
type decision struct {
	desk
	naming

	reason  string
	version uint64
	yes     bool
}

func (d *decision) addTo(cmd *cobra.Command, versioned bool) {
	d.naming.addTo(cmd)
	flags := cmd.Flags()
	flags.StringVar(&d.reason, "reason", "", "why: `text` for the audit trail (required)")
	flags.BoolVar(&d.yes, "yes", false, "do not ask")
	if versioned {
		flags.Uint64Var(&d.version, "version", 0, "`version` of the record that was looked at; --yes requires it, otherwise it is the one that is shown")
	}
}

// kind is one way to settle an operation.
type kind struct {
	versioned bool
	fits      func(oncehttp.AdminRecord) bool // asked before a person is
	unfit     string
	question  string
	decide    func(context.Context, oncehttp.AdminRelease) (oncehttp.AdminDecision, error)
}

// asked reads what every decision has to say.
func (d *decision) asked(args []string, k kind) (who adminapi.Name, faults []error) {
	who, err := d.read(args)
	faults = append(faults, err)
	if strings.TrimSpace(d.reason) == "" {
		faults = append(faults, errors.New("--reason is missing: say why, for the audit trail"))
	}
	if k.versioned && d.yes && d.version == 0 {
		faults = append(faults, errors.New("--yes needs the --version that you looked at: keys show and keys list -o jsonl have it"))
	}
	return who, faults
}

// run shows the record, asks, and decides about what was shown: if it has changed since, the server refuses.
func (d *decision) run(cmd *cobra.Command, who adminapi.Name, k kind) error {
	shown, err := d.client.Show(cmd.Context(), who, false)
	if err != nil {
		return err
	}
	record := shown.Record
	version := record.Version
	if d.version != 0 {
		version = d.version
	}
	if !d.yes {
		notes := printer{format: formatText, w: cmd.ErrOrStderr()}
		if err := notes.showing(shown); err != nil {
			return err
		}
		switch {
		case !k.fits(record):
			return &adminapi.Failure{Kind: adminapi.Conflict, Detail: k.unfit + "; nothing was changed"}
		case k.versioned && version != record.Version:
			return &adminapi.Failure{Kind: adminapi.Conflict, Detail: fmt.Sprintf("the record is at version %d, and not at --version %d; nothing was changed", record.Version, d.version)}
		}
		if err := confirm(cmd, k.question); err != nil {
			return err
		}
	}
	operation := oncehttp.AdminOperation{Service: record.Service, Principal: record.Principal, Key: record.Key, Reason: d.reason}
	decided, err := k.decide(cmd.Context(), oncehttp.AdminRelease{AdminOperation: operation, Version: version})
	if err != nil {
		return d.explained(err, record.ID)
	}
	return d.decided(cmd, decided, adminapi.Name{Service: record.Service, Principal: record.Principal, Key: record.Key})
}

// explained adds to a refusal what the record is now, and to a missing answer where to look.
func (d *decision) explained(err error, id string) error {
	var f *adminapi.Failure
	switch {
	case !errors.As(err, &f):
	case f.Kind == adminapi.Conflict && f.Record != nil:
		f.Detail = fmt.Sprintf("%s. Nothing was changed; the record is now %s, at version %d", f.Detail, stateOf(*f.Record), f.Record.Version)
	case f.Kind == adminapi.Conflict:
		f.Detail = f.Detail + ". Nothing was changed"
	case f.Kind == adminapi.Uncertain:
		f.Detail = f.Detail + " (onceward keys show " + plain(id) + ")"
	}
	return err
}

// decided shows what has become of the operation, with its trail. That the decision stands does not depend on it.
func (d *decision) decided(cmd *cobra.Command, made oncehttp.AdminDecision, who adminapi.Name) error {
	if d.out.format != formatText {
		return d.out.document(made)
	}
	fmt.Fprintf(d.out.w, "decided, by %s\n", plain(made.Actor))
	shown, err := d.client.Show(cmd.Context(), who, false)
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "the decision stands; it cannot be shown: %v\n", err)
		return nil
	}
	return d.out.showing(shown)
}

// newKeysRelease frees the key of a claim whose owner is gone.
func newKeysRelease() *cobra.Command {
	var d decision
	cmd := newKeysCommand(&cobra.Command{
		Use:   "release ID --reason TEXT",
		Short: "Free the key of a claim whose owner is gone and never started",
		Long: `Frees the key of an operation that was claimed, never started, and whose lease is over: nothing can have taken effect, and its key may be sent again.
What has started is never freed: it is resolved.`,
		Example: `  onceward keys release 5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592 --reason 'the client waits for it'`,
	}, &d.desk, func(cmd *cobra.Command, args []string) error {
		k := kind{
			versioned: true,
			fits:      lapsedClaim,
			unfit:     "only a claim that lapsed before its start can be released",
			question:  "Release this claim, so that the key is free?",
			decide:    d.desk.release,
		}
		who, faults := d.asked(args, k)
		if err := joined(faults); err != nil {
			return wrong(err)
		}
		return d.run(cmd, who, k)
	})
	d.addTo(cmd, true)
	return cmd
}

func (d *desk) release(ctx context.Context, q oncehttp.AdminRelease) (oncehttp.AdminDecision, error) {
	return d.client.Release(ctx, q)
}

// newKeysCancel makes sure that an operation will not run.
func newKeysCancel() *cobra.Command {
	var d decision
	cmd := newKeysCommand(&cobra.Command{
		Use:   "cancel ID --reason TEXT",
		Short: "Make sure that what has not started will not run any more",
		Long: `Cancels an operation that never came, or was claimed and never started: a late copy of it will be refused. It needs no version, for it decides
nothing about what has started: that is left alone, and the command tells what is in the way. An operation that never came has no id here: name it by
--service, --principal and --key.`,
		Example: `  onceward keys cancel --service payouts --principal alice --key once_01kb2n2wbgeytb6z0vjt9m1k4q --reason 'the order is withdrawn'`,
	}, &d.desk, func(cmd *cobra.Command, args []string) error {
		k := kind{
			fits:     func(r oncehttp.AdminRecord) bool { return r.State == "absent" || lapsedClaim(r) },
			unfit:    "only what never came, or lapsed before its start, can be cancelled",
			question: "Cancel it for ever? Nothing takes it back.",
			decide:   d.desk.cancel,
		}
		who, faults := d.asked(args, k)
		if err := joined(faults); err != nil {
			return wrong(err)
		}
		return d.run(cmd, who, k)
	})
	d.addTo(cmd, false)
	return cmd
}

func (d *desk) cancel(ctx context.Context, q oncehttp.AdminRelease) (oncehttp.AdminDecision, error) {
	return d.client.Cancel(ctx, q.AdminOperation)
}

func lapsedClaim(r oncehttp.AdminRecord) bool { return r.State == "claimed" && r.Lapsed }
