package inprocess

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/onceward/onceward/bench/rounds"
	"github.com/onceward/onceward/oncehttp"
)

// wire is a transport without a network: it reads the request and gives a saved reply.
type wire struct{}

var savedHeader = http.Header{"Content-Type": {"text/plain"}, "Content-Length": {"1024"}, oncehttp.HeaderOutcome: {"saved"}, oncehttp.HeaderWindow: {"86400"}}

func (wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	_ = r.Body.Close()
	return &http.Response{
		Status: "201 Created", StatusCode: http.StatusCreated, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: savedHeader,
		Body: io.NopCloser(bytes.NewReader(replyBody)), ContentLength: replySize, Request: r,
	}, nil
}

// order is how a caller uses a client: a new request, its reply read whole.
func sendOrder(do func(*http.Request) (*http.Response, error), key string) {
	req, err := http.NewRequest(http.MethodPost, "http://shop.example/orders?channel=web", bytes.NewReader(opaque.body))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Content-Type", opaque.media)
	if key != "" {
		req.Header.Set(oncehttp.HeaderKey, key)
	}
	resp, err := do(req)
	if err != nil {
		panic(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || len(body) != replySize {
		panic("the reply is not whole")
	}
	_ = resp.Body.Close()
}

func stockClient() rounds.Contender {
	client := &http.Client{Transport: wire{}}
	key := strings.Repeat("k", 31)
	return rounds.Contender{Name: "stock http.Client", Round: func(n int) {
		for range n {
			sendOrder(client.Do, key)
		}
	}}
}

func ourClient() rounds.Contender {
	client, err := oncehttp.NewClient(oncehttp.ClientConfig{Transport: wire{}})
	if err != nil {
		panic(err)
	}
	return rounds.Contender{Name: "onceward client", Round: func(n int) {
		for range n {
			sendOrder(client.Do, "")
		}
	}}
}
