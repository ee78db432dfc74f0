package compat

import (
	"net/http"
	"testing"

	echo4pkg "github.com/labstack/echo/v4"
	echo5pkg "github.com/labstack/echo/v5"
)

// Why echo.WrapMiddleware alone is not enough: Echo answers for a handler's error and for its panic after our middleware has returned, and writes
// to the response that our middleware has closed. The client is told 200.
func TestOrderEchoAnswersErrorsTooLate(t *testing.T) {
	for _, bare := range []framework{
		{"echo v4", 0, func(_ *testing.T, once wrapper, s *shop) http.Handler { return echo4(echo4pkg.WrapMiddleware(once), s) }},
		{"echo v5", 0, func(_ *testing.T, once wrapper, s *shop) http.Handler { return echo5(echo5pkg.WrapMiddleware(once), s) }},
	} {
		s := open(t, bare)
		for _, what := range []string{"sold out", "sold out", "panic"} {
			if a := s.post("/orders", "k-"+what[:4], `{"do":"`+what+`"}`); a.status != http.StatusOK || a.body != "" {
				t.Errorf("%s: %s is answered %d %q: docs/middleware-order.md has the wrong reason", bare.name, what, a.status, a.body)
			}
		}
	}
	for _, whole := range []framework{{"echo v4", 500, serveEcho4}, {"echo v5", 500, serveEcho5}} {
		s := open(t, whole)
		want(t, whole.name+", an error", s.post("/orders", "error", `{"do":"sold out"}`), http.StatusNotFound, "")
		want(t, whole.name+", a panic", s.post("/orders", "panic", `{"do":"panic"}`), http.StatusInternalServerError, "")
	}
}
