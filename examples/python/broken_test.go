package python

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
)

// Replies that are no replies: what the server writes before it hangs up, or keeps silent for ever, and how the attempt ends.
var broken = []struct {
	bytes  string
	silent bool
	end    string
}{
	{"", false, "cut-off"},
	{"HTTP/1.1 201 Cre", false, "cut-off"},
	{"no HTTP at all", false, "cut-off"},
	{"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\nContent-Type: application/prob", false, "cut-off"},
	{"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n", false, "cut-off"},
	{"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{\"row\"", false, "reply-cut"},
	{"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"row\":7}\r\n", false, "reply-cut"},
	{"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", false, "reply-cut"},
	{"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"row\":7}\r\n0\r\n", false, "reply-cut"},
	{"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"row\":7}\r\n0\r\n\r\n", false, "success"},
	{"HTTP/1.1 201 Created\r\nContent-Length: 9000000\r\n\r\n" + string(make([]byte, 8<<20+1)), false, "reply-too-large-open"},
	{"", true, "attempt-timeout"},
	{"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{", true, "attempt-timeout"},
	{"HTTP/1.1 201 Created\r\n\r\n{\"row\":7}", true, "attempt-timeout"}, // its end is the connection's, and that was ours
	{"HTTP/1.1 201 Created\r\n\r\n{\"row\":7}", false, "success"},
	{"HTTP/1.1 103 Early Hints\r\n\r\n", true, "odd-status"}, // http.client takes it for a reply; unknown is honest
}

// An attempt ends when the whole reply has been read, or when its time is over.
func TestBrokenRepliesAreSeen(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answerBroken(conn)
		}
	}()
	program := fmt.Sprintf(`
def end(i, limit): return client.attempt(client.Operation("POST", f"http://%s/{i}", "{}"), limit, 117, {})[0]
import concurrent.futures
limits = json.load(sys.stdin)
with concurrent.futures.ThreadPoolExecutor(16) as pool: print(json.dumps(list(pool.map(end, range(len(limits)), limits))))`, listener.Addr())
	limits := make([]float64, len(broken)) // seconds
	for i, b := range broken {
		if limits[i] = 30; b.end == "attempt-timeout" {
			limits[i] = 0.3
		}
	}
	for i, end := range answers[string](t, program, limits) {
		if end != broken[i].end {
			t.Errorf("%.70q, silent %v: %s, want %s", broken[i].bytes, broken[i].silent, end, broken[i].end)
		}
	}
}

func answerBroken(conn net.Conn) {
	defer conn.Close()
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, req.Body)
	i, _ := strconv.Atoi(req.URL.Path[1:])
	_, _ = io.WriteString(conn, broken[i].bytes)
	if broken[i].silent {
		_, _ = conn.Read(make([]byte, 1)) // until the client goes
	}
}

// A refused connection is proof that nothing was sent: after four of them the operation is not executed.
func TestRefusedConnectionIsProof(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	program := fmt.Sprintf(`
op = client.Operation("POST", "http://%s/", "{}")
policy = client.Policy(transient=0)
print(json.dumps([client.send(op, policy=policy)[0], client.send(client.Operation.load(op.save()), policy=policy)[0]]))`, listener.Addr())
	if got := fmt.Sprint(answers[string](t, program, nil)); got != "[not executed unknown]" {
		t.Errorf("fresh and read back: %s; want not executed, and unknown, for who knows what was sent before", got)
	}
}
