package pebble

import (
	"os"
	"syscall"
)

// reserve sets space aside, as Pebble does for its log: an append then changes less of the file system.
func reserve(f *os.File) error {
	_ = syscall.Fallocate(int(f.Fd()), 1, 0, 1<<30) // 1: the size stays. Not every file system can; then it is slower
	return nil
}

func syncData(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
