package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/cmd/onceward/internal/adminapi"
)

// The environment of `onceward keys`. A token on a command line is seen by everybody on the machine.
const (
	adminVariable = "ONCEWARD_ADMIN"
	tokenVariable = "ONCEWARD_ADMIN_TOKEN"
)

// newKeys looks at operations and settles those that nobody else can, over the admin API of a service.
func newKeys() *cobra.Command {
	group := newGroup("keys", "Look at operations, and settle the unknown ones",
		newKeysList(), newKeysShow(), newKeysResolve(), newKeysRelease(), newKeysCancel())
	group.Long = `Asks the admin API of a service (oncehttp.Admin). The usual way: list, show, find out at the place where the effect is, resolve.

These commands show keys, principals and, if asked, replies: a key is as good as a password for its reply. Do not write their output to a log.
Operations are named by their id, which may be logged. docs/operations.md in the repository has the whole procedure, and the exit codes.`
	help := group.RunE
	group.RunE = func(cmd *cobra.Command, args []string) error { return wrong(help(cmd, args)) }
	group.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return wrong(withoutValues(err)) })
	return group
}

// desk is the admin API that a command asks, and how it answers.
type desk struct {
	admin, actor, headers, format string
	timeout                       time.Duration

	client *adminapi.Client
	out    printer
}

// newKeysCommand makes a command that asks a desk. It takes at most one argument: an id.
func newKeysCommand(cmd *cobra.Command, d *desk, run func(*cobra.Command, []string) error) *cobra.Command {
	flags := cmd.Flags()
	flags.StringVar(&d.admin, "admin", "", "`URL` of the admin API, like https://host/admin/once or unix:/run/once.sock (default $"+adminVariable+")")
	flags.StringVar(&d.actor, "actor", "", "`name` of who asks and decides, where the server believes it (default the login name)")
	flags.StringVar(&d.headers, "headers", "", "`file` of \"Name: value\" lines for the server's login; a bearer token may stand in $"+tokenVariable)
	flags.StringVarP(&d.format, "output", "o", "text", "`format`: text, json (one document) or jsonl (one object a line)")
	flags.DurationVar(&d.timeout, "timeout", 30*time.Second, "`time` for one answer of the server")
	cmd.Args = cobra.ArbitraryArgs // what is wrong with them is found with all else
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := d.open(cmd); err != nil {
			return wrong(err)
		}
		return coded(run(cmd, args))
	}
	return cmd
}

// open reads the flags. Nothing is asked yet.
func (d *desk) open(cmd *cobra.Command) error {
	var faults []error
	header, err := d.login()
	faults = append(faults, err)
	if d.actor == "" {
		d.actor = loginName()
	}
	if !adminapi.Printable(d.actor) {
		faults = append(faults, errors.New("--actor must be a name that can be printed"))
	}
	if d.timeout <= 0 {
		faults = append(faults, fmt.Errorf("--timeout is %v: it must be positive", d.timeout))
	}
	d.out, err = newPrinter(d.format, cmd.OutOrStdout())
	faults = append(faults, err)
	address, name := d.admin, "--admin"
	if !cmd.Flags().Changed("admin") {
		address, name = os.Getenv(adminVariable), adminVariable
	}
	if address == "" {
		faults = append(faults, errors.New("no admin API: use --admin, or set "+adminVariable))
	} else if d.client, err = adminapi.New(adminapi.Config{Address: address, Actor: d.actor, Header: header, Timeout: d.timeout}); err != nil {
		faults = append(faults, fmt.Errorf("%s is not understood: %w", name, err))
	}
	return joined(faults)
}

// login is what the server's own login wants. No error repeats a value.
func (d *desk) login() (http.Header, error) {
	header := http.Header{}
	if token := os.Getenv(tokenVariable); token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	if d.headers == "" {
		return header, nil
	}
	text, err := os.ReadFile(d.headers)
	if err != nil {
		return nil, fmt.Errorf("--headers: %w", err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("--headers: line %d is not Name: value", i+1)
		}
		header.Add(name, strings.TrimSpace(value))
	}
	if len(header.Values("Authorization")) > 1 {
		return nil, errors.New("there are two logins: --headers has an Authorization, and " + tokenVariable + " is set")
	}
	return header, nil
}

// loginName is who sits there, also behind sudo.
func loginName() string {
	if name := os.Getenv("SUDO_USER"); name != "" && os.Geteuid() == 0 {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}

// naming is how a command line names an operation: an id as its argument, or the three flags.
type naming struct{ service, principal, key string }

func (n *naming) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&n.service, "service", "", "`name` of the guarded service, instead of an id; with --principal and --key")
	cmd.Flags().StringVar(&n.principal, "principal", "", "`name` of who called")
	cmd.Flags().StringVar(&n.key, "key", "", "the `key`; everybody on the machine can see it while the command runs")
}

// read never repeats an argument: it may be a key.
func (n naming) read(args []string) (adminapi.Name, error) {
	named := n.service + n.principal + n.key
	switch {
	case len(args) > 1:
		return adminapi.Name{}, errors.New("there is more than one argument: name one operation by its id")
	case len(args) == 1 && named != "":
		return adminapi.Name{}, errors.New("an id stands for --service, --principal and --key: use either")
	case len(args) == 1 && !isID(args[0]):
		return adminapi.Name{}, errors.New("the argument is no id, which has 64 hexadecimal digits: keys list and the logs have it; to use a key, name it by --service, --principal and --key")
	case len(args) == 1:
		return adminapi.Name{ID: strings.ToLower(args[0])}, nil
	case n.service == "" || n.principal == "" || n.key == "":
		return adminapi.Name{}, errors.New("which operation? Give its id, or --service, --principal and --key")
	}
	if _, err := onceward.ParseKey(n.key); err != nil {
		return adminapi.Name{}, fmt.Errorf("--key: %w", err)
	}
	return adminapi.Name{Service: n.service, Principal: n.principal, Key: n.key}, nil
}

func isID(text string) bool {
	return len(text) == 64 && strings.Trim(strings.ToLower(text), "0123456789abcdef") == ""
}

// joined is all that is wrong, in one line.
func joined(faults []error) error {
	var texts []string
	for _, err := range faults {
		if err != nil {
			texts = append(texts, err.Error())
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}
