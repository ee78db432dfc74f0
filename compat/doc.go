// Package compat holds tests of onceward against other people's code: libraries that read what we write,
// frameworks that our middleware must get along with, checkers. It is a module of its own, so that nothing of it
// becomes a requirement of the root module, and it exports nothing.
package compat
