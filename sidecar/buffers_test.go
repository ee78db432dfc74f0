package sidecar

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// A body that is closed twice gives its memory back once: by then it may be another reply's.
func TestAClosedReplyTouchesNoOther(t *testing.T) {
	var r replies
	first := r.get(5)
	_, _ = first.buf.ReadFrom(strings.NewReader("first"))
	_ = first.Close()
	second := r.get(6)
	_, _ = second.buf.ReadFrom(strings.NewReader("second"))
	_ = first.Close()
	third := r.get(5)
	_, _ = third.buf.ReadFrom(strings.NewReader("third"))
	if n, err := first.Read(make([]byte, 8)); n != 0 || err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a closed reply was read: %d bytes, %v", n, err)
	}
	for want, reply := range map[string]*wholeReply{"second": second, "third": third} {
		if got, err := io.ReadAll(reply); string(got) != want || err != nil {
			t.Errorf("read %q, %v, want %q", got, err, want)
		}
	}
}
