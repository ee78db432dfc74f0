package oncehttp_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

func TestHTTPStatusesMeanWhatTheRouteSays(t *testing.T) {
	const free, kept, doubt = oncehttp.OutcomeFreed, oncehttp.OutcomeSaved, oncehttp.OutcomeDoubted
	table := []struct {
		status      int
		standard    string
		route       onceward.Ending
		said        bool // the route has its own word
		wantOfRoute string
	}{
		{401, free, onceward.EndReject, true, kept},
		{407, free, 0, false, free},
		{425, free, 0, false, free},
		{429, free, onceward.EndDoubt, true, doubt},
		{500, kept, onceward.EndFree, true, free},
		{501, kept, 0, false, kept},
		{408, doubt, 0, false, doubt},
		{502, doubt, 0, false, doubt},
		{503, doubt, onceward.EndFree, true, free},
		{504, doubt, onceward.EndSave, true, kept},
		{200, kept, onceward.EndDoubt, true, doubt},
		{404, kept, 0, false, kept},
		{422, kept, onceward.EndFree, true, free},
	}
	own := map[int]onceward.Ending{}
	for _, row := range table {
		if row.said {
			own[row.status] = row.route
		}
	}
	eachNetwork(t, func(t *testing.T, n network) {
		guard, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer guard.Close(t.Context())
		mux, runs := http.NewServeMux(), map[string]int{}
		for pattern, cfg := range map[string]oncehttp.Config{"/standard/{status}": {}, "/route/{status}": {Statuses: own}} {
			once, err := oncehttp.Middleware(guard, byUser, cfg)
			if err != nil {
				t.Fatal(err)
			}
			mux.Handle(pattern, once(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				runs[r.URL.Path]++
				status, _ := strconv.Atoi(r.PathValue("status"))
				w.WriteHeader(status)
			})))
		}
		s := &served{t: t, Server: n.listen(mux)}
		defer s.Close()
		for _, row := range table {
			for route, want := range map[string]string{"/standard/": row.standard, "/route/": row.wantOfRoute} {
				path := route + strconv.Itoa(row.status)
				send := func() answer {
					return s.send(s.request("key"+path, "x", func(r *http.Request) { r.URL.Path = path }))
				}
				first, again := send(), send()
				if first.StatusCode != row.status || first.Header.Get(oncehttp.HeaderOutcome) != want {
					t.Errorf("%s: %d %q, want %q", path, first.StatusCode, first.Header.Get(oncehttp.HeaderOutcome), want)
				}
				wantRuns, wantStatus, replayed := 1, row.status, ""
				switch want {
				case free:
					wantRuns = 2
				case doubt:
					wantStatus = http.StatusConflict
				default:
					replayed = "true"
				}
				if again.StatusCode != wantStatus || runs[path] != wantRuns || again.Header.Get(oncehttp.HeaderReplayed) != replayed {
					t.Errorf("%s, sent again: %d after %d runs, replayed %q", path, again.StatusCode, runs[path], again.Header.Get(oncehttp.HeaderReplayed))
				}
			}
		}
	})
}
