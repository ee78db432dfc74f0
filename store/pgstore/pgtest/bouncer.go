package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/onceward/onceward/store/internal/throwaway"
)

// ErrNoBouncer says that there is no PgBouncer on this machine.
var ErrNoBouncer = errors.New(`pgtest: no pgbouncer found: run "make services", or install the package pgbouncer`)

// Bouncer is a PgBouncer in transaction mode in front of a [Server].
type Bouncer struct {
	port    int
	folder  *folder
	running *process
}

// StartBouncer starts a PgBouncer with four connections to each database of the server. The caller closes it.
func StartBouncer(ctx context.Context, s *Server) (*Bouncer, error) {
	program := "/usr/sbin/pgbouncer" // not in everybody's PATH
	if path, err := exec.LookPath("pgbouncer"); err == nil {
		program = path
	} else if !isProgram(filepath.Dir(program), filepath.Base(program)) {
		return nil, ErrNoBouncer
	}
	f, err := newFolder("", s.owner)
	if err != nil {
		return nil, err
	}
	b := &Bouncer{folder: f}
	if b.port, err = throwaway.FreePort(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	config := filepath.Join(f.path, "pgbouncer.ini")
	if err := os.WriteFile(config, fmt.Appendf(nil, `[databases]
* = host=127.0.0.1 port=%d

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = users
auth_user = postgres
pool_mode = transaction
default_pool_size = 4
max_client_conn = 500
ignore_startup_parameters = extra_float_digits
`, s.port, b.port), 0o644); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if err := os.WriteFile(filepath.Join(f.path, "users"), []byte(`"postgres" ""`+"\n"), 0o644); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if b.running, err = launch(program, []string{config}, f.path, s.owner); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := b.running.ready(ctx, b.URLAs(superuser, "postgres")+"&default_query_exec_mode=exec"); err != nil {
		log, _ := os.ReadFile(filepath.Join(f.path, "log"))
		return nil, errors.Join(fmt.Errorf("pgtest: start PgBouncer: %w; its log:\n%s", err, log), b.Close())
	}
	return b, nil
}

// URLAs is where to connect as a role. Sessions change between transactions, so prepared statements must be off: add
// "&default_query_exec_mode=exec".
func (b *Bouncer) URLAs(role, database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%s/%s?sslmode=disable", role, strconv.Itoa(b.port), database)
}

// Close ends it.
func (b *Bouncer) Close() error {
	var err error
	if b.running != nil {
		err = b.running.stop()
	}
	return errors.Join(err, b.folder.remove())
}

// OwnBouncer starts a PgBouncer for one test. Where it is missing the test is skipped, and fails if the environment says CI=true.
func OwnBouncer(t TB, s *Server) *Bouncer {
	t.Helper()
	b, err := StartBouncer(t.Context(), s)
	switch {
	case err == nil:
	case errors.Is(err, ErrNoBouncer) && os.Getenv("CI") != "true":
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	default:
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("%v", err)
		}
	})
	return b
}
