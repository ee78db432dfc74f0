package sidecar

import (
	"errors"
	"net"
	"net/http/httptrace"
	"testing"
)

// One may send again only what has provably not left: before the first byte, and with the connection made unusable in the same moment.
func TestUnsentNeedsProof(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	go func() {
		for buf := make([]byte, 16); ; {
			if _, err := there.Read(buf); err != nil {
				return
			}
		}
	}()
	conn := &watchedConn{Conn: here}
	if _, err := conn.Write([]byte("an earlier request")); err != nil {
		t.Fatal(err)
	}
	look := func() *sight { return &sight{onConn: func() {}} }
	none := look()
	if !none.unsent() || none.connected() {
		t.Error("without a connection nothing was sent")
	}
	sent := look()
	sent.trace().GotConn(httptrace.GotConnInfo{Conn: conn})
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if sent.unsent() || !sent.connected() {
		t.Error("something was written")
	}
	shared := look()
	shared.trace().GotConn(httptrace.GotConnInfo{Conn: &watchedConn{Conn: here, shared: true}})
	if shared.unsent() {
		t.Error("of a shared connection nothing is known")
	}
	unwatched := look()
	unwatched.trace().GotConn(httptrace.GotConnInfo{Conn: here})
	if unwatched.unsent() {
		t.Error("of a connection that is not watched nothing is known")
	}
	still := look()
	still.trace().GotConn(httptrace.GotConnInfo{Conn: conn, Reused: true})
	if !still.unsent() {
		t.Error("nothing was written since")
	}
	if _, err := conn.Write([]byte("late")); !errors.Is(err, errSealed) {
		t.Errorf("the transport writes after it was said that nothing was sent: %v", err)
	}
	twice := look()
	twice.trace().GotConn(httptrace.GotConnInfo{Conn: &watchedConn{Conn: here}})
	twice.trace().GotConn(httptrace.GotConnInfo{Conn: &watchedConn{Conn: here}})
	if twice.unsent() {
		t.Error("of the first of two connections nothing is known")
	}
}
