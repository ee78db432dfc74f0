package inprocess

import (
	"runtime"

	"github.com/onceward/onceward/bench/rounds"
)

// Server is what the middleware costs, in results that share their rounds.
type Server struct {
	Bare, Floor, New, NewJSON, Replay rounds.Result
}

// MeasureServer measures one caller.
func MeasureServer(plan rounds.Plan) Server {
	r := rounds.Run(plan, bare(opaque, 1), floor(1), fresh("new key", opaque, 1), fresh("new key, JSON body", order, 1), replay("replay", opaque, 1))
	return Server{Bare: r[0], Floor: r[1], New: r[2], NewJSON: r[3], Replay: r[4]}
}

// Scaling is how much more work as many callers as processors get done than one caller does.
type Scaling struct {
	Callers            int
	Floor, New, Replay float64
}

// MeasureScaling compares one caller with as many as there are processors.
func MeasureScaling(plan rounds.Plan) Scaling {
	n := runtime.GOMAXPROCS(0)
	r := rounds.Run(plan,
		floor(1), floor(n), fresh("new key", opaque, 1), fresh("new key", opaque, n), replay("replay", opaque, 1), replay("replay", opaque, n))
	return Scaling{Callers: n, Floor: r[1].Speed(r[0]), New: r[3].Speed(r[2]), Replay: r[5].Speed(r[4])}
}

// Client is what the client costs beside net/http's.
type Client struct{ Stock, Ours rounds.Result }

// MeasureClient measures one caller on a transport without a network.
func MeasureClient(plan rounds.Plan) Client {
	r := rounds.Run(plan, stockClient(), ourClient())
	return Client{Stock: r[0], Ours: r[1]}
}

// Mint makes keys before they are needed.
func Mint(n int) []string { return mint(n) }
