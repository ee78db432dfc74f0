//go:build !linux

package pebble

import "os"

func reserve(*os.File) error { return nil }

func syncData(f *os.File) error { return f.Sync() }
