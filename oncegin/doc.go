// Package oncegin guards Gin routes.
package oncegin
