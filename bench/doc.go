// Package bench measures onceward beside what it is compared with, side by side in one run. It is a module of its own, so that no peer becomes a
// requirement of anything else, and it exports nothing.
package bench
