//go:build !linux

package pgtest

import (
	"os"
	"syscall"
)

func serverOwner() (*owner, error) { return nil, nil }

func attributes(*owner) *syscall.SysProcAttr { return nil }

// killTree kills the postmaster; its backends notice and end.
func killTree(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

func hold(string) (*os.File, error) { return nil, nil }

func abandoned(string) bool { return false }

func removeSegment(string) {}
