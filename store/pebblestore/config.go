package pebblestore

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// Durability says what an acknowledged write survives.
type Durability uint8

// The durabilities.
const (
	PowerLoss    Durability = iota // on the disk before it is answered
	ProcessCrash                   // in the operating system's memory before it is answered: a loss of power forgets the newest, and the store is as it was a moment before
)

// Defaults of a [Config].
const (
	DefaultBucket  = time.Hour
	DefaultMemory  = 128 << 20
	DefaultMinFree = 256 << 20
)

// Limits of a [Config].
const (
	MinBucket = time.Second
	MaxBucket = 7 * 24 * time.Hour
	MinMemory = 8 << 20
	MaxFree   = 1 << 50 // of MinFree
)

// Config configures a [Store]. Its zero value is a good one.
type Config struct {
	// Durability is what an acknowledged write survives. Default PowerLoss.
	Durability Durability

	// Bucket is for how long stamps go to one bucket; a record may stay for a quarter more than this after its time is over.
	// Default 1 hour. It is fixed when the directory is made: a later value is ignored.
	Bucket time.Duration

	// Memory is about how many bytes the store takes, whatever the number of records. Default 128 MiB, at least 8 MiB.
	Memory int64

	// MinFree is how many bytes of the disk stay free: with less, new claims are refused with [store.ErrFull], while replays and completing
	// go on. As many are set aside in a file for the case that somebody else fills the disk. Default 256 MiB, at most 1 PiB.
	MinFree int64

	// MaxRecords is how many records may stand, open and done together; MaxBytes how many bytes they may take, with the room that open ones
	// reserve for their replies. Zero: no bound but the disk's.
	MaxRecords, MaxBytes int64

	// Clock is the store's clock. Default time.Now. If it goes back, the store's time stands still until it has caught up.
	Clock func() time.Time

	// Logf gets what Pebble says that a person should see. Default: nothing is said; errors are returned anyway.
	Logf func(format string, args ...any)

	fs     vfs.FS             // tests drop unsynced writes
	reach  func(point string) // tests end the process there
	tables int64              // size of a memtable; tests make it small
	moves  int                // open records that move at once; tests make it small
	layers int64              // of level 0 that make claims be refused; tests make it small
}

func (c Config) withDefaults() (Config, error) {
	if c.Bucket == 0 {
		c.Bucket = DefaultBucket
	}
	if c.Memory == 0 {
		c.Memory = DefaultMemory
	}
	if c.MinFree == 0 {
		c.MinFree = DefaultMinFree
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logf == nil {
		c.Logf = func(string, ...any) {}
	}
	if c.fs == nil {
		c.fs = vfs.Default
	}
	if c.reach == nil {
		c.reach = func(string) {}
	}
	if c.tables == 0 {
		c.tables = min(max(c.Memory/8, 1<<20), 64<<20)
	}
	if c.moves == 0 {
		c.moves = moveBatch
	}
	if c.layers == 0 {
		c.layers = maxLayers
	}
	return c, c.validate()
}

func (c Config) validate() error {
	var faults []error
	require := func(ok bool, field string, value any, rule string) {
		if !ok {
			faults = append(faults, fmt.Errorf("%s is %v: it must %s", field, value, rule))
		}
	}
	require(c.Durability <= ProcessCrash, "Durability", c.Durability, "be PowerLoss or ProcessCrash")
	require(c.Bucket >= MinBucket && c.Bucket <= MaxBucket, "Bucket", c.Bucket, fmt.Sprintf("be %v to %v", MinBucket, MaxBucket))
	require(c.Memory >= MinMemory, "Memory", c.Memory, fmt.Sprintf("be at least %d", MinMemory))
	require(c.MinFree > 0 && c.MinFree <= MaxFree, "MinFree", c.MinFree, fmt.Sprintf("be 1 to %d", int64(MaxFree)))
	require(c.MaxRecords >= 0, "MaxRecords", c.MaxRecords, "not be negative")
	require(c.MaxBytes >= 0, "MaxBytes", c.MaxBytes, "not be negative")
	if len(faults) > 0 {
		return fmt.Errorf("pebblestore: %w", errors.Join(faults...))
	}
	return nil
}

func (c Config) traits() store.Traits {
	t := store.Traits{Name: "pebble", Survives: store.SurvivesPowerLoss, Notifies: true}
	if c.Durability == ProcessCrash {
		t.Survives = store.SurvivesCrash
		t.Caveats = []string{"Durability is ProcessCrash: a loss of power forgets the newest claims and replies, and their requests may run again."}
	}
	return t
}
