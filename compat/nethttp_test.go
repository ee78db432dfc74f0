package compat

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// orderHandler takes orders with nothing but net/http.
func orderHandler(s *shop) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		made, err := s.order(r.Context(), body)
		var no *refusal
		if errors.As(err, &no) {
			http.Error(w, no.text, no.status)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Location", made.location())
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(made)
	}
}

func streamHandler(s *shop) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		s.stream(func(text string) { io.WriteString(w, text) }, func() { http.NewResponseController(w).Flush() })
	}
}

func serveNetHTTP(_ *testing.T, once wrapper, s *shop) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /orders", once(orderHandler(s)))
	mux.Handle("POST /stream", once(streamHandler(s)))
	mux.Handle("GET /orders", once(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	return mux
}

func serveChi(_ *testing.T, once wrapper, s *shop) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Recoverer)
	r.Group(func(r chi.Router) {
		r.Use(once)
		r.Post("/orders", orderHandler(s))
		r.Post("/stream", streamHandler(s))
		r.Get("/orders", func(http.ResponseWriter, *http.Request) {})
	})
	return r
}

func notEOF(err error) error {
	if err == io.EOF { //nolint:errorlint // a cut is io.ErrUnexpectedEOF
		return nil
	}
	return err
}
