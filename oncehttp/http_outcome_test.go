package oncehttp_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/retry"
)

func streamed(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, "begun ")
		w.(http.Flusher).Flush()
		fmt.Fprint(w, "and ended")
	}
}

func TestHTTPTheOutcomeOfAStreamIsInItsTrailer(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		for status, want := range map[int]string{200: oncehttp.OutcomeSaved, 429: oncehttp.OutcomeFreed, 503: oncehttp.OutcomeDoubted} {
			s := n.serve(onceward.Config{}, oncehttp.Config{}, streamed(status))
			a := s.post("k", "x")
			if a.Header.Get(oncehttp.HeaderOutcome) != "" || !equal(a.Trailer.Values(oncehttp.HeaderOutcome), []string{want}) {
				t.Errorf("%d: header %v, trailer %v", status, a.Header, a.Trailer)
			}
		}
	})
}

// Of a 503 nobody knows whether the work goes on, unless its server says so; here it says so after the body.
func TestHTTPTheClientReadsTheOutcomeOfAStream(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		cfg := oncehttp.Config{Statuses: map[int]onceward.Ending{503: onceward.EndFree}}
		s := n.serve(onceward.Config{}, cfg, streamed(503))
		client, err := oncehttp.NewClient(oncehttp.ClientConfig{
			Transport: s.Client().Transport, Policy: retry.Policy{Base: time.Millisecond, OverloadBase: time.Millisecond},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Do(s.request("", "x", nil))
		if fate := onceward.FateOf(err); fate != onceward.NotExecuted {
			t.Errorf("%v: %v", fate, err)
		}
	})
}
