package contract

import (
	"encoding/json"
	"net/http"
)

// Site is a target on net/http: what it is, and the middleware under test.
type Site struct {
	About   About
	Desk    *Desk
	Guard   func(http.Handler) http.Handler // for /effect
	Short   func(http.Handler) http.Handler // for /short, if About says that there is one
	Store   func(up bool)                   // for /store, if About says so
	Restart func()                          // for /restart, if About says so
}

// Handler serves the contract.
func (s Site) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.Controls())
	effect := Effect(s.Desk)
	guarded := s.Guard(effect)
	mux.Handle(PathEffect, guarded)
	mux.Handle(PathOther, guarded)
	mux.Handle(PathPlain, effect)
	if s.Short != nil {
		mux.Handle(PathShort, s.Short(effect))
	}
	return mux
}

// Controls serves everything but the effects. They are never guarded.
func (s Site) Controls() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+PathAbout, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.About) })
	mux.HandleFunc("GET "+PathLedger, func(w http.ResponseWriter, r *http.Request) { writeJSON(w, s.Desk.Entry(r.FormValue("op"))) })
	mux.HandleFunc("POST "+PathOpen, func(_ http.ResponseWriter, r *http.Request) { s.Desk.Open(r.FormValue("gate")) })
	if s.About.Store {
		mux.HandleFunc("POST "+PathStore, func(_ http.ResponseWriter, r *http.Request) { s.Store(r.FormValue("up") != "0") })
	}
	if s.About.Restart {
		mux.HandleFunc("POST "+PathRestart, func(http.ResponseWriter, *http.Request) { s.Restart() })
	}
	return mux
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}
