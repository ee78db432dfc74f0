package redisstore

import (
	"crypto/sha1" //nolint:gosec // it names scripts, as Redis does
	_ "embed"
	"encoding/hex"
	"strings"
)

// A script is what Redis runs, and the name by which it has it in its cache.
type script struct{ sha, text string }

func newScript(text string) script {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // as above
	return script{hex.EncodeToString(sum[:]), text}
}

var (
	//go:embed lua/record.lua
	luaRecord string
	//go:embed lua/changing.lua
	luaChanging string
	//go:embed lua/due.lua
	luaDue string
	//go:embed lua/time.lua
	luaTime string
	//go:embed lua/found.lua
	luaFound string
	//go:embed lua/probe.lua
	luaProbe string
	//go:embed lua/introduce.lua
	luaIntroduce string
	//go:embed lua/shard.lua
	luaShard string
	//go:embed lua/claim.lua
	luaClaim string
	//go:embed lua/complete.lua
	luaComplete string
	//go:embed lua/step.lua
	luaStep string
	//go:embed lua/decide.lua
	luaDecide string
	//go:embed lua/get.lua
	luaGet string
	//go:embed lua/look.lua
	luaLook string
	//go:embed lua/find.lua
	luaFind string
	//go:embed lua/list.lua
	luaList string
	//go:embed lua/stats.lua
	luaStats string
	//go:embed lua/purge.lua
	luaPurge string
	//go:embed lua/seal.lua
	luaSeal string
	//go:embed lua/trail.lua
	luaTrail string
)

// A script that begins with roomy may go past maxmemory: it frees more than it takes, or finishes what was accepted. One that begins with strict is refused there before it has begun.
// Claims and decisions exist in both kinds: at full memory they are sent again as roomy, and then create no record. The first line also makes a replica refuse them (G1): without it
// one would carry them out until they write, and so answer what it has of a record.
const (
	roomy  = "#!lua flags=allow-oom\nlocal roomy = true\n"
	strict = "#!lua\nlocal roomy = false\n"
)

// scripts are all that a store runs.
type scripts struct {
	claim, claimRoomy, complete, step, decide, decideRoomy, get, look    script // of a record
	time, found, probe, introduce, find, list, stats, purge, seal, trail script // of a shard
}

func newScripts(movable bool) scripts {
	clock := "t[1] * 1000000 + t[2]" // in microseconds, from t, what TIME answers
	if movable {
		clock += " + (call('GET', tag .. '" + offsetSuffix + "') or 0) * 1000"
	}
	reading := func(more string, parts ...string) script {
		return newScript(strings.NewReplacer("MICROSECONDS", clock, "WATCHED", more).Replace(strings.Join(parts, "")))
	}
	of := func(parts ...string) script { return reading("", parts...) }
	return scripts{
		claim:       of(strict, luaRecord, luaClaim),
		claimRoomy:  of(roomy, luaRecord, luaClaim),
		complete:    reading(", tag .. 'q' .. sub(rec, -32)", roomy, luaRecord, luaDue, luaComplete),
		step:        of(roomy, luaRecord, luaChanging, luaStep),
		decide:      of(strict, luaRecord, luaChanging, luaDue, luaDecide),
		decideRoomy: of(roomy, luaRecord, luaChanging, luaDue, luaDecide),
		get:         of(roomy, luaRecord, luaGet),
		look:        of(roomy, luaRecord, luaLook),
		time:        of(roomy, luaShard, luaTime),
		found:       of(roomy, luaShard, luaFound),
		probe:       of(roomy, luaShard, luaProbe),
		introduce:   of(roomy, luaShard, luaIntroduce),
		list:        of(roomy, luaShard, luaList),
		find:        of(roomy, luaShard, luaFind),
		stats:       of(roomy, luaShard, luaStats),
		purge:       of(roomy, luaShard, luaPurge),
		seal:        of(roomy, luaShard, luaSeal),
		trail:       of(roomy, luaShard, luaTrail),
	}
}
