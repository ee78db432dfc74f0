package redisstore

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// proxy stands between a store and its server. It can lose the reply to a command, after the server has given it, and cut the connection.
type proxy struct {
	net.Listener
	server string

	mu   sync.Mutex
	what []byte // in the command whose reply is lost next; nil: none
	gone bool   // instead lose the command itself
	sent int    // how often what has passed; or how much was harmed
	dice *rand.Rand
}

func newProxy(t testing.TB, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, server: server}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

func (p *proxy) address() string { return p.Addr().String() }

// lose arms the proxy: the next command that has what in it gets no answer, or, gone, does not arrive.
func (p *proxy) lose(what string, gone bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.gone, p.sent = []byte(what), gone, 0
}

// times is how often the command has passed since lose.
func (p *proxy) times() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

// hit says whether the bytes have the armed command in them, counts it, and says whether it is the first.
func (p *proxy) hit(b []byte) (first, gone bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.what == nil || !bytes.Contains(b, p.what) {
		return false, false
	}
	p.sent++
	return p.sent == 1, p.gone
}

// harm begins to lose and to hold up what passes, by chance; nil: ends it.
func (p *proxy) harm(dice *rand.Rand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dice = dice
}

// hurt says what happens to what passes: nothing, that it is held up, or lost with its connection.
func (p *proxy) hurt() (hold time.Duration, lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dice == nil {
		return 0, false
	}
	switch n := p.dice.IntN(100); {
	case n < 4:
		p.sent++
		return 0, true
	case n < 8:
		p.sent++
		return time.Duration(p.dice.IntN(400)) * time.Millisecond, false // some longer than the store's bound
	}
	return 0, false
}

// pass carries out what hurt says.
func (p *proxy) pass() (lost bool) {
	hold, lost := p.hurt()
	if hold > 0 {
		<-time.After(hold)
	}
	return lost
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	var mu sync.Mutex
	losing := false
	go func() {
		defer client.Close()
		b := make([]byte, 256<<10)
		for {
			n, err := server.Read(b)
			mu.Lock()
			lost := losing
			mu.Unlock()
			if err != nil || lost || p.pass() {
				return
			}
			if _, err := client.Write(b[:n]); err != nil {
				return
			}
		}
	}()
	b := make([]byte, 256<<10)
	for {
		n, err := client.Read(b)
		if err != nil {
			return
		}
		first, gone := p.hit(b[:n])
		if first && gone || p.pass() {
			return
		}
		mu.Lock()
		losing = losing || first
		mu.Unlock()
		if _, err := io.Copy(server, bytes.NewReader(b[:n])); err != nil {
			return
		}
	}
}
