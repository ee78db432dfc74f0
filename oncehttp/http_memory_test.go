package oncehttp_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// What serves one request serves the next, but not while a goroutine that the handler has left behind may still be reading its body.
func TestHTTPAHandlersLeftoversKeepTheirRequest(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		bodies := make(chan io.Reader, 100)
		s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
			bodies <- r.Body
			w.WriteHeader(http.StatusCreated)
		})
		for i := range 50 {
			s.post(fmt.Sprintf("key-%02d", i), fmt.Sprintf("body %02d", i))
			s.post(fmt.Sprintf("key-%02d", i), fmt.Sprintf("body %02d", i)) // a replay, under which no handler runs
		}
		s.ranTimes(50)
		close(bodies)
		i := 0
		for body := range bodies {
			if text, err := io.ReadAll(body); err != nil || string(text) != fmt.Sprintf("body %02d", i) {
				t.Errorf("request %d reads %q now, %v", i, text, err)
			}
			i++
		}
	})
}
