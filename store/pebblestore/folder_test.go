package pebblestore

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// A store in new folders is found after a loss of power, however deep they are, also if an Open before was killed between making a folder and its sync.
func TestNewFoldersOutliveThePower(t *testing.T) {
	for _, levels := range [][]string{{"store"}, {"a", "a/store"}, {"a", "a/b", "a/b/c", "a/b/c/store"}} {
		for half := range len(levels) + 1 {
			mem := vfs.NewCrashableMem()
			for i, level := range levels[:half] {
				if err := mem.MkdirAll(level, 0o700); err != nil {
					t.Fatal(err)
				}
				if i == half-1 {
					break
				}
				if err := syncFolder(mem, mem.PathDir(level)); err != nil {
					t.Fatal(err)
				}
			}
			dir, c := levels[len(levels)-1], Config{fs: mem, Logf: t.Logf}
			s, err := Open(dir, c)
			if err != nil {
				t.Fatal(err)
			}
			who := identity("k", 0)
			finish(t, s, who, 1)
			c.fs = mem.CrashClone(vfs.CrashCloneCfg{})
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if s, err = Open(dir, c); err != nil {
				t.Errorf("%s, %d levels made before: %v", dir, half, err)
				continue
			}
			if a, err := s.Get(t.Context(), who); err != nil || a.Verdict != store.Replay {
				t.Errorf("%s, %d levels made before: %v, %v; want the reply", dir, half, a.Verdict, err)
			}
			_ = s.Close()
		}
	}
}
