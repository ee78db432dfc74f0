package onceward

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/onceward/onceward/store"
)

func sumOf(f Fingerprint) string { return hex.EncodeToString(f.Versions()[0].Sum[:]) }

// httpCase is one request; with changes one field and keeps the rest.
type httpCase struct{ method, host, path, query, media, body string }

var order = httpCase{"POST", "shop.example", "/orders", "dry=1", "application/json", `{"sku":"b-1","n":2}`}

func (c httpCase) with(change func(*httpCase)) httpCase { change(&c); return c }

func (c httpCase) print() Fingerprint {
	return HTTPFingerprint(c.method, c.host, c.path, c.query, c.media, []byte(c.body))
}

const (
	formType = `multipart/form-data; boundary=XX`
	formBody = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--XX\r\n\r\n\r\n--XX--\r\n"
)

// Fingerprints are stored: these were computed with another implementation and must never change. A new recipe is a new version.
func TestFingerprintV1Golden(t *testing.T) {
	for _, c := range []struct {
		print Fingerprint
		want  string
	}{
		{order.print(), "60bf00fa9ff5bbc573d0e6633f7a9b81f795d070301b7533fdf24126e98fa56b"},
		{httpCase{"", "Shop.Example:443", "/a%2Fb", "", ` Text/Plain ;Format=flowed; charset="u\tf-8"`, strings.Repeat("x", 5000)}.print(), "ac08113d62315f07019b2008d593bfce80302bc5ee95f4bcd2b262d724426e8d"},
		{httpCase{"PUT", "[::1]:8080", "/", "", "", ""}.print(), "14ca2cee723d6a980e55a51fb63b32e13a82fa9fdfbe45bd72b45368ec4ddb2e"},
		{httpCase{"POST", "h", "/", "", formType, formBody}.print(), "b1e90cac552af371677fc86bc20cbe19048ae295a54fb573b967fdf8d11577ef"},
		{httpCase{"POST", "h", "/", "", "not a media type", "b"}.print(), "ffcf6d90a42d2261c0df14511050fc2b6b08b24a648850abd9fd41bdc53bca61"},
		{BytesFingerprint("transfer", []byte("abc")), "413c484c313f0fd508884850b0193b950159820f8f7864d39ab06d70df6cf323"},
	} {
		if got := sumOf(c.print); got != c.want || c.print.Versions()[0].Version != 1 || len(c.print.Versions()) != 1 {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	if len(Fingerprint{}.Versions()) != 0 {
		t.Error("the zero fingerprint has versions")
	}
}

func TestFingerprintTakesForTheSame(t *testing.T) {
	for name, change := range map[string]func(*httpCase){
		"host in capitals": func(c *httpCase) { c.host = "Shop.EXAMPLE" },
		"port 80":          func(c *httpCase) { c.host += ":80" },
		"port 443":         func(c *httpCase) { c.host += ":443" },
		"empty port":       func(c *httpCase) { c.host += ":" },
		"type in capitals": func(c *httpCase) { c.media = "\tApplication/JSON " },
		"stray semicolon":  func(c *httpCase) { c.media += " ; " },
	} {
		if got := order.with(change).print(); sumOf(got) != sumOf(order.print()) {
			t.Errorf("%s makes another request", name)
		}
	}
	if a, b := (httpCase{host: "[::1]:443"}), (httpCase{method: "GET", host: "[::1]"}); sumOf(a.print()) != sumOf(b.print()) {
		t.Error("port of an IPv6 address, or GET")
	}
	types := []string{`a/b; x=1; Charset="utf-8"`, `A/B;charset=utf-8;x=1`, `a/b;CHARSET="u\tf\-8"; X="1"`}
	for _, media := range types {
		c := order.with(func(c *httpCase) { c.media = media })
		if d := order.with(func(c *httpCase) { c.media = types[0] }); sumOf(c.print()) != sumOf(d.print()) {
			t.Errorf("%s is not %s", media, types[0])
		}
	}
}

func TestFingerprintKeepsApart(t *testing.T) {
	cases := []httpCase{
		order,
		order.with(func(c *httpCase) { c.method = "post" }),
		order.with(func(c *httpCase) { c.method = "PUT" }),
		order.with(func(c *httpCase) { c.host = "shop.example:8080" }),
		order.with(func(c *httpCase) { c.host = "shop.example:8443" }),
		order.with(func(c *httpCase) { c.path = "/Orders" }),
		order.with(func(c *httpCase) { c.path = "/orders/" }),
		order.with(func(c *httpCase) { c.path = "/order"; c.query = "sdry=1" }),
		order.with(func(c *httpCase) { c.path = "/ordersd"; c.query = "ry=1" }),
		order.with(func(c *httpCase) { c.path = "/orders?dry=1"; c.query = "" }),
		order.with(func(c *httpCase) { c.query = "" }),
		order.with(func(c *httpCase) { c.query = "Dry=1" }),
		order.with(func(c *httpCase) { c.query, c.media = c.media, c.query }),
		order.with(func(c *httpCase) { c.media = "text/plain" }),
		order.with(func(c *httpCase) { c.media = "" }),
		order.with(func(c *httpCase) { c.media = "application/json;charset=utf-8" }),
		order.with(func(c *httpCase) { c.media = "application/json;charset=UTF-8" }),
		order.with(func(c *httpCase) { c.media = "application/json;charset=utf-8;charset=x" }),
		order.with(func(c *httpCase) { c.media = "application/json;charset=x;charset=utf-8" }),
		order.with(func(c *httpCase) { c.media = "application/json;boundary=x" }),
		order.with(func(c *httpCase) { c.body = "" }),
		order.with(func(c *httpCase) { c.body += " " }),
		order.with(func(c *httpCase) { c.body = `{"n":2,"sku":"b-1"}` }),
		order.with(func(c *httpCase) { c.body = strings.Repeat("x", 3000) }),
		order.with(func(c *httpCase) { c.body = strings.Repeat("x", 3001) }),
	}
	seen := map[string]httpCase{}
	for _, c := range cases {
		sum := sumOf(c.print())
		if other, twice := seen[sum]; twice {
			t.Errorf("%+v and %+v are one request", c, other)
		}
		seen[sum] = c
	}
}

// Malformed types, or too many parameters, count as they are: that is only stricter.
func TestFingerprintOfAMalformedMediaType(t *testing.T) {
	many := "a/b"
	for i := range maxMediaParams + 1 {
		many += fmt.Sprintf(";p%d=1", i)
	}
	for _, media := range []string{"a", "a/", "/b", "a/b/c", "a b/c", "a/b;x", "a/b;=1", "a/b;x=", `a/b;x="1`, `a/b;x="1\`, "a/b;x=1 y=2", "a/b;x y=1", "ä/b", many} {
		if m := parseMediaType(media); m.name != "" || m.count != 0 || m.whole != media {
			t.Errorf("%s parses as %q with %d parameters", media, m.name, m.count)
		}
		lower := order.with(func(c *httpCase) { c.media = media })
		upper := order.with(func(c *httpCase) { c.media = strings.ToUpper(media) })
		if sumOf(lower.print()) == sumOf(upper.print()) {
			t.Errorf("%s is taken apart", media)
		}
	}
}

func form(boundary string, parts ...string) httpCase {
	c := order
	c.media = "multipart/form-data; boundary=" + boundary
	c.body = ""
	for _, part := range parts {
		c.body += "--" + boundary + "\r\n" + part + "\r\n"
	}
	c.body += "--" + boundary + "--\r\n"
	return c
}

func TestFingerprintIgnoresTheBoundary(t *testing.T) {
	parts := []string{"Content-Disposition: form-data; name=\"a\"\r\n\r\n1", "A: b\r\nC: d\r\n\r\n", "\r\nno header, --XX in it", "\r\n"}
	for n := range len(parts) + 1 {
		a, b := form("XX1", parts[:n]...), form(`7MA4YWxkTrZu0gW`, parts[:n]...)
		quoted := form("XX1", parts[:n]...)
		quoted.media = `Multipart/Form-Data; Boundary="XX1"`
		bare := form("XX1", parts[:n]...)
		bare.body = strings.TrimSuffix(bare.body, "\r\n")
		for _, c := range []httpCase{b, quoted, bare} {
			if sumOf(a.print()) != sumOf(c.print()) {
				t.Errorf("%d parts: %q is another request", n, c.body)
			}
		}
	}
}

func TestFingerprintKeepsPartsApart(t *testing.T) {
	seen := map[string]string{}
	for _, c := range []httpCase{
		form("XX"),
		form("XX", "\r\n"),
		form("XX", "\r\n", "\r\n"),
		form("XX", "A: b\r\n\r\n1", "A: c\r\n\r\n2"),
		form("XX", "A: c\r\n\r\n2", "A: b\r\n\r\n1"),
		form("XX", "A: b\r\n\r\n12", "A: c\r\n\r\n"),
		form("XX", "A: b\r\nA: c\r\n\r\n12"),
		form("XX", "a: b\r\n\r\n1", "A: c\r\n\r\n2"),
		form("XX", "A: b\r\n\r\n1\r\n\r\nA: c\r\n\r\n2"),
		form("XX", "A: b\r\n\r\n1").with(func(c *httpCase) { c.media += "; x=1" }),
		form("XX", "A: b\r\n\r\n1").with(func(c *httpCase) { c.media = "multipart/mixed; boundary=XX" }),
		form("XX", "A: b\r\n\r\n1").with(func(c *httpCase) { c.media = "text/plain; boundary=XX" }),
	} {
		sum := sumOf(c.print())
		if other, twice := seen[sum]; twice {
			t.Errorf("%q and %q are one request", c.body, other)
		}
		seen[sum] = c.body
	}
}

// Bodies that do not keep to the grammar count byte by byte and with their boundary.
func TestFingerprintOfAMalformedMultipart(t *testing.T) {
	good := form("XX", "A: b\r\n\r\n1", "A: c\r\n\r\n2")
	for name, change := range map[string]func(*httpCase){
		"cut":                   func(c *httpCase) { c.body = c.body[:len(c.body)-5] },
		"preamble":              func(c *httpCase) { c.body = "\r\n" + c.body },
		"epilogue":              func(c *httpCase) { c.body += "x" },
		"bare line feeds":       func(c *httpCase) { c.body = strings.ReplaceAll(c.body, "\r", "") },
		"no blank line":         func(c *httpCase) { c.body = strings.Replace(c.body, "\r\n\r\n", "\r\n", 1) },
		"padding":               func(c *httpCase) { c.body = strings.Replace(c.body, "--XX\r\n", "--XX \r\n", 1) },
		"boundary in a content": func(c *httpCase) { c.body = strings.Replace(c.body, "1\r\n", "1\r\n--XXX\r\n", 1) },
		"boundary behind a LF":  func(c *httpCase) { c.body = strings.Replace(c.body, "1\r\n", "1\n--XX\r\n", 1) },
		"boundary in a header":  func(c *httpCase) { c.body = strings.Replace(c.body, "A: b\r\n", "A: --XX\r\n", 1) },
		"two parts for others":  func(c *httpCase) { c.body = strings.Replace(c.body, "A: b\r\n", "A: b\n\n--XX\r\n", 1) },
		"empty":                 func(c *httpCase) { c.body = "" },
	} {
		bad := good.with(change)
		other := bad.with(func(c *httpCase) {
			c.body, c.media = strings.ReplaceAll(c.body, "--XX", "--YY"), strings.Replace(c.media, "XX", "YY", 1)
		})
		media := parseMediaType(bad.media)
		if _, ok := sumMultipart(nil, &media, []byte(bad.body)); ok || sumOf(bad.print()) == sumOf(other.print()) || sumOf(bad.print()) == sumOf(good.print()) {
			t.Errorf("%s: taken part by part", name)
		}
	}
	for _, media := range []string{
		"multipart/form-data", "multipart/form-data; boundary=XX; boundary=XX", `multipart/form-data; boundary="X`, `multipart/form-data; boundary=""`,
		`multipart/form-data; boundary="X\X"`, `multipart/form-data; boundary="XX "`, "multipart/form-data; boundary=" + strings.Repeat("X", 71), "multipart", "application/json; boundary=XX",
	} {
		m := parseMediaType(media)
		if boundary, ok := m.boundary(); ok {
			t.Errorf("%s has the boundary %q", media, boundary)
		}
	}
}

func TestBytesFingerprintKeepsKindsApart(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range []Fingerprint{
		BytesFingerprint("a", []byte("bc")), BytesFingerprint("ab", []byte("c")), BytesFingerprint("", []byte("abc")),
		BytesFingerprint("abc", nil), BytesFingerprint("A", []byte("bc")), HTTPFingerprint("", "", "", "", "", []byte("abc")),
	} {
		seen[sumOf(f)] = true
	}
	if len(seen) != 6 {
		t.Errorf("%d fingerprints of 6", len(seen))
	}
}

func TestHintOnlyOfJSON(t *testing.T) {
	for media, want := range map[string]bool{
		"application/json": true, "Application/JSON; charset=utf-8": true, "application/problem+json": true, "application/vnd.x+JSON": true,
		"text/plain": false, "": false, "application/jsonl": false, "+json": false, "json": false, "application/json;": true,
	} {
		c := order.with(func(c *httpCase) { c.media = media })
		if got := c.print().Hint() != 0; got != want {
			t.Errorf("%s: hint is %v", media, got)
		}
	}
	a, b := order.print(), order.with(func(c *httpCase) { c.body = `{ "n":2, "sku":"b-1" }` }).print()
	if a.Hint() != b.Hint() || sumOf(a) == sumOf(b) {
		t.Error("the hint sees an order of members, or the fingerprint does not")
	}
	if BytesFingerprint("application/json", []byte("{}")).Hint() == 0 || BytesFingerprint("transfer", []byte("{}")).Hint() != 0 {
		t.Error("hint of bytes")
	}
}

var keptPrints []store.Fingerprint

func BenchmarkHTTPFingerprint(b *testing.B) {
	for _, size := range []int{256, 4 << 10, 1 << 20} {
		body := jsonOfSize(size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				f := HTTPFingerprint("POST", "api.shop.example", "/v1/orders", "", "application/json", body)
				keptPrints = f.Versions()
			}
		})
	}
	body := []byte(form("7MA4YWxkTrZu0gW", "A: b\r\n\r\n"+strings.Repeat("x", 4096)).body)
	b.Run("multipart", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f := HTTPFingerprint("POST", "api.shop.example", "/v1/orders", "", "multipart/form-data; boundary=7MA4YWxkTrZu0gW", body)
			keptPrints = f.Versions()
		}
	})
}

// jsonOfSize returns an order of about size bytes, with the mix of names, texts and numbers that APIs have.
func jsonOfSize(size int) []byte {
	b := []byte(`{"customer":"c-81723","currency":"EUR","lines":[`)
	for i := 0; len(b) < size-70; i++ {
		b = fmt.Appendf(b, `{"sku":"sku-%05d","quantity":%d,"price":%d.99},`, i, i%7, i*13%500)
	}
	b = append(b, `{}],"note":"`...)
	for len(b) < size-2 {
		b = append(b, 'x')
	}
	return append(b, `"}`...)
}
