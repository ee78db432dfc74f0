package pgstore

// Config configures a [Store].
type Config struct {
	// Schema is where the tables are. Default [DefaultSchema].
	Schema string

	clock string // SQL for the server's time in milliseconds; tests set it
	stall string // how long a transaction may be left alone; tests set it
}

// defaultStall is far above what a process needs between two round trips, and short for those who wait.
const defaultStall = "5s"

// wallClock is the server's time at this very moment. now() would be that of the transaction's beginning, before it waited for a lock. date_part answers
// a float8, whose 53 bits suffice; extract would compute in numeric, which takes longer than all else in a statement of ours.
const wallClock = "floor(date_part('epoch', clock_timestamp()) * 1000)::bigint"

func (c Config) withDefaults() (Config, error) {
	var err error
	if c.Schema, err = schemaName(c.Schema); err != nil {
		return c, err
	}
	if c.clock == "" {
		c.clock = wallClock
	}
	if c.stall == "" {
		c.stall = defaultStall
	}
	return c, nil
}
