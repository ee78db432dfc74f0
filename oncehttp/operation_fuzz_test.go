package oncehttp

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward/retry"
)

// FuzzOperation: text that is read as a saved operation is saved again as the same one, and what is sent of it is that operation with its one key;
// other text changes nothing.
func FuzzOperation(f *testing.F) {
	for _, text := range savedOperations {
		f.Add([]byte(text))
		f.Add([]byte(text[:len(text)/2]))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		op := Operation{method: "HEAD"}
		if err := op.UnmarshalJSON(text); err != nil {
			if op.method != "HEAD" || op.url != nil || op.history != nil {
				t.Fatalf("%v, and the operation has become %v", err, &op)
			}
			return
		}
		saved, err := json.Marshal(&op)
		if err != nil {
			t.Fatalf("it was read, and cannot be saved: %v", err)
		}
		var again Operation
		if err := json.Unmarshal(saved, &again); err != nil {
			t.Fatalf("%s cannot be read: %v", saved, err)
		}
		if third, err := json.Marshal(&again); err != nil || !bytes.Equal(third, saved) {
			t.Fatalf("%s, read and saved once more, is %s, %v", saved, third, err)
		}
		checkSent(t, &op)
	})
}

// checkSent holds the request on the wire to the operation.
func checkSent(t *testing.T, op *Operation) {
	t.Helper()
	var sent *http.Request
	client, err := NewClient(ClientConfig{Policy: retry.Policy{Attempts: 1}, Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		sent = r
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Send(context.Background(), op)
	if sent == nil {
		if err == nil {
			t.Fatal("nothing was sent, and that is a success")
		}
		return
	}
	var keys []string
	for name, values := range sent.Header {
		if strings.EqualFold(name, HeaderKey) {
			keys = append(keys, values...)
		}
		if strings.EqualFold(name, HeaderHorizon) && len(values) != 1 {
			t.Fatalf("horizon %q", values)
		}
	}
	if op.key.IsZero() && len(keys) > 0 || !op.key.IsZero() && (len(keys) != 1 || keys[0] != formatKey(op.key)) {
		t.Fatalf("the key of %v is sent as %q", op, keys)
	}
	var body []byte
	if sent.Body != nil {
		body, _ = io.ReadAll(sent.Body)
	}
	if sent.Method != op.method || sent.URL.String() != op.url.String() || sent.Host != op.host || !bytes.Equal(body, op.body) || sent.GetBody != nil {
		t.Fatalf("%v is sent as %s %s with %q", op, sent.Method, sent.URL, body)
	}
}

// transportFunc is a transport that is a function.
type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// savedOperations are operations and what somebody has made of them.
var savedOperations = func() []string {
	fresh := `"minted":"` + time.Now().UTC().Format(time.RFC3339Nano) + `"`
	const empty = `"body_sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`
	const pay5 = `"body":"cGF5IDU=","body_sha256":"6880dc3427b880e1d3e1fb8d50280c4551d2554fdc98ec428385f33aa8fe4313"`
	return []string{
		`{"version":1,"key":"k-1",` + fresh + `,"method":"POST","url":"http://bank.example/pay?to=bob",` + empty + `}`,
		`{"version":1,"key":"a,\"b",` + fresh + `,"method":"PATCH","url":"https://h:8443/a%2Fb","host":"other","header":{"X-Kept":["yes","no"]},"window_ns":60000000000,` + empty + `}`,
		`{"version":1,` + fresh + `,"method":"GET","url":"http://h/",` + empty + `}`,
		`{"version":1,"key":"k-1","minted":"0001-01-01T00:00:01Z","method":"POST","url":"http://h/","window_ns":-1,` + empty + `}`,
		`{"version":1,"key":"k-1","minted":"9999-12-31T23:59:59Z","method":"POST","url":"http://h/","window_ns":1,` + empty + `}`,
		`{"version":1,"key":"k-1",` + fresh + `,"method":"POST","url":"http://user:word@h/#f",` + empty + `}`,
		`{"version":1,"key":"k-1",` + fresh + `,"method":"POST","url":"http://h/",` + pay5 + `}`,
		`{"version":1,"key":"k-1",` + fresh + `,"method":"POST","url":"http://h/","header":{"idempotency-key":["k-2"]},` + empty + `}`,
		`{"version":1,"key":"k-1",` + fresh + `,"method":"POST","url":"http://h/","header":{"Idempotency-Key":["k-2"],"onceward-horizon":["1"]},` + empty + `}`,
		`{"version":1,` + fresh + `,"method":"GET","url":"http://h/","header":{"Idempotency-Key":["k-2"]},` + empty + `}`,
		`{"version":1,"key":"k-1",` + fresh + `,"method":"POST","url":"http://h/","header":{"no name":["a\nb"],"Content-Length":["5"]},` + empty + `}`,
		`{"version":2}`, `{}`, `null`, `[]`, ``,
	}
}()
