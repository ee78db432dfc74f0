package throwaway_test

import (
	"net"
	"strconv"
	"testing"

	"github.com/onceward/onceward/store/internal/throwaway"
)

// A port is free, and is none that the system gives to others.
func TestFreePort(t *testing.T) {
	given, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer given.Close()
	system := given.Addr().(*net.TCPAddr).Port
	for range 50 {
		port, err := throwaway.FreePort()
		if err != nil || port < 10_000 || system >= 32_768 && port >= 32_768 {
			t.Fatalf("%d, %v; the system gives %d", port, err, system)
		}
		if l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err != nil {
			t.Error(err)
		} else {
			l.Close()
		}
	}
}
