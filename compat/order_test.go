package compat

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// The tests of docs/middleware-order.md: what goes wrong when a middleware stands on the wrong side of ours, and that it goes right on the other.
// A test that fails because the wrong side does no harm any more asks for a change of that page.

// site is a guarded handler with middleware around it.
type site struct {
	*httptest.Server
	t    *testing.T
	shop *shop
}

// wired is what a site is made of. Outside and inside are in the order in which a request passes them.
type wired struct {
	outside, inside []wrapper
	cfg             onceward.Config
	scope           oncehttp.ScopeFunc                                   // default byUser
	handler         func(*shop) func(http.ResponseWriter, *http.Request) // default: takes orders
}

func build(t *testing.T, w wired) *site {
	t.Helper()
	s := &site{t: t, shop: newShop()}
	if w.scope == nil {
		w.scope = byUser
	}
	once, err := oncehttp.Middleware(guardOf(t, memstore.New(memstore.Config{}), w.cfg), w.scope, oncehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var h http.Handler = orderHandler(s.shop)
	if w.handler != nil {
		h = http.HandlerFunc(w.handler(s.shop))
	}
	for _, wrap := range slices.Backward(slices.Concat(w.outside, []wrapper{once}, w.inside)) {
		h = wrap(h)
	}
	s.Server = httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// post sends an order for tea, with more headers: name, value, name, value.
func (s *site) post(key, body string, headers ...string) answer {
	s.t.Helper()
	r := request(s.t, s.URL+"/orders", key, body)
	for n := 0; n < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	return send(r)
}

type userKey struct{}

// user is what auth has established.
func user(r *http.Request) (string, error) {
	name, _ := r.Context().Value(userKey{}).(string)
	return name, nil
}

// auth takes a bearer token for a user's name.
func auth(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := map[string]string{"Bearer a1": "alice", "Bearer a2": "alice", "Bearer m1": "mallory"}[r.Header.Get("Authorization")]
		if !ok {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, name)))
	})
}

var testName = regexp.MustCompile("`(Test\\w+)`")

// The page names a test for each statement, and has a statement for each test.
func TestOrderPageNamesItsTests(t *testing.T) {
	page, err := os.ReadFile("../docs/middleware-order.md")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, match := range testName.FindAllStringSubmatch(string(page), -1) {
		named = append(named, match[1])
	}
	have := testsHere(t)
	for _, name := range named {
		if !slices.Contains(have, name) {
			t.Errorf("docs/middleware-order.md names %s, which is no test of this folder", name)
		}
	}
	for _, name := range have {
		if strings.HasPrefix(name, "TestOrder") && name != t.Name() && !slices.Contains(named, name) {
			t.Errorf("docs/middleware-order.md does not name %s", name)
		}
	}
	_, table, _ := strings.Cut(string(page), "| middleware |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	if len(rows) < 10 {
		t.Fatalf("the table has only %d rows", len(rows))
	}
	for _, row := range rows[2:] {
		if !testName.MatchString(row) {
			t.Errorf("this row of docs/middleware-order.md names no test: %s", row)
		}
	}
}

func testsHere(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}
