package python

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/retry"
)

// answers runs a Python program that reads JSON from stdin, and decodes what it prints.
func answers[T any](t *testing.T, program string, questions any) (all []T) {
	t.Helper()
	text, err := json.Marshal(questions)
	if err != nil {
		t.Fatal(err)
	}
	out := run(t, text, "-c", "import client, json, sys, time\n"+program)
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatalf("%v in %.200s", err, out)
	}
	return all
}

// proofs are the words of the Go client's table, by those of the Python client's.
var proofs = map[string]string{
	"executed": retry.Proven.String(), "answered": retry.Answered.String(), "not this one": retry.Clear.String(), "unknown": retry.Doubtful.String(),
}

// ends that only the Go client tells apart: the Python client has no hook and no caller's context, mints every key itself, and
// says of a reply over the limit only that it is one.
var goOnly = []retry.End{retry.EndRefusedHere, retry.EndCancelled, retry.EndReplyTooLarge}

func otherEnds() (rows []retry.Row) {
rows:
	for _, row := range retry.Table() {
		for _, end := range goOnly {
			if row.End == end {
				continue rows
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// The Python client's table is the document's.
func TestTablesAgree(t *testing.T) {
	t.Parallel()
	type line struct {
		Name, Then, Proof string
		Believed          bool
	}
	program := `print(json.dumps([dict(Name=n.lstrip("#"), Then=t, Proof=p, Believed=n in client.BELIEVED) for n, (t, p) in client.ENDS.items()]))`
	got := map[string]line{}
	for _, l := range answers[line](t, program, nil) {
		got[l.Name] = l
	}
	rows := otherEnds()
	for _, row := range rows {
		then := row.Next.String()
		if row.Next == retry.Retry {
			then = row.Pace.String()
		}
		proof := row.Proof
		if proof == retry.ClearIfMinted {
			proof = retry.Clear
		}
		if l := got[row.Name]; l.Then != then || proofs[l.Proof] != proof.String() || l.Believed != row.Believes {
			t.Errorf("%s: Python has %+v; want %s, %s, believed %v", row.Name, l, then, proof, row.Believes)
		}
	}
	if len(got) != len(rows) {
		t.Errorf("Python has %d ends, the table %d", len(got), len(rows))
	}
}

// wire is a whole reply.
type wire struct {
	Status int
	Header map[string]string
	Body   string
}

func replies() (all []wire) {
	problem := func(kind string) string { return fmt.Sprintf(`{"type":%q,"safe_new_key":true}`, kind) }
	bodies := []string{"", "{", "[]", "null", "3", `{"type":3}`, problem("about:blank"), problem(oncehttp.ProblemBase), problem(oncehttp.ProblemBase + "new")}
	for _, row := range retry.Table() {
		bodies = append(bodies, problem(oncehttp.ProblemBase+row.Name))
	}
	for _, status := range []int{200, 302, 401, 404, 408, 409, 425, 429, 500, 503, 599, 600} {
		for _, mark := range []string{"", oncehttp.OutcomeSaved, oncehttp.OutcomeFreed, oncehttp.OutcomeDoubted, "else"} {
			for _, replayed := range []string{"", "true"} {
				for i, body := range bodies {
					kind := oncehttp.ProblemType
					if i%4 == 3 {
						kind = "Application/Problem+JSON; charset=utf-8"
					}
					if body == "null" {
						kind = "application/json"
					}
					all = append(all, wire{status, map[string]string{"Content-Type": kind, oncehttp.HeaderOutcome: mark, oncehttp.HeaderReplayed: replayed}, body})
				}
			}
		}
	}
	return all
}

// RoundTrip makes a wire the reply to every request.
func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	h := http.Header{}
	for name, value := range w.Header {
		if value != "" {
			h.Set(name, value)
		}
	}
	return &http.Response{StatusCode: w.Status, ProtoMajor: 1, ProtoMinor: 1, Header: h, Body: io.NopCloser(strings.NewReader(w.Body)),
		ContentLength: int64(len(w.Body)), Request: r}, nil
}

// reader is a Go client that says what it takes replies for.
type reader struct {
	*oncehttp.Client
	wire
	end retry.End
}

func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{}
	c, err := oncehttp.NewClient(oncehttp.ClientConfig{
		Transport: r, Policy: retry.Policy{Attempts: 1},
		Clock:    retry.Clock{Sleep: func(context.Context, time.Duration) error { return context.Canceled }}, // a poll is not the question
		Observer: retry.Observer{Attempt: func(_ context.Context, _ onceward.Key, a retry.Attempt) { r.end = a.End }},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Client = c
	return r
}

func (r *reader) endOf(t *testing.T, w wire) retry.End {
	t.Helper()
	r.wire, r.end = w, 0
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://bank.example/", bytes.NewReader(nil))
	if resp, _ := r.Do(req); resp != nil {
		resp.Body.Close()
	}
	return r.end
}

// Every reply means the same to both clients.
func TestEndsOfRepliesAgree(t *testing.T) {
	t.Parallel()
	all := replies()
	program := `
def reply(w):
    headers = client.http.client.HTTPMessage()
    for name, value in w["Header"].items():
        if value: headers[name] = value
    return client.Reply(w["Status"], headers, w["Body"].encode())
print(json.dumps([client.end_of(reply(w))[0].lstrip("#") for w in json.load(sys.stdin)]))`
	got, goClient := answers[string](t, program, all), newReader(t)
	for i, w := range all {
		end := goClient.endOf(t, w)
		if got[i] != end.String() {
			t.Errorf("%d %v %s: Python says %s, Go %s", w.Status, w.Header, w.Body, got[i], end)
		}
	}
	t.Logf("%d replies", len(all))
}

// life is what happens to one operation, attempt by attempt.
type life struct {
	Age   int  // of the key at the beginning, in seconds
	Doubt bool // it was read back
	Steps []step
}

type step struct {
	End        string // with "#" if it is a problem's
	Safe       bool
	RetryAfter int // seconds
	Window     int // seconds; 0: not told

	end retry.End
}

// ending is the step as the Go client's loop is told of it.
func (s step) ending() retry.Ending {
	return retry.Ending{
		End: s.end, SafeNewKey: s.Safe, Sends: 1,
		RetryAfter: time.Duration(s.RetryAfter) * time.Second, Window: time.Duration(s.Window) * time.Second,
	}
}

// lives draws lives; each ends with a reply that is final, so that polls do too.
func lives(t *testing.T, draw *rand.Rand, n int) []life {
	t.Helper()
	rows, problem := otherEnds(), problemNames(t)
	all := make([]life, n)
	for i := range all {
		l := &all[i]
		l.Doubt = draw.IntN(4) == 0
		if draw.IntN(6) == 0 {
			l.Age = 40_000 * draw.IntN(4)
		}
		for range 1 + draw.IntN(5) {
			row := rows[draw.IntN(len(rows))]
			s := step{End: problem[row.Name] + row.Name, end: row.End, Safe: problem[row.Name] != "" && draw.IntN(2) == 0}
			if draw.IntN(5) == 0 {
				s.RetryAfter = 1 + 15*draw.IntN(4)
			}
			if draw.IntN(5) == 0 {
				s.Window = 30_000 * (1 + draw.IntN(4))
			}
			l.Steps = append(l.Steps, s)
		}
		l.Steps = append(l.Steps, step{End: "failure", end: retry.EndFailure})
	}
	return all
}

// problemNames has "#" for every name of a problem.
func problemNames(t *testing.T) map[string]string {
	t.Helper()
	names, goClient := map[string]string{}, newReader(t)
	for _, row := range retry.Table() {
		w := wire{409, map[string]string{"Content-Type": oncehttp.ProblemType}, fmt.Sprintf(`{"type":%q}`, oncehttp.ProblemBase+row.Name)}
		if goClient.endOf(t, w) == row.End && row.End != retry.EndProblemUnknown {
			names[row.Name] = "#"
		}
	}
	return names
}

// Whatever happens to an operation, both clients make as many attempts of it and tell the same fate.
func TestFatesOfLivesAgree(t *testing.T) {
	t.Parallel()
	draw := rand.New(rand.NewPCG(seed(t), 0))
	all := lives(t, draw, count(4_000, 200_000))
	type end struct {
		Fate     string
		Attempts int
	}
	program := `
time.sleep = lambda seconds: None
def live(l):
    op = client.Operation("POST", "http://bank.example/", "", minted=time.time() - l["Age"], doubt=l["Doubt"])
    steps = iter(l["Steps"])
    made = []
    def attempt(*_):
        s = next(steps)
        made.append(s)
        headers = client.http.client.HTTPMessage()
        if s["RetryAfter"]: headers["Retry-After"] = str(s["RetryAfter"])
        if s["Window"]: headers["Onceward-Window"] = str(s["Window"])
        return s["End"], s["Safe"], client.Reply(0, headers, b"")
    client.attempt = attempt
    return dict(Fate=client.send(op)[0], Attempts=len(made))
print(json.dumps([live(l) for l in json.load(sys.stdin)]))`
	got := answers[end](t, program, all)
	fates := map[string]int{}
	for i, l := range all {
		want := liveInGo(t, l)
		fates[want]++
		if told := fmt.Sprint(got[i].Fate, ", ", got[i].Attempts); told != want {
			t.Errorf("%+v: Python says %s, Go %s", l, told, want)
		}
	}
	t.Log(fates)
	if len(fates) < 10 {
		t.Error("the lives are too much alike")
	}
}

var budget, _ = retry.NewBudget(retry.BudgetConfig{Capacity: 1e9})

func liveInGo(t *testing.T, l life) string {
	t.Helper()
	now := time.Now()
	loop, err := retry.New(retry.Config{Budget: budget, Clock: retry.Clock{
		Now: func() time.Time { return now }, Monotonic: func() time.Duration { return 0 }, Sleep: func(context.Context, time.Duration) error { return nil },
	}})
	if err != nil {
		t.Fatal(err)
	}
	key, err := onceward.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	op := retry.Operation{Key: key, Minted: true, Host: "bank", History: retry.NewHistory(now.Add(-time.Duration(l.Age)*time.Second), l.Doubt)}
	made := 0
	_, err = retry.Do(t.Context(), loop, op, func(context.Context, int) (string, retry.Ending) {
		made++
		return "", l.Steps[made-1].ending()
	})
	return onceward.FateOf(err).String() + ", " + strconv.Itoa(made)
}
