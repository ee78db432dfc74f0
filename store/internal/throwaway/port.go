package throwaway

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Where FreePort takes ports from: below those that systems give to whoever asks for any, and to outgoing connections (Linux from 32768 on, others from 49152).
const (
	lowest  = 10_000
	highest = 32_767
)

// FreePort is a port of the loopback at which nobody listened just now. While its server is down, between a kill and a restart, nobody else gets it by chance, and no client that tries to reach the server
// gets a connection to itself, as may happen with a port that the system has chosen.
func FreePort() (port int, err error) {
	for range 100 {
		port = lowest + rand.IntN(highest-lowest+1) //nolint:gosec // it is no secret
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.Join(errors.New("throwaway: no port is free"), err)
}
