package encodings

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dunglas/httpsfv"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// FuzzStructuredField compares the key in a header with the structured field that draft-ietf-httpapi-idempotency-key-header-07 §2.1 says it is: an
// Item whose value is a String (RFC 9651 §3.3.3). Where the library reads a String that is a legal key, it is our key, and where we read a quoted
// key, the library reads the same. Deliberately other than there:
//
//   - Parameters of the item are refused: "k";a=1. The draft defines none, and a key that is not read whole is no key.
//   - Tabs around the value are trimmed, as HTTP allows around any value (RFC 9110 §5.5); a structured field knows spaces only.
//   - A bare value is a key as it is written. Most clients send UUIDs like that, which are tokens or nothing in a structured field. If
//     it is a token without parameters or a number to the library, it has the same characters there.
//   - A String of spaces, of nothing or of more than 255 characters is no key.
//   - Two header lines are refused. To the library they are one value, joined by a comma.
func FuzzStructuredField(f *testing.F) {
	for _, value := range []string{
		"", " ", `""`, "k", `"k"`, ` "k" `, "\t\"k\"", `"k"x`, `"k";a=1`, `"k"; a="b"`, `"k" ;a`, "k;a=1", `"k,j"`, `"k", "j"`, "k, j", `"k\"j"`, `"k\\j"`, `"k\nj"`, `"k`, `"k\`, `"\"`, `"a b"`, "\"\x7f\"", "\"\x00\"", `"ä"`,
		"*k", "a:b/c", "1", "-1", "1.50", "007", "1e3", "?1", ":a2V5:", "@1700000000", `%"k%c3%a4"`, "(k)", `("k")`, "919108f7-52d1-4320-9bac-f847db4148a8", "a919108f-52d1-4320-9bac-f847db4148a8", `"once_01h455vb4pex5vsknk084sn02q"`,
		`"` + strings.Repeat("k", 255) + `"`, `"` + strings.Repeat("k", 256) + `"`,
	} {
		f.Add(value, "")
		f.Add(value, `"k"`)
	}
	f.Fuzz(func(t *testing.T, value, other string) {
		if _, err := oncehttp.KeyFromHeader(http.Header{oncehttp.HeaderKey: {value, other}}); err == nil {
			t.Fatalf("%+q and %+q are one key", value, other)
		}
		ours, err := oncehttp.KeyFromHeader(http.Header{oncehttp.HeaderKey: {value}})
		item, theirErr := httpsfv.UnmarshalItem([]string{strings.Trim(value, "\t ")})
		switch theirs := item.Value.(type) {
		case string:
			legal, badKey := onceward.ParseKey(theirs)
			switch {
			case len(item.Params.Names()) > 0:
				if err == nil {
					t.Fatalf("%+q has parameters, and is the key %q", value, ours.Text())
				}
			case (err == nil) != (badKey == nil) || ours != legal:
				t.Fatalf("%+q is the String %+q, as a key %v; we read %q, %v", value, theirs, badKey, ours.Text(), err)
			}
			return
		case httpsfv.Token:
			if err == nil && len(item.Params.Names()) == 0 && ours.Text() != string(theirs) {
				t.Fatalf("%+q is the token %q; we read %q", value, theirs, ours.Text())
			}
		}
		if err == nil && strings.HasPrefix(strings.Trim(value, "\t "), `"`) {
			t.Fatalf("%+q is the key %q; as a structured field it is %#v, %v", value, ours.Text(), item.Value, theirErr)
		}
	})
}

// FuzzSentKey: whatever the key, what our client puts on the wire is that key to our server and, where it is quoted, to the library.
func FuzzSentKey(f *testing.F) {
	for _, text := range []string{"k", "k,j", `k"j`, `k\`, `"`, `"k"`, "\\\"", strings.Repeat(",", 255), ";", "=", ":a:", "?1"} {
		f.Add(text)
	}
	var sent string
	client, err := oncehttp.NewClient(oncehttp.ClientConfig{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		sent = r.Header.Get(oncehttp.HeaderKey)
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	})})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := onceward.ParseKey(text)
		if _, stamped := key.Stamp(); err != nil || stamped { // a client does not send a stamped key that is too old
			return
		}
		quoted, err := httpsfv.Marshal(httpsfv.NewItem(text))
		if err != nil {
			t.Fatalf("a legal key is no String of a structured field: %v", err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://bank.example/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(oncehttp.HeaderKey, quoted)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if read, err := oncehttp.KeyFromHeader(http.Header{oncehttp.HeaderKey: {sent}}); err != nil || read != key {
			t.Fatalf("%q is sent as %q and read as %q, %v", text, sent, read.Text(), err)
		}
		if strings.HasPrefix(sent, `"`) && sent != quoted {
			t.Fatalf("%q is sent as %s, the library writes %s", text, sent, quoted)
		}
	})
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
