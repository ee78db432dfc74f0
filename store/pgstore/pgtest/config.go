package pgtest

import (
	"maps"
	"slices"
)

// Config configures a [Server]. The zero value is a server that is fast and forgets on power loss.
type Config struct {
	// Durable leaves fsync, full_page_writes and synchronous_commit on, as in production. Without it a killed server process
	// still loses nothing – the operating system keeps the pages –, but the machine's crash would.
	Durable bool

	// Settings are further parameters, as in postgresql.conf. They come last and win.
	Settings map[string]string

	// Dir is where the server's folder is made. Default the temporary directory.
	Dir string
}

// flags are the server's parameters as command line arguments, in a fixed order.
func (c Config) flags(address string) []string {
	settings := map[string]string{
		"listen_addresses":           address,
		"max_connections":            "100",
		"shared_buffers":             "32MB",
		"max_wal_size":               "512MB",
		"dynamic_shared_memory_type": "mmap", // files in the data directory, not segments that outlive a kill
		"jit":                        "off",
		"timezone":                   "UTC",
		"log_timezone":               "UTC",
	}
	if !c.Durable {
		for _, name := range []string{"fsync", "full_page_writes"} {
			settings[name] = "off"
		}
	}
	maps.Copy(settings, c.Settings)
	var flags []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		flags = append(flags, "-c", name+"="+settings[name])
	}
	return flags
}
