package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/onceward/onceward/cmd/onceward/internal/adminapi"
	"github.com/onceward/onceward/oncehttp"
)

// resolution is what somebody found out about an unknown operation.
type resolution struct {
	decision

	happened, didNotHappen, noReply, attested bool
	replyFile                                 string

	reply json.RawMessage
}

// newKeysResolve settles an unknown operation.
func newKeysResolve() *cobra.Command {
	var r resolution
	cmd := newKeysCommand(&cobra.Command{
		Use:   "resolve ID --happened --reply FILE | --did-not-happen --reason TEXT",
		Short: "Settle an unknown operation for ever: it happened, or it did not",
		Long: `Settles an operation that started and left no reply. Find out first, at the place where its effect is. Nothing takes a resolution back.

--happened: callers get the reply in FILE from now on, or with --no-reply are told that it was executed and its reply was not kept. FILE has the form that
keys show --reply -o json gives under record.reply: {"status":201,"header":[{"name":"Content-Type","value":"text/plain"}],"body":"…"}

--did-not-happen: callers are told that it was not executed; the key is never free again, since its old owner may only be stalled. With --attested
they are told besides that a new key is safe: then you vouch that no earlier owner can act any more.

What is decided about is what was shown: if the record has changed meanwhile, it is refused, and nothing is changed.`,
		Example: `  onceward keys resolve 5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592 --happened --reply reply.json --reason 'payout po_4711 is in the books'
  onceward keys resolve 5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592 --did-not-happen --reason 'the bank has none' --version 1882390123577345 --yes`,
	}, &r.desk, r.run)
	r.addTo(cmd, true)
	flags := cmd.Flags()
	flags.BoolVar(&r.happened, "happened", false, "it took effect")
	flags.BoolVar(&r.didNotHappen, "did-not-happen", false, "it did not take effect")
	flags.StringVar(&r.replyFile, "reply", "", "`file` with the reply that callers get from now on, as JSON; - is stdin, and needs --yes")
	flags.BoolVar(&r.noReply, "no-reply", false, "there is no reply to give them")
	flags.BoolVar(&r.attested, "attested", false, "no earlier owner can act any more, so that a new key is safe")
	return cmd
}

func (r *resolution) run(cmd *cobra.Command, args []string) error {
	k := kind{
		versioned: true,
		fits:      func(r oncehttp.AdminRecord) bool { return r.State == "unknown" },
		unfit:     "only an unknown operation can be resolved",
		decide:    r.decide,
	}
	who, faults := r.asked(args, k)
	faults = append(faults, r.chosen()...)
	if err := joined(faults); err != nil {
		return wrong(err)
	}
	var err error
	if k.question, err = r.question(cmd.InOrStdin()); err != nil {
		return wrong(err)
	}
	return r.decision.run(cmd, who, k)
}

// chosen names every choice that is missing or made twice.
func (r *resolution) chosen() (faults []error) {
	if r.happened == r.didNotHappen {
		faults = append(faults, errors.New("use either --happened or --did-not-happen"))
	}
	if r.happened && (r.replyFile == "") != r.noReply {
		faults = append(faults, errors.New("--happened goes with either --reply FILE or --no-reply"))
	}
	if r.didNotHappen && (r.replyFile != "" || r.noReply) {
		faults = append(faults, errors.New("--reply and --no-reply go with --happened"))
	}
	if r.happened && r.attested {
		faults = append(faults, errors.New("--attested goes with --did-not-happen"))
	}
	if r.replyFile == "-" && !r.yes {
		faults = append(faults, errors.New("--reply - needs --yes: stdin cannot answer as well"))
	}
	return faults
}

// question reads the reply and says what a yes means.
func (r *resolution) question(stdin io.Reader) (string, error) {
	switch {
	case r.attested:
		return "Resolve it: it did NOT happen, and no earlier owner can act any more? Callers will be told that a new key is safe. Nothing takes it back.", nil
	case r.didNotHappen:
		return "Resolve it: it did NOT happen? Nothing takes it back.", nil
	case r.noReply:
		return "Resolve it: it HAPPENED, and its reply is not kept? Nothing takes it back.", nil
	}
	text, err := readReply(r.replyFile, stdin)
	if err != nil {
		return "", fmt.Errorf("--reply: %w", err)
	}
	var reply oncehttp.AdminReply
	if err := json.Unmarshal(text, &reply); err != nil {
		return "", fmt.Errorf("--reply: it is not a reply as JSON, such as {\"status\":201,\"body\":\"…\"}: %w", err)
	}
	r.reply = text
	return fmt.Sprintf("Resolve it: it HAPPENED, and callers get the reply in %s, with status %d? Nothing takes it back.", plain(r.replyFile), reply.Status), nil
}

func readReply(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(name)
}

func (r *resolution) decide(ctx context.Context, q oncehttp.AdminRelease) (oncehttp.AdminDecision, error) {
	return r.client.Resolve(ctx, adminapi.Resolution{AdminRelease: q, Happened: r.happened, Attested: r.attested, Reply: r.reply})
}
