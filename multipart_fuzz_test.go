package onceward

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"slices"
	"strings"
	"testing"
)

// FuzzMultipart: what mime/multipart writes under two boundaries is one request, and not if anything else differs. What two boundaries make one
// request is the same to mime/multipart's reader, which many a handler uses.
func FuzzMultipart(f *testing.F) {
	f.Add("XX", "YY", "a", "1", "", byte(1))
	f.Add("7MA4YWxkTrZu0gW", "----WebKitFormBoundary7MA4YWxkTrZu0gW", "name\"; x=\"y", strings.Repeat("x", 5000), "--", byte(0))
	f.Add("X", "XX", "a", "\r\n--X", "\r\n--XX--\r\n", byte(0))
	f.Add("a b", "'()+_,-./:=?", "\r\n", "\r\n\r\n", "\r\n", byte(3))
	f.Add("a", "b", "", "\n--b\n", "--a--", byte(7))
	f.Add("a", "b", "", "\r\n--b \r\n", "\r\n--b\t\r\n\r\n", byte(7))
	f.Fuzz(func(t *testing.T, one, two, name, first, second string, at byte) {
		a, ok := written(one, name, first, second)
		b, ok2 := written(two, name, first, second)
		if !ok || !ok2 {
			return
		}
		delimited := false // where a content has a delimiter in it the writer does not mind; it is then another list of parts
		for _, boundary := range []string{one, two} {
			delimited = delimited || strings.Contains(name+"\n"+first+"\n"+second, "--"+boundary)
		}
		if same := sumOf(a.print()) == sumOf(b.print()); !same && !delimited {
			t.Fatalf("%+q and %+q are two requests", a, b)
		} else if same && one != two {
			checkReaders(t, a, b)
		}
		other, ok := written(two, name, first+"x", second)
		moved, ok2 := written(one, name, first+second, "")
		changed := b
		changed.body = flipped(changed.body, int(at))
		for _, c := range []httpCase{other, moved, changed} {
			if ok && ok2 && c.body != a.body && c.body != b.body && sumOf(c.print()) == sumOf(a.print()) {
				checkReaders(t, a, c)
				if !delimited && !slices.Equal(oursOf(a), oursOf(c)) {
					t.Fatalf("%+q and %+q are one request", a, c)
				}
			}
		}
	})
}

// written is a form of two parts, as mime/multipart writes it. It refuses a boundary that is not legal.
func written(boundary, name, first, second string) (httpCase, bool) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	if w.SetBoundary(boundary) != nil {
		return httpCase{}, false
	}
	p, _ := w.CreateFormField(name)
	_, _ = io.WriteString(p, first)
	p, _ = w.CreateFormFile(name, "file")
	_, _ = io.WriteString(p, second)
	_ = w.Close()
	return httpCase{"POST", "h", "/", "", w.FormDataContentType(), body.String()}, true
}

// flipped changes one byte, counted from the end.
func flipped(body string, at int) string {
	b := []byte(body)
	b[len(b)-1-at%len(b)] ^= 1
	return string(b)
}

// oursOf lists headers and contents as the fingerprint sees them; nil if it takes the body byte by byte.
func oursOf(c httpCase) (parts []string) {
	media := parseMediaType(c.media)
	boundary, ok := media.boundary()
	delimiter := []byte("\r\n--" + boundary)
	if !ok || !wellFormed([]byte(c.body), delimiter) {
		return nil
	}
	p := openParts([]byte(c.body), delimiter)
	for {
		header, content, found := p.next()
		if !found {
			return parts
		}
		parts = append(parts, string(header), string(content))
	}
}

// checkReaders holds two bodies with one fingerprint to what mime/multipart reads in them.
func checkReaders(t *testing.T, a, b httpCase) {
	t.Helper()
	x, errX := theirsOf(a)
	y, errY := theirsOf(b)
	if (errX == nil) != (errY == nil) || !slices.Equal(x, y) {
		t.Fatalf("%+q and %+q have one fingerprint, but mime/multipart reads %+q, %v and %+q, %v", a, b, x, errX, y, errY)
	}
}

// theirsOf lists names and contents as mime/multipart reads them.
func theirsOf(c httpCase) (parts []string, err error) {
	_, params, err := mime.ParseMediaType(c.media)
	if err != nil {
		return nil, err
	}
	r := multipart.NewReader(strings.NewReader(c.body), params["boundary"])
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts, nil
		}
		if err != nil {
			return parts, err
		}
		content, err := io.ReadAll(p)
		if err != nil {
			return parts, err
		}
		parts = append(parts, p.FormName()+"\x00"+p.FileName(), string(content))
	}
}

// FuzzMultipartBody does so with any body: where the fingerprint takes it part by part, mime/multipart finds the same parts, or a fault. It
// may find that a header ends earlier, at a bare line feed; the fingerprint has both, whole.
func FuzzMultipartBody(f *testing.F) {
	for _, body := range []string{
		formBody, "", "--XX--", "--XX--\r\n", "--XX\r\n\r\n\r\n--XX--", "--XX\r\na: b\r\n\r\n1\r\n--XX\r\n\r\n2\r\n--XX--\r\n", "--XX\n\n1\n--XX--\n", "\r\n--XX--\r\n",
		"--XX\r\nno blank line\r\n--XX--", "--XX\r\n\r\n1\r\n--XXX\r\n\r\n2\r\n--XX--", "--XX \r\n\r\n1\r\n--XX--", "--XX\r\n\r\n1\r\n--XX-- \r\n", "--XX\r\n\r\n1\r\n--XX--\r\n\r\n",
		"preamble\r\n--XX\r\n\r\n1\r\n--XX--", "--XX\r\n\r\n1\n--XX\n\n2\r\n--XX--", "--XX\r\n\r\n1\r\n--XX-\r\n--XX--", "--XX\r\n\r\n\r\n\r\n--XX--\r\n",
	} {
		f.Add("XX", []byte(body))
		f.Add("Y", []byte(body))
	}
	f.Fuzz(func(t *testing.T, boundary string, body []byte) {
		w := multipart.NewWriter(io.Discard)
		if w.SetBoundary(boundary) != nil {
			return
		}
		c := httpCase{media: w.FormDataContentType(), body: string(body)}
		ours := oursOf(c)
		media := parseMediaType(c.media)
		if _, ok := sumMultipart(nil, &media, body); ok != (ours != nil) && string(bytes.TrimSuffix(body, []byte("\r\n"))) != "--"+boundary+"--" {
			t.Fatalf("taken part by part: %v; parts %+q", ok, ours)
		}
		if ours == nil {
			return
		}
		theirs, err := theirsOf(c)
		if err != nil {
			return
		}
		if len(theirs) != len(ours) {
			t.Fatalf("parts %+q, mime/multipart reads %+q", ours, theirs)
		}
		for i := 1; i < len(theirs); i += 2 {
			if part := ours[i-1] + "\r\n\r\n" + ours[i]; !strings.HasSuffix(part, theirs[i]) || len(theirs[i]) < len(ours[i]) {
				t.Fatalf("part %d is %+q, mime/multipart reads %+q", i/2, part, theirs[i])
			}
		}
	})
}
