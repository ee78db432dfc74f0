package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// Memory is what records take.
type Memory struct {
	Keys       int
	Bare, Once float64 // bytes for one reply, as the server counts them
	Fields     float64 // of a record, beside its reply, in the compact encoding of docs/decisions/0001
}

// measureMemory fills one server with bare replies of 100 to 4,000 bytes, and another with the same as records.
func measureMemory(ctx context.Context, keys int) (m Memory, err error) {
	m.Keys = keys
	size := func(i int) int { return 100 + i*3900/max(keys-1, 1) }
	fill := func(do func(client rueidis.Client, s *redisstore.Store, i int) error) (float64, error) {
		server, err := redistest.Start(ctx, redistest.Config{})
		if err != nil {
			return 0, err
		}
		defer server.Close()
		s, err := redisstore.New(ctx, rueidis.ClientOption{InitAddress: []string{server.Address()}}, redisstore.Config{Timeout: 10 * time.Second})
		if err != nil {
			return 0, err
		}
		defer s.Close()
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Address()}, DisableCache: true})
		if err != nil {
			return 0, err
		}
		defer client.Close()
		if err := do(client, s, 0); err != nil {
			return 0, err
		}
		before, err := used(server)
		if err != nil {
			return 0, err
		}
		var group sync.WaitGroup
		faults := make(chan error, 64)
		for w := range 64 {
			group.Go(func() {
				for i := 1 + w; i < keys; i += 64 {
					if err := do(client, s, i); err != nil {
						faults <- err
						return
					}
				}
			})
		}
		group.Wait()
		close(faults)
		if err := <-faults; err != nil {
			return 0, err
		}
		after, err := used(server)
		return (after - before) / float64(keys-1), err
	}
	big := make([]byte, 4000)
	if m.Bare, err = fill(func(client rueidis.Client, _ *redisstore.Store, i int) error {
		who := identity()
		return client.Do(ctx, client.B().Set().Key(string(who.ID[:])).Value(rueidis.BinaryString(big[:size(i)])).Px(day).Build()).Error()
	}); err != nil {
		return m, err
	}
	m.Once, err = fill(func(_ rueidis.Client, s *redisstore.Store, i int) error {
		who, token := identity(), tokenOf()
		if _, err := s.Claim(ctx, store.ClaimRequest{Identity: who, Token: token, Fingerprints: prints, Start: true, Lease: time.Minute, Window: day}); err != nil {
			return err
		}
		a, err := s.Advance(ctx, store.AdvanceRequest{Identity: who, Token: token, Op: store.OpComplete, End: store.EndReply, Reply: big[:size(i)], Window: day})
		if i == 0 {
			r := a.Record
			r.Reply = nil
			m.Fields = float64(len(store.AppendRecord(nil, r)))
		}
		return err
	})
	return m, err
}

// used is the memory of the server's data: what connections have for their buffers is not part of it.
func used(s *redistest.Server) (float64, error) {
	info, err := s.Talk("INFO", "memory")
	if err != nil {
		return 0, err
	}
	text, _ := info.(string)
	field := func(name string) (n float64) {
		_, rest, ok := strings.Cut(text, "\n"+name+":")
		if !ok {
			err = errors.Join(err, fmt.Errorf("INFO does not say %s", name))
			return 0
		}
		n, fault := strconv.ParseFloat(strings.Fields(rest)[0], 64)
		err = errors.Join(err, fault)
		return n
	}
	return field("used_memory") - field("mem_clients_normal"), err
}
