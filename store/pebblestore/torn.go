package pebblestore

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// torn is the newest log of a store whose last user did not sync it, after a loss of power that has left a hole in it. The log says of itself that it was synced,
// so Pebble takes the hole for damage. Older logs are synced when they are closed, and tables hold only what is in those: without what comes after the hole the
// store is as it was at some moment.
type torn struct {
	name string
	end  int64 // of the last whole record before the hole
}

// findTorn returns nil if the newest log is whole, or torn in a way that Pebble knows. A log without records, which an Open has made before it was killed, does not count.
func findTorn(f vfs.FS, dir string) (*torn, error) {
	logs, err := wal.Scan(wal.Dir{FS: f, Dirname: dir})
	if err != nil {
		return nil, err
	}
	for _, log := range slices.Backward(logs) {
		if t, records, err := readLog(log); t != nil || records > 0 || err != nil {
			return t, err
		}
	}
	return nil, nil
}

func readLog(log wal.LogicalLog) (t *torn, records int, err error) {
	r := log.OpenForRead()
	defer r.Close()
	for ; ; records++ {
		_, at, err := r.NextRecord()
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), errors.Is(err, record.ErrUnexpectedEOF):
			return nil, records, nil
		case errors.Is(err, record.ErrInvalidChunk), errors.Is(err, record.ErrZeroedChunk):
			return &torn{at.PhysicalFile, at.Physical}, records, nil
		default:
			return nil, records, err
		}
	}
}

// keep copies what comes after the hole to a file that nobody reads but a person, and returns its name and size. The log itself goes when its head is in a table.
func (t *torn) keep(f vfs.FS, dir string) (name string, size int64, err error) {
	log, err := f.Open(t.name)
	if err != nil {
		return "", 0, err
	}
	defer log.Close()
	info, err := log.Stat()
	if err != nil {
		return "", 0, err
	}
	name = f.PathJoin(dir, lostPrefix+strings.TrimSuffix(f.PathBase(t.name), ".log"))
	lost, err := f.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return "", 0, err
	}
	size, err = io.Copy(lost, io.NewSectionReader(log, t.end, info.Size()-t.end))
	if err == nil {
		err = lost.Sync()
	}
	if err = errors.Join(err, lost.Close()); err != nil {
		return "", 0, err
	}
	return name, size, syncFolder(f, dir)
}

const lostPrefix = "LOST-"

// mend gives Pebble the file system without what comes after a hole in the newest log, which it keeps aside. Only for a store whose log was not synced: in any
// other, a hole is damage to what was acknowledged. The log is left as it is; if this process ends before Pebble is done with it, the next one does the same.
func (s *Store) mend(f vfs.FS) (vfs.FS, error) {
	t, err := findTorn(f, s.dir)
	if err != nil || t == nil {
		return f, err
	}
	name, size, err := t.keep(f, s.dir)
	if err != nil {
		return f, fmt.Errorf("keep the end of a torn log: %w", err)
	}
	s.config.Logf("pebblestore: %s: the power was lost with Durability ProcessCrash, and %s has a hole: the store goes on without the newest claims and replies; the %d bytes behind the hole are in %s (nothing reads them again: look, and delete them)",
		s.dir, f.PathBase(t.name), size, f.PathBase(name))
	return tornFS{f, t}, nil
}

// tornFS is a file system in which a torn log ends before its hole.
type tornFS struct {
	vfs.FS
	torn *torn
}

// Open implements [vfs.FS].
func (f tornFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.Open(name, opts...)
	if err != nil || name != f.torn.name {
		return file, err
	}
	return &head{file, io.LimitReader(file, f.torn.end)}, nil
}

// Unwrap implements [vfs.FS].
func (f tornFS) Unwrap() vfs.FS { return f.FS }

// head is the beginning of a file.
type head struct {
	vfs.File
	limited io.Reader
}

// Read implements [vfs.File].
func (h *head) Read(p []byte) (int, error) { return h.limited.Read(p) }
