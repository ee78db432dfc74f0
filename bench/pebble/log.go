package pebble

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// log is the least that makes a claim and a reply durable: entries with a length and a checksum, one behind the other in a file, and one sync for all who came
// together. It has no index, finds nothing again, and never ends a window.
type log struct {
	file *os.File

	mu      sync.Mutex
	turn    *sync.Cond
	waiting []byte
	number  uint64 // of the entries that wait
	durable uint64 // up to here
	syncing bool
	err     error

	syncs    int
	syncTime time.Duration
}

func newLog(dir string) (*log, error) {
	f, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	l := &log{file: f, number: 1}
	l.turn = sync.NewCond(&l.mu)
	return l, reserve(f)
}

// append returns once the entry is on the disk.
func (l *log) append(entry []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = binary.LittleEndian.AppendUint32(l.waiting, uint32(len(entry)))
	l.waiting = binary.LittleEndian.AppendUint32(l.waiting, crc32.ChecksumIEEE(entry))
	l.waiting = append(l.waiting, entry...)
	mine := l.number
	for l.durable < mine && l.err == nil {
		if l.syncing {
			l.turn.Wait()
			continue
		}
		l.sync()
	}
	return l.err
}

// sync writes all that waits, for all who wait. The lock is held before and after.
func (l *log) sync() {
	block, number := l.waiting, l.number
	l.waiting, l.syncing = nil, true
	l.number++
	l.mu.Unlock()
	_, err := l.file.Write(block)
	began := time.Now()
	if err == nil {
		err = syncData(l.file)
	}
	took := time.Since(began)
	l.mu.Lock()
	l.syncs, l.syncTime = l.syncs+1, l.syncTime+took
	l.syncing, l.durable = false, number
	if err != nil {
		l.err = fmt.Errorf("bare log: %w", err)
	}
	l.turn.Broadcast()
}

func (l *log) close() error { return l.file.Close() }
