package oncehttp

import (
	"context"
	"net/http"
	"testing"

	"github.com/onceward/onceward"
)

// A server is believed. One that has its effect and answers with a status that by definition means "not applied" makes the client say that it was not executed.
func TestLimitAServerThatLiesIsBelieved(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusTooManyRequests} {
		s := startTiny(t, func(_ int, w http.ResponseWriter) bool {
			w.WriteHeader(status) // after the effect
			return true
		})
		_, err := newTestClient(t, ClientConfig{}).Do(post(t, s.URL, "pay 5"))
		if onceward.FateOf(err) != onceward.NotExecuted || s.ran() != 1 {
			t.Errorf("%d: %v, and it ran %d times: the limit is gone", status, err, s.ran())
		}
	}
}

// A body whose end is the connection's, as in HTTP/1.0, looks whole wherever it is cut. Servers of this protocol send a length or chunks.
func TestLimitABodyWithoutALengthMayBeCut(t *testing.T) {
	s := startTiny(t, func(_ int, w http.ResponseWriter) bool {
		return breakOff(w, "HTTP/1.1 201 Created\r\nConnection: close\r\n\r\ndone: p") // of "done: pay 5"
	})
	resp, err := newTestClient(t, ClientConfig{}).Do(post(t, s.URL, "pay 5"))
	if err != nil || bodyOf(t, resp) != "done: p" {
		t.Errorf("%v: the limit is gone", err)
	}
}

// A transport of the caller's own that sends twice behind the client's back, without telling net/http/httptrace, hides the first copy.
func TestLimitATransportThatSendsTwiceInSilence(t *testing.T) {
	s := startTiny(t, func(call int, w http.ResponseWriter) bool {
		if call == 1 {
			return breakOff(w, "") // after the effect
		}
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	client := newTestClient(t, ClientConfig{Transport: silentlyTwice{http.DefaultTransport}})
	_, err := client.Do(post(t, s.URL, "pay 5"))
	if onceward.FateOf(err) != onceward.NotExecuted || s.ran() != 1 {
		t.Errorf("%v, and it ran %d times: the limit is gone", err, s.ran())
	}
}

type silentlyTwice struct{ http.RoundTripper }

func (s silentlyTwice) RoundTrip(r *http.Request) (*http.Response, error) {
	untraced := r.Clone(context.Background())
	if resp, err := s.RoundTripper.RoundTrip(untraced); err == nil {
		return resp, nil
	}
	again := r.Clone(context.Background())
	again.Body = http.NoBody
	return s.RoundTripper.RoundTrip(again)
}
