package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"sync"
	"time"
)

// How a JWKS is fetched.
const (
	jwksMaxAge  = 10 * time.Minute // a key that the issuer takes back is not accepted for longer than this
	jwksPause   = 30 * time.Second // between two fetches, whatever ids tokens name
	jwksTimeout = 10 * time.Second
	jwksMost    = 1 << 20 // bytes
)

// keyring holds the issuer's keys. Safe for concurrent use.
type keyring struct {
	fetch func(context.Context) ([]byte, error) // nil: the keys do not change
	life  context.Context                       // ends the fetches
	now   func() time.Time

	mu      sync.Mutex
	keys    issued
	at      time.Time     // of the last good fetch
	tried   time.Time     // of the last fetch
	pending chan struct{} // closed when the fetch under way has ended; nil: none is
}

// newKeyring reads the keys for the first time; without one there is no keyring. life ends what it does by itself later on.
func newKeyring(ctx, life context.Context, where string) (*keyring, error) {
	k := &keyring{life: life, now: time.Now}
	shown := where
	read := func(context.Context) ([]byte, error) { return os.ReadFile(where) }
	if u, err := url.Parse(where); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		if err := unspoilt(u); err != nil {
			return nil, err
		}
		shown = u.Scheme + "://" + u.Host // the rest may be a secret, as may a user's name
		read = func(ctx context.Context) ([]byte, error) { return fetchJWKS(ctx, where) }
		k.fetch = read
	}
	text, err := read(ctx)
	if err == nil {
		k.keys, err = parseKeys(text)
	}
	if err != nil {
		return nil, fmt.Errorf("jwt-keys %s: %w", shown, err)
	}
	k.at, k.tried = k.now(), k.now()
	return k, nil
}

// key implements [keySource]. Keys of half their age are fetched again behind the caller's back and serve on meanwhile, so that an issuer who is away
// for some minutes is not noticed. An id that is not known may be a new one, and is waited for. Nobody causes more than one fetch in jwksPause, whatever
// ids tokens name: an answer that would need one now is a [*laterError].
func (k *keyring) key(ctx context.Context, id string) (any, error) {
	found, err := k.look(id)
	fetched := k.refresh(err != nil)
	if err == nil || k.fetch == nil {
		return found, err
	}
	if fetched != nil {
		select {
		case <-fetched:
		case <-ctx.Done():
		}
	}
	if found, err = k.look(id); err != nil && (fetched == nil || !k.fresh()) {
		err = k.later(err)
	}
	return found, err
}

var (
	errNoSuchKey = errors.New("no key of this id")
	errKeysOld   = errors.New("the keys are too old, and cannot be fetched again")
)

func (k *keyring) look(id string) (any, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found, ok := k.keys.find(id)
	switch {
	case k.fetch != nil && k.now().Sub(k.at) > jwksMaxAge:
		return nil, errKeysOld
	case !ok:
		return nil, errNoSuchKey
	}
	return found, nil
}

// fresh reports whether the last fetch was a good one.
func (k *keyring) fresh() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.at.Before(k.tried)
}

// later says when the next fetch may be.
func (k *keyring) later(cause error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return &laterError{cause: cause, after: max(time.Second, k.tried.Add(jwksPause).Sub(k.now()))}
}

// refresh begins to fetch the keys, if missed says that one was not found or they get old, and returns what is closed when the fetch under way has ended.
// It is nil if there is none.
func (k *keyring) refresh(missed bool) <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	due := missed || now.Sub(k.at) > jwksMaxAge/2
	if k.pending != nil || k.fetch == nil || !due || now.Sub(k.tried) <= jwksPause {
		return k.pending
	}
	k.tried = now
	ended := make(chan struct{})
	k.pending = ended
	go func() {
		defer close(ended)
		text, err := k.fetch(k.life)
		var keys issued
		if err == nil {
			keys, err = parseKeys(text)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.pending = nil
		if err == nil {
			k.keys, k.at = keys, k.now()
		}
	}()
	return k.pending
}

// unspoilt refuses an address from which somebody on the way could send keys of their own.
func unspoilt(u *url.URL) error {
	if ip, err := netip.ParseAddr(u.Hostname()); u.Scheme == "https" || u.Scheme == "http" && err == nil && ip.IsLoopback() {
		return nil
	}
	return errors.New("jwt-keys leads to http://, where anybody on the way could put keys of their own: use https://")
}

// jwksClient follows a redirect only to where it would have gone by itself.
var jwksClient = &http.Client{CheckRedirect: func(r *http.Request, via []*http.Request) error {
	if len(via) > 5 {
		return errors.New("too many redirects")
	}
	return unspoilt(r.URL)
}}

func fetchJWKS(ctx context.Context, where string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, jwksTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, err
	}
	resp, err := jwksClient.Do(req)
	var named *url.Error // repeats the address
	switch {
	case errors.As(err, &named):
		return nil, named.Err
	case err != nil:
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, jwksMost))
}
