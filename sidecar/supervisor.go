package sidecar

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// supervisor is who has started the process and waits for its word: systemd, by the protocol of sd_notify(3). Without one there is nobody to tell.
type supervisor struct {
	socket string // a path, or @ and an abstract name
	log    *slog.Logger
}

// How long to wait until the service manager has room for the news. It kills what it thinks is not ready.
const (
	tellReady    = 10 * time.Second
	tellStopping = time.Second
)

// ready says that requests are taken. It gives up when ctx ends.
func (s supervisor) ready(ctx context.Context) { s.tell(ctx, tellReady, "READY=1") }

// stopping says that the process ends and how long that may take, so that it is not killed before, whatever the unit says of TimeoutStopSec.
func (s supervisor) stopping(ctx context.Context, within time.Duration) {
	s.tell(ctx, tellStopping, fmt.Sprintf("STOPPING=1\nEXTEND_TIMEOUT_USEC=%d", within.Microseconds()))
}

func (s supervisor) tell(ctx context.Context, patience time.Duration, news string) {
	if s.socket == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unixgram", s.socket)
	if err == nil {
		context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Now()) }) // a datagram waits while the queue is full
		_, err = conn.Write([]byte(news))
		conn.Close()
	}
	if err != nil {
		s.log.Warn("the service manager cannot be told", slog.String("error", err.Error()))
	}
}
