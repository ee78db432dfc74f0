package sidecar

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// slowly takes a second for each read.
type slowly struct{ io.Reader }

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(time.Second)
	return s.Reader.Read(p)
}

func TestAddedTimeIsOurOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, spent := time.Now(), new(timer)
		body := &reading{io.NopCloser(slowly{strings.NewReader("x")}), spent}
		if _, err := io.ReadAll(body); err != nil { // two reads
			t.Error(err)
		}
		time.Sleep(time.Millisecond)
		if own := spent.over(began); own != time.Millisecond {
			t.Errorf("our own time is %v, want 1ms", own)
		}
	})
}
