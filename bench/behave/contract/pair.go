package contract

// Pair serves a target as two servers: the first is tested, the second is its twin, which shares store and ledger.
func Pair(first, twin Site) (Running, error) {
	l, err := Listen()
	if err != nil {
		return Running{}, err
	}
	other, err := Listen()
	if err != nil {
		l.Close()
		return Running{}, err
	}
	first.About.Twin = BaseURL(other)
	one, two := Serve(l, first.Handler()), Serve(other, twin.Handler())
	return Running{URL: one.URL, Stop: func() {
		one.Stop()
		two.Stop()
	}}, nil
}
