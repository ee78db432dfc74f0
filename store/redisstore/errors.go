package redisstore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
)

// Why a server cannot serve. Errors of [Open], and of a store whose server was changed under it, wrap them.
var (
	// ErrEviction says that the server may evict live records, which then run twice. Nothing was executed.
	ErrEviction = errors.New("redisstore: the server evicts: set maxmemory-policy noeviction")

	// ErrForgotten says that the data of the store is gone: the database was flushed, or lost in a failover or restart. Nothing was executed.
	ErrForgotten = errors.New("redisstore: the database has lost this store's data")

	// ErrLayout says that the keys are not of a layout that this build knows.
	ErrLayout = errors.New("redisstore: the layout in the database does not fit this build")

	// ErrNoStore says that no store was laid out with this prefix, and [Config.Existing] forbids to do it.
	ErrNoStore = errors.New("redisstore: there is no store with the prefix")

	// ErrReadOnly says that the server takes no writes.
	ErrReadOnly = errors.New("redisstore: the server is a replica")

	// ErrPrivileges says that the user may not do all that a step needs. README.md has the least privileges.
	ErrPrivileges = errors.New("redisstore: the user has not all privileges that are needed")

	// ErrLossyFailover refuses a claim under MarkUnknown where a failover may forget it, unless [Config.AllowLossyFailover] is set. Nothing was executed.
	ErrLossyFailover = errors.New("redisstore: a failover may forget this claim, and the operation would run twice: set AllowLossyFailover to accept it")

	// ErrTooFewReplicas says that a step is done, and that fewer replicas have it than [Config.WaitReplicas]. Who sent it repeats it.
	ErrTooFewReplicas = errors.New("redisstore: too few replicas have it")

	errWeaker = errors.New("redisstore: a server that did not answer when the store was opened keeps less than the others promise: give it their settings, or start the process anew")

	errApart = errors.New("redisstore: a script and the function it restates came to different ends; please report it")
)

const lostHint = "nothing is executed before somebody has decided: restore it, or flush the rest; seal until now; start the processes anew"

// failed wraps an error once. Unless it is one of the above, it is open whether the call was carried out.
func failed(op string, err error) error {
	if err == nil {
		return nil
	}
	if r, ok := rueidis.IsRedisErr(err); ok {
		switch text := r.Error(); {
		case strings.HasPrefix(text, "READONLY"):
			return fmt.Errorf("redisstore: %s: %w: %w (connect to the master)", op, ErrReadOnly, err)
		case strings.HasPrefix(text, "NOPERM"), strings.HasPrefix(text, "The user executing the script"): // Redis 7.0 has no code for the latter
			return fmt.Errorf("redisstore: %s: %w: %w (README.md has the least that it needs)", op, ErrPrivileges, err)
		case strings.HasPrefix(text, "OOM"):
			return fmt.Errorf("redisstore: %s: %w: %w (maxmemory is reached)", op, store.ErrFull, err)
		}
	}
	return fmt.Errorf("redisstore: %s: %w", op, err)
}
