// Package oncegin guards Gin routes with [github.com/onceward/onceward/oncehttp.Middleware]. It adds no protocol of its own: it only
// carries Gin's context in and out, because Gin's writer is more than an http.ResponseWriter.
package oncegin
