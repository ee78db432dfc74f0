// Package encodings compares how we read what strangers send with how other people's programs read it. It has only tests, and is apart from the
// frameworks beside it because a fuzzer's build takes in all that a package imports.
package encodings
