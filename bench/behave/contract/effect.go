package contract

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
)

// Effect is the handler of /effect for net/http: it writes the operation into the ledger and replies as its script says.
func Effect(d *Desk) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := io.ReadAll(r.Body)
		if err != nil { // it broke off: nothing to carry out
			http.Error(w, "the body broke off", http.StatusBadRequest)
			return
		}
		s := ParseScript(r.URL.Query())
		run := d.Enter(s.Op, !s.NoEffect)
		d.Hold(s.Hold)
		if s.Panic {
			panic("as the script says")
		}
		receipt := Receipt{Op: s.Op, Run: run, Principal: r.Header.Get(HeaderPrincipal),
			Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Sum: Sum(request)}
		reply(w, d, s, s.Body(receipt))
	})
}

func reply(w http.ResponseWriter, d *Desk, s Script, body []byte) {
	h := w.Header()
	for _, f := range s.Header {
		h.Add(f[0], f[1])
	}
	for _, name := range s.TrailerNames() {
		h.Add("Trailer", name)
	}
	if s.Short > 0 {
		h.Set("Content-Length", strconv.Itoa(len(body)+s.Short))
	}
	if s.Status != http.StatusOK || s.Copy { // an implicit 200 is part of what servers must get right
		w.WriteHeader(s.Status)
	}
	switch {
	case s.Status == http.StatusNoContent || s.Status == http.StatusNotModified:
	case s.Flush:
		for i, part := range Parts(body) {
			_, _ = w.Write(part) // the client may be gone
			_ = http.NewResponseController(w).Flush()
			if i == 0 {
				d.Hold(s.Pause)
			}
		}
	case s.Copy:
		_, _ = io.Copy(w, onlyReader{bytes.NewReader(body)})
	default:
		_, _ = w.Write(body)
	}
	for _, f := range s.Trailer {
		h.Add(f[0], f[1])
	}
}

// onlyReader hides WriteTo, so that io.Copy looks for the writer's ReadFrom.
type onlyReader struct{ io.Reader }
