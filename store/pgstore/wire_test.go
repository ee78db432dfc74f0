package pgstore

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

// fate is what becomes of a COMMIT on the wire.
type fate int

const (
	passes    fate = iota
	cutBefore      // the connection ends, and the server never sees it
	cutAfter       // the server carries it out, and its answer is lost with the connection
	becomes        // it arrives as ROLLBACK
)

// wire is a proxy in front of a server that knows a COMMIT when it sees one.
type wire struct {
	target, address string
	decide          func() fate
	reached         func() // a COMMIT is about to be handled; nil: nobody is told
	before, after   atomic.Int64

	mu    sync.Mutex
	conns []net.Conn
}

// newWire starts a proxy in front of the pool's server and returns it with a pool through it.
func newWire(t *testing.T, pool *pgxpool.Pool, conns int32, decide func() fate) (*wire, *pgxpool.Pool) {
	t.Helper()
	c := pool.Config()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := net.JoinHostPort(c.ConnConfig.Host, itoa(int64(c.ConnConfig.Port)))
	w := &wire{target: to, address: l.Addr().String(), decide: decide}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { w.carry(client) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		w.cut()
		all.Wait()
	})
	c.ConnConfig.Host, c.ConnConfig.Port = "127.0.0.1", uint16(l.Addr().(*net.TCPAddr).Port)
	c.ConnConfig.Fallbacks = nil
	c.MaxConns = conns
	through, err := pgxpool.NewWithConfig(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(through.Close) // runs first
	return w, through
}

// cut ends all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

func (w *wire) carry(client net.Conn) {
	server, err := net.Dial("tcp", w.target)
	if err != nil {
		client.Close()
		return
	}
	w.mu.Lock()
	w.conns = append(w.conns, client, server)
	w.mu.Unlock()
	var losing atomic.Bool // the answers from here on
	var all sync.WaitGroup
	all.Go(func() {
		defer client.Close()
		defer server.Close()
		w.answers(client, server, &losing)
	})
	defer all.Wait()
	defer client.Close()
	defer server.Close()
	if _, err := message(client, server, false); err != nil { // the startup message has no type
		return
	}
	names := map[string]bool{} // of prepared COMMITs
	for {
		m, err := message(client, nil, true)
		if err != nil {
			return
		}
		isCommit := false
		switch body := m[5:]; m[0] {
		case 'P':
			name, rest, _ := bytes.Cut(body, []byte{0})
			sql, rest, _ := bytes.Cut(rest, []byte{0})
			if strings.EqualFold(string(sql), commit) {
				names[string(name)] = true
				if w.decide() == becomes {
					m = frame('P', slices.Concat(name, []byte("\x00ROLLBACK\x00"), rest))
				}
			}
		case 'B':
			_, rest, _ := bytes.Cut(body, []byte{0})
			name, _, _ := bytes.Cut(rest, []byte{0})
			isCommit = names[string(name)]
		case 'Q':
			isCommit = bytes.HasSuffix(bytes.ToUpper(bytes.TrimRight(body, "\x00")), []byte(commit))
		}
		if isCommit {
			if w.reached != nil {
				w.reached()
			}
			switch w.decide() {
			case cutBefore:
				w.before.Add(1)
				return
			case cutAfter:
				losing.Store(true)
			}
		}
		if _, err := server.Write(m); err != nil {
			return
		}
	}
}

// answers carries what the server says. Once it is to be lost, the end of the COMMIT is awaited, and nothing more is carried.
func (w *wire) answers(client, server net.Conn, losing *atomic.Bool) {
	for {
		m, err := message(server, nil, true)
		if err != nil {
			return
		}
		if !losing.Load() {
			if _, err := client.Write(m); err != nil {
				return
			}
			continue
		}
		if m[0] == 'C' && string(m[5:]) == commit+"\x00" {
			w.after.Add(1)
			return
		}
		if m[0] == 'Z' { // the COMMIT was not reached
			return
		}
	}
}

// message reads one message, and passes it on at once if to is not nil.
func message(from io.Reader, to io.Writer, typed bool) ([]byte, error) {
	n := 4
	if typed {
		n = 5
	}
	m := make([]byte, n, 256)
	if _, err := io.ReadFull(from, m); err != nil {
		return nil, err
	}
	m = slices.Grow(m, int(binary.BigEndian.Uint32(m[n-4:])))
	m = m[:n-4+int(binary.BigEndian.Uint32(m[n-4:]))]
	if _, err := io.ReadFull(from, m[n:]); err != nil {
		return nil, err
	}
	if to != nil {
		_, err := to.Write(m)
		return m, err
	}
	return m, nil
}

func frame(kind byte, body []byte) []byte {
	m := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
	return append(m, body...)
}
