// Package examples holds whole programs around onceward, and clients in other languages. It is a module of its own and exports nothing.
package examples
