//go:build !linux

package redistest

import "syscall"

func attributes(string) (*syscall.SysProcAttr, error) { return nil, nil }
