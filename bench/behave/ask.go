package behave

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/onceward/onceward/bench/behave/contract"
)

// ask is a request for an effect. Sending it twice sends the same bytes twice.
type ask struct {
	Script    contract.Script
	Method    string      // default POST
	Path      string      // default /effect
	Extra     string      // appended to the query
	Key       string      // none if empty; see also Header
	Principal string      // none if empty
	Body      []byte      // default a line of JSON
	Media     string      // default application/json
	Header    http.Header // what else the request carries
	Host      string      // default: that of the server
	Chunked   bool        // the body goes without its length
}

// standardBody is what most requests carry.
const standardBody = `{"item":"book","count":1}`

// request builds the request for the server at base.
func (a ask) request(ctx context.Context, base string) (*http.Request, error) {
	target, err := url.Parse(base + a.path())
	if err != nil {
		return nil, err
	}
	target.RawQuery = a.Script.Values().Encode()
	if a.Extra != "" {
		target.RawQuery += "&" + a.Extra
	}
	body := a.body()
	req, err := http.NewRequestWithContext(ctx, a.method(), target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if a.Chunked {
		req.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body)))
		req.ContentLength = -1
	}
	req.Host = a.Host
	req.GetBody = nil // nobody but the case sends anything twice
	req.Header.Set("Content-Type", a.media())
	req.Header.Set("User-Agent", "behave")
	if a.Key != "" {
		req.Header.Set("Idempotency-Key", a.Key)
	}
	if a.Principal != "" {
		req.Header.Set(contract.HeaderPrincipal, a.Principal)
	}
	for name, values := range a.Header {
		req.Header[name] = values
	}
	return req, nil
}

func (a ask) method() string {
	if a.Method == "" {
		return http.MethodPost
	}
	return a.Method
}

func (a ask) path() string {
	if a.Path == "" {
		return contract.PathEffect
	}
	return a.Path
}

func (a ask) media() string {
	if a.Media == "" {
		return "application/json"
	}
	return a.Media
}

func (a ask) body() []byte {
	if a.Body == nil && a.method() != http.MethodGet && a.method() != http.MethodHead {
		return []byte(standardBody)
	}
	return a.Body
}

// answer is what came back.
type answer struct {
	Status  int
	Header  http.Header
	Trailer http.Header
	Body    string
	Err     error // no reply, or one that broke off
}

func answerOf(resp *http.Response, err error) answer {
	if err != nil {
		return answer{Err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{Status: resp.StatusCode, Header: resp.Header, Trailer: resp.Trailer, Body: string(body), Err: err}
}

// String says what an answer is, the same in every run.
func (a answer) String() string {
	switch {
	case a.Err != nil && a.Status == 0:
		return "no reply"
	case a.Err != nil:
		return fmt.Sprintf("a %d that breaks off", a.Status)
	}
	return fmt.Sprintf("a %d", a.Status)
}

// refused reports a refusal by the server: a definite 4xx. It may have any text.
func (a answer) refused() bool { return a.Err == nil && a.Status >= 400 && a.Status < 500 }

// busy reports a refusal that means: the first is still under way.
func (a answer) busy() bool {
	return a.Err == nil && (a.Status == http.StatusConflict || a.Status == http.StatusLocked || a.Status == http.StatusTooEarly || a.Status == http.StatusTooManyRequests)
}

// timedOut reports that the reply did not come in time.
func (a answer) timedOut() bool {
	var timeout interface{ Timeout() bool }
	return errors.As(a.Err, &timeout) && timeout.Timeout()
}
