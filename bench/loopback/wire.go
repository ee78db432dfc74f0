// Package loopback measures what the middleware costs a server on real sockets, with 32 connections on the loopback interface.
package loopback

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

const connections = 32

var requestBody = bytes.Repeat([]byte("r"), 256)

// caller is one connection that speaks as little HTTP/1.1 as the measurement needs, so that the processors are the server's.
type caller struct {
	conn  net.Conn
	in    *bufio.Reader
	out   []byte
	front []byte // the request up to its key
}

func dial(addr, path string) (*caller, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	front := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/octet-stream\r\nX-User: alice\r\nContent-Length: %d\r\nIdempotency-Key: ",
		path, addr, len(requestBody))
	return &caller{conn: conn, in: bufio.NewReaderSize(conn, 8<<10), front: []byte(front)}, nil
}

var errReply = errors.New("loopback: not the reply that was expected")

// send does one exchange and reads the reply whole.
func (c *caller) send(key string) error {
	c.out = append(append(c.out[:0], c.front...), key...)
	c.out = append(append(c.out, "\r\n\r\n"...), requestBody...)
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("%w: %s", errReply, bytes.TrimSpace(line))
	}
	length := -1
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
	}
	if length != replySize {
		return fmt.Errorf("%w: it has %d bytes", errReply, length)
	}
	_, err = io.CopyN(io.Discard, c.in, int64(length))
	return err
}

// callers are the connections of one contender.
type callers []*caller

func dialAll(addr, path string) (callers, error) {
	var all callers
	for range connections {
		c, err := dial(addr, path)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func (all callers) close() {
	for _, c := range all {
		c.conn.Close()
	}
}

// send deals the keys out to the connections.
func (all callers) send(keys []string) error {
	return all.deal(keys, func(c *caller, _ int, key string) error { return c.send(key) })
}

// timed is send, and says how long each exchange took.
func (all callers) timed(keys []string) ([]time.Duration, error) {
	took := make([]time.Duration, len(keys))
	err := all.deal(keys, func(c *caller, i int, key string) error {
		began := time.Now()
		err := c.send(key)
		took[i] = time.Since(began)
		return err
	})
	return took, err
}

func (all callers) deal(keys []string, exchange func(c *caller, i int, key string) error) error {
	errs := make([]error, len(all))
	var working sync.WaitGroup
	for i, c := range all {
		first, end := i*len(keys)/len(all), (i+1)*len(keys)/len(all)
		working.Go(func() {
			for at := first; at < end && errs[i] == nil; at++ {
				errs[i] = exchange(c, at, keys[at])
			}
		})
	}
	working.Wait()
	return errors.Join(errs...)
}
