package oncehttp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// impatient is an executor that stops waiting for the one behind it, if the key says slow, which it must not.
type impatient struct{ onceward.Executor }

func (p impatient) Do(ctx context.Context, call onceward.Call, fn func(context.Context, onceward.Attempt) onceward.Outcome) (onceward.Result, error) {
	ended := make(chan struct{})
	var result onceward.Result
	var err error
	go func() {
		defer close(ended)
		result, err = p.Executor.Do(context.WithoutCancel(ctx), call, fn)
	}()
	patience := time.Hour
	if strings.HasPrefix(call.Key.Text(), "slow") {
		patience = 20 * time.Millisecond
	}
	select {
	case <-ended:
		return result, err
	case <-time.After(patience):
		return onceward.Result{}, &onceward.Error{Op: "do", Err: onceward.ErrInProgress}
	}
}

// slowClaims takes its time with keys that say so.
type slowClaims struct{ store.Store }

func (s slowClaims) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	if strings.HasPrefix(q.Key, "slow") {
		time.Sleep(40 * time.Millisecond)
	}
	return s.Store.Claim(ctx, q)
}

// What an executor runs after its Do has returned must not run on another request's body.
func TestHTTPARunThatComesTooLateDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard, err := onceward.New(slowClaims{memstore.New(memstore.Config{})}, onceward.Config{})
		if err != nil {
			t.Fatal(err)
		}
		once, err := oncehttp.Middleware(impatient{guard}, byUser, oncehttp.Config{})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		ran := map[string]int{}
		h := once(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			ran[r.Header.Get(oncehttp.HeaderKey)+" "+string(body)]++
			mu.Unlock()
			time.Sleep(60 * time.Millisecond)
		}))
		send := func(key, body string) {
			req := httptest.NewRequest("POST", "/", strings.NewReader(body))
			req.Header.Set("X-User", "a")
			req.Header.Set(oncehttp.HeaderKey, key)
			h.ServeHTTP(httptest.NewRecorder(), req)
		}
		for i := range 20 {
			send(fmt.Sprint("slow", i), fmt.Sprint("pay alice ", i))
			send(fmt.Sprint("quick", i), fmt.Sprint("pay bob ", i))
		}
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		for i := range 20 {
			if n := ran[fmt.Sprintf("quick%d pay bob %d", i, i)]; n != 1 {
				t.Errorf("bob %d ran %d times", i, n)
			}
		}
		if len(ran) != 20 {
			t.Errorf("it ran %v", ran)
		}
		if err := guard.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
