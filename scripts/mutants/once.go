package main

import "sync"

// once finds a thing out for each key the first time that somebody asks; others who ask for the same wait.
type once[T any] struct {
	mu    sync.Mutex
	known map[string]func() (T, error)
}

func (o *once[T]) get(key string, find func() (T, error)) (T, error) {
	o.mu.Lock()
	got := o.known[key]
	if got == nil {
		if o.known == nil {
			o.known = map[string]func() (T, error){}
		}
		got = sync.OnceValues(find)
		o.known[key] = got
	}
	o.mu.Unlock()
	return got()
}
