package pgstore

import "sync"

// gate stands between a function and its transaction, whatever the driver: it counts calls in and out, notes what the function is told, and is closed for
// good when the function has ended.
type gate struct {
	mu     sync.Mutex
	over   bool
	uses   int    // calls that have not come back
	fault  error  // the newest error of the server, or of the connection
	finish func() // ends what is being read; nil: nothing is
}

// use counts a call in, and fails once the function has ended.
func (g *gate) use() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over {
		return errOutside
	}
	g.uses++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.uses--
}

// strayed reports whether somebody whom the function has left behind is, after its end, still on the way to the connection: it is good for nobody else.
func (g *gate) strayed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.over && g.uses > 0
}

// note keeps what the function is told, since it may tell nobody. What follows the error that aborted the transaction says only that there was one.
func (g *gate) note(fault error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fault == nil || !isCode(fault, abortedTx) {
		g.fault = fault
	}
}

func (g *gate) cause() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fault
}

// reading notes how to end what the function reads: it may forget to.
func (g *gate) reading(finish func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.finish = finish
}

// end takes the transaction from the function, and reads what is left to read: unless somebody whom the function has left behind is reading. Then the connection is busy,
// or done with, when he has left.
func (g *gate) end() {
	g.mu.Lock()
	finish := g.finish
	if g.uses > 0 {
		finish = nil
	}
	g.over, g.finish = true, nil
	g.mu.Unlock()
	if finish != nil {
		finish()
	}
}
