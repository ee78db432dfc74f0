package compat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/retry"
)

// frameServer speaks HTTP/2 frame by frame, as no library's server would. answer is called for each request that has arrived whole and
// says whether the connection goes on.
type frameServer struct {
	address              string
	requests, connection atomic.Int64
	hello                func(f *http2.Framer) // after our settings; nil: nothing
	answer               func(f *http2.Framer, stream uint32) bool
}

func startFrames(t *testing.T, s *frameServer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = "http://" + l.Addr().String()
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			all.Go(func() { defer conn.Close(); s.serve(conn) })
		}
	})
}

func (s *frameServer) serve(conn net.Conn) {
	s.connection.Add(1)
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	f := http2.NewFramer(conn, conn)
	_ = f.WriteSettings()
	if s.hello != nil {
		s.hello(f)
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			if frame.StreamEnded() && !s.arrived(f, frame.StreamID) {
				return
			}
		case *http2.DataFrame:
			if frame.StreamEnded() && !s.arrived(f, frame.StreamID) {
				return
			}
		}
	}
}

func (s *frameServer) arrived(f *http2.Framer, stream uint32) bool {
	s.requests.Add(1)
	return s.answer(f, stream)
}

// headers is a block of header fields.
func headers(fields ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return b.Bytes()
}

func reply(f *http2.Framer, stream uint32, end bool, fields ...string) {
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: headers(fields...), EndHeaders: true, EndStream: end})
}

// unencrypted is a transport that speaks HTTP/2 without TLS.
func unencrypted(t *testing.T) *http.Transport {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

var brief = retry.Policy{Base: time.Millisecond, OverloadBase: time.Millisecond, AttemptTimeout: 3 * time.Second}

// However a server of HTTP/2 sends a request away, one attempt is one request on the wire. net/http alone sends again, in some of these
// cases for as long as its context lets it.
func TestClientHTTP2SendsOncePerAttempt(t *testing.T) {
	reset := func(code http2.ErrCode) func(*http2.Framer, uint32) bool {
		return func(f *http2.Framer, stream uint32) bool { _ = f.WriteRSTStream(stream, code); return true }
	}
	for _, c := range []struct {
		name   string
		trap   bool // net/http alone sends it more than once
		answer func(*http2.Framer, uint32) bool
	}{
		{"GOAWAY before the stream", true, func(f *http2.Framer, _ uint32) bool { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil); return false }},
		{"GOAWAY with the stream", false, func(f *http2.Framer, stream uint32) bool {
			_ = f.WriteGoAway(stream, http2.ErrCodeNo, nil)
			return false
		}},
		{"GOAWAY, overload", false, func(f *http2.Framer, _ uint32) bool {
			_ = f.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil)
			return false
		}},
		{"REFUSED_STREAM", true, reset(http2.ErrCodeRefusedStream)},
		{"PROTOCOL_ERROR", true, reset(http2.ErrCodeProtocol)},
		{"CANCEL", false, reset(http2.ErrCodeCancel)},
		{"the connection dies", false, func(*http2.Framer, uint32) bool { return false }},
	} {
		for _, body := range []string{"", "pay 5"} {
			t.Run(fmt.Sprintf("%s, %d bytes", c.name, len(body)), func(t *testing.T) {
				s := &frameServer{answer: c.answer}
				startFrames(t, s)
				client, err := oncehttp.NewClient(oncehttp.ClientConfig{Transport: unencrypted(t), Policy: brief})
				if err != nil {
					t.Fatal(err)
				}
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.address, strings.NewReader(body))
				_, err = client.Do(req)
				var unknown *oncehttp.UnknownOutcomeError
				if !errors.As(err, &unknown) {
					t.Fatalf("%v", err)
				}
				sends := 0
				for _, a := range unknown.Attempts {
					sends += a.Sends
				}
				if n := s.requests.Load(); n != 4 || len(unknown.Attempts) != 4 || sends != 4 {
					t.Errorf("%d requests, %d attempts, %d sends counted; want 4 of each: %v", n, len(unknown.Attempts), sends, err)
				}
			})
		}
		if !c.trap {
			continue
		}
		t.Run(c.name+", net/http alone", func(t *testing.T) {
			s := &frameServer{}
			startFrames(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			s.answer = func(f *http2.Framer, stream uint32) bool {
				if s.requests.Load() > 1 {
					cancel() // seen enough
				}
				return c.answer(f, stream)
			}
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, s.address, strings.NewReader("pay 5"))
			req.Header.Set(oncehttp.HeaderKey, "k")
			if resp, err := unencrypted(t).RoundTrip(req); err == nil {
				_ = resp.Body.Close()
			}
			if s.requests.Load() < 2 {
				t.Error("net/http sent it once: the trap that this test is about is gone")
			}
		})
	}
}

// A server that says goodbye on every connection before a request: nothing is sent, and the dialling ends.
func TestClientHTTP2GoAwayAtOnceIsBounded(t *testing.T) {
	s := &frameServer{
		hello:  func(f *http2.Framer) { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil) },
		answer: func(*http2.Framer, uint32) bool { return false },
	}
	startFrames(t, s)
	client, err := oncehttp.NewClient(oncehttp.ClientConfig{Transport: unencrypted(t), Policy: brief})
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.address, strings.NewReader("pay 5"))
	if _, err = client.Do(req); err == nil || s.requests.Load() > 4 || s.connection.Load() > 40 {
		t.Errorf("%d requests on %d connections: %v", s.requests.Load(), s.connection.Load(), err)
	}
}

func TestClientHTTP2LostReplies(t *testing.T) {
	saved := []string{":status", "201", "onceward-outcome", "saved", "onceward-window", "86400"}
	for name, lose := range map[string]func(*http2.Framer, uint32) bool{
		"reset":                 func(f *http2.Framer, id uint32) bool { _ = f.WriteRSTStream(id, http2.ErrCodeInternal); return true },
		"103, then reset":       func(f *http2.Framer, id uint32) bool { reply(f, id, false, ":status", "103"); return false },
		"cut after the headers": func(f *http2.Framer, id uint32) bool { reply(f, id, false, saved...); return false },
		"reset in the body": func(f *http2.Framer, id uint32) bool {
			reply(f, id, false, saved...)
			_ = f.WriteData(id, false, []byte("do"))
			_ = f.WriteRSTStream(id, http2.ErrCodeInternal)
			return true
		},
		"shorter than announced": func(f *http2.Framer, id uint32) bool {
			reply(f, id, false, append(saved, "content-length", "9")...)
			_ = f.WriteData(id, true, []byte("do"))
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &frameServer{}
			s.answer = func(f *http2.Framer, stream uint32) bool {
				if s.requests.Load() < 3 {
					return lose(f, stream)
				}
				reply(f, stream, false, saved...)
				_ = f.WriteData(stream, true, []byte("done"))
				return true
			}
			startFrames(t, s)
			var sends atomic.Int64
			client, err := oncehttp.NewClient(oncehttp.ClientConfig{Transport: unencrypted(t), Policy: brief, Observer: retry.Observer{
				Attempt: func(_ context.Context, _ onceward.Key, a retry.Attempt) { sends.Add(int64(a.Sends)) },
			}})
			if err != nil {
				t.Fatal(err)
			}
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.address, strings.NewReader("pay 5"))
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if body, _ := io.ReadAll(resp.Body); string(body) != "done" || s.requests.Load() != 3 || sends.Load() != 3 {
				t.Errorf("%q after %d requests, %d sends counted", body, s.requests.Load(), sends.Load())
			}
		})
	}
}
