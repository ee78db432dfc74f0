package sidecar

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/onceward/onceward/store/memstore"
)

// systemd hears when requests are taken, and at the end for how long it has to wait.
func TestTheSupervisorIsTold(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	cfg := Default()
	cfg.Upstream, cfg.Scope, cfg.Listen, cfg.Admin, cfg.Drain = "http://127.0.0.1:1", "global", "127.0.0.1:0", "127.0.0.1:0", time.Hour
	log := newLines()
	p, err := New(t.Context(), memstore.New(memstore.Config{}), cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	hear := func(want string) {
		t.Helper()
		_ = l.SetReadDeadline(time.Now().Add(10 * time.Second))
		said := make([]byte, 100)
		n, _, err := l.ReadFrom(said)
		if string(said[:n]) != want {
			t.Errorf("%q %v, want %q", said[:n], err, want)
		}
	}
	hear("READY=1")
	url := log.find(t, "url=") // it has been listening before it said so
	if conn, err := net.Dial("tcp", url[len("http://"):]); err != nil {
		t.Error(err)
	} else {
		conn.Close()
	}
	stop()
	hear("STOPPING=1\nEXTEND_TIMEOUT_USEC=3620000000")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Who cannot be told keeps nobody from working.
func TestADeafSupervisor(t *testing.T) {
	log := newLines()
	supervisor{filepath.Join(t.TempDir(), "none"), slog.New(slog.NewTextHandler(log, nil))}.ready(t.Context())
	log.find(t, "service manager cannot be told")
	supervisor{}.ready(t.Context()) // nobody: nothing to log
}

// A service manager that does not read keeps nobody from ending.
func TestASupervisorThatDoesNotRead(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for err == nil { // until its queue is full
		err = syscall.Sendto(fd, []byte("x"), 0, &syscall.SockaddrUnix{Name: socket})
	}
	log := newLines()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	told := make(chan struct{})
	go func() {
		defer close(told)
		supervisor{socket, slog.New(slog.NewTextHandler(log, nil))}.ready(ctx)
	}()
	select {
	case <-told:
		log.find(t, "service manager cannot be told")
	case <-time.After(5 * time.Second):
		t.Error("it is waited for without an end")
		l.Close()
		<-told
	}
}
