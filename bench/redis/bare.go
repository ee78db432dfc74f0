package redis

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
)

// listening is a connection whose commands are kept: so the bare contender sends what the store sends, byte for byte but for ids and tokens.
type listening struct {
	net.Conn
	l *listener
}

type listener struct {
	mu   sync.Mutex
	said []byte
}

func (l *listener) dial(ctx context.Context, address string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
	conn, err := d.DialContext(ctx, "tcp", address)
	return listening{conn, l}, err
}

func (c listening) Write(b []byte) (int, error) {
	c.l.mu.Lock()
	c.l.said = append(c.l.said, b...)
	c.l.mu.Unlock()
	return c.Conn.Write(b)
}

// commands are what was sent, word by word.
func (l *listener) commands() (all [][]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for b := l.said; len(b) > 0 && b[0] == '*'; {
		var words []string
		var n int
		n, b = number(b)
		for range n {
			var size int
			size, b = number(b)
			words, b = append(words, string(b[:size])), b[size+2:]
		}
		all = append(all, words)
	}
	return all
}

func number(b []byte) (int, []byte) {
	line, rest, _ := bytes.Cut(b[1:], []byte("\r\n"))
	n, _ := strconv.Atoi(string(line))
	return n, rest
}

// pair is what a new operation sends: EVALSHA, script, 1, record, arguments.
type pair struct{ claim, complete []string }

// overhear finds the two commands of one new operation.
func (l *listener) overhear() (p pair, err error) {
	var scripts [][]string
	for _, c := range l.commands() {
		if c[0] == "EVALSHA" {
			scripts = append(scripts, c)
		}
	}
	if len(scripts) < 2 {
		return p, errors.New("the store sent no scripts")
	}
	return pair{scripts[len(scripts)-2], scripts[len(scripts)-1]}, nil
}

// of is the same for another id and token, whose places it knows by the first's.
func (p pair) of(old, who store.Identity, was, token store.Token) pair {
	change := func(c []string) []string {
		out := append([]string(nil), c...)
		for i := 3; i < len(out); i++ {
			b := bytes.ReplaceAll([]byte(out[i]), old.ID[:], who.ID[:])
			out[i] = string(bytes.ReplaceAll(b, was[:], token[:]))
		}
		return out
	}
	return pair{change(p.claim), change(p.complete)}
}

func (p pair) send(ctx context.Context, client rueidis.Client) error {
	for _, c := range [][]string{p.claim, p.complete} {
		got, err := client.Do(ctx, client.B().Evalsha().Sha1(c[1]).Numkeys(1).Key(c[3]).Arg(c[4:]...).Build()).AsBytes()
		if err != nil || len(got) == 0 || got[0] != 1 {
			return fmt.Errorf("a bare command did not write: %x, %w", got, err)
		}
	}
	return nil
}
