package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Talk sends one command over a connection of its own and returns the reply: a string, an int64, nil or a slice of them. It needs no driver, so that a test
// can look at a server without what it tests.
func Talk(address string, command ...string) (any, error) { return TalkAs(address, "", "", command...) }

func readReply(r *bufio.Reader) (any, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return nil, errors.New("redistest: an empty reply")
	}
	rest := line[1:]
	switch line[0] {
	case '+':
		return rest, nil
	case '-':
		return nil, errors.New(rest)
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	}
	n, err := strconv.Atoi(rest)
	if err != nil || n < 0 {
		return nil, err
	}
	if line[0] == '$' {
		text := make([]byte, n+2)
		_, err := io.ReadFull(r, text)
		return string(text[:n]), err
	}
	all := make([]any, n)
	for i := range all {
		if all[i], err = readReply(r); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// TalkAs is [Talk] as a user.
func TalkAs(address, user, password string, command ...string) (any, error) {
	conn, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	if user != "" {
		if err := say(conn, "AUTH", user, password); err != nil {
			return nil, err
		}
		if _, err := readReply(in); err != nil {
			return nil, err
		}
	}
	if err := say(conn, command...); err != nil {
		return nil, err
	}
	return readReply(in)
}

func say(to io.Writer, command ...string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(command))
	for _, word := range command {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
	}
	_, err := io.WriteString(to, b.String())
	return err
}
