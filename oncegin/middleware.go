package oncegin

import (
	"maps"
	"net/http"
	"reflect"

	"github.com/gin-gonic/gin"
	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// Middleware returns [oncehttp.Middleware] as a Gin handler: the handlers after it take effect once for each key. Scope and cfg mean
// what they mean there, and its errors are the same.
//
// Put authentication, rate limits, CORS, compression and gin.Recovery before it, and whatever turns c.Errors into a reply after it: the reply is
// saved when the last handler has returned. Errors that nobody has answered by then become a 500.
//
// The handlers after it see a c.Request whose context is the run's: [onceward.Start], [onceward.NoEffect] and [onceward.Child] take
// c.Request.Context(). When they do not run, because the reply is a saved one or a refusal, the chain is aborted. Afterwards c.Request and c.Writer
// are what they were before, and c.Writer.Status is that of the reply.
func Middleware(exec onceward.Executor, scope oncehttp.ScopeFunc, cfg oncehttp.Config) (gin.HandlerFunc, error) {
	once, err := oncehttp.Middleware(exec, scope, cfg)
	if err != nil {
		return nil, err
	}
	return func(c *gin.Context) {
		p := &passage{c: c, writer: c.Writer, request: c.Request}
		once(p).ServeHTTP(c.Writer, c.Request)
		if !p.ran {
			c.Abort()
		}
	}, nil
}

// passage is one request's way through the rest of Gin's chain.
type passage struct {
	c       *gin.Context
	writer  gin.ResponseWriter // of the handlers before us
	request *http.Request
	ran     bool
	before  reflect.Value // the context before the first run
}

// ServeHTTP runs the rest of the chain. An executor may call it again.
func (p *passage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.rewind()
	c := p.c
	defer func() { c.Writer, c.Request = p.writer, p.request }() // also for gin.Recovery, which answers a panic
	c.Request = r
	if w == http.ResponseWriter(p.writer) { // not keyed
		c.Next()
		return
	}
	own := newWriter(w)
	c.Writer = own
	errors := len(c.Errors)
	c.Next()
	if !own.Written() && own.Status() == http.StatusOK && len(c.Errors) > errors {
		own.WriteHeader(http.StatusInternalServerError) // a 200 would be the operation's reply for ever
	}
	own.WriteHeaderNow()
}

// rewind puts the context back to where it was before the first run: c.Next goes forward only.
func (p *passage) rewind() {
	now := reflect.ValueOf(p.c).Elem()
	if p.ran {
		now.Set(p.before)
		p.c.Keys = maps.Clone(p.c.Keys)
		return
	}
	p.ran = true
	// A copy with its lock, which nobody holds between two handlers.
	p.before = reflect.New(now.Type()).Elem()
	p.before.Set(now)
	if p.c.Keys != nil {
		p.c.Keys = maps.Clone(p.c.Keys) // the run's own
	}
}
