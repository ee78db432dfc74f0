package redisstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/rueidis"
)

// probe asks every shard whether its anchor is there. Who only looks changes nothing, and is not asked for more privileges than that.
func (s *Store) probe(ctx context.Context) error {
	if s.config.Existing {
		_, err := s.clock(ctx)
		return err
	}
	return s.try(ctx)
}

// try asks every shard whether its server lets the user do all that the scripts do. A privilege that is missing would otherwise show in the middle of a step, which Redis does not undo.
func (s *Store) try(ctx context.Context) error {
	args := func(shard int) []string { return []string{rueidis.BinaryString(s.begin(nil, shard)), s.channel} }
	return s.each(ctx, "probe", s.scripts.probe, args, func(_ int, reply []rueidis.RedisMessage) error {
		refused := make([]string, 0, len(reply)-1)
		for _, m := range reply[1:] {
			text, err := m.ToString()
			if err != nil {
				return err
			}
			refused = append(refused, text)
		}
		if len(refused) > 0 {
			return fmt.Errorf("%w: %s (README.md has the least that it needs)", ErrPrivileges, strings.Join(refused, "; "))
		}
		return nil
	})
}
