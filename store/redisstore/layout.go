package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
)

// layout is how a store is laid out in its database, for good.
type layout struct {
	name string   // drawn when it was laid out: by it the shards know that they are this store's
	tags []string // of the shards, in braces
}

// slots is the number of a Cluster's hash slots.
const slots = 16384

// tagsOf returns n hash tags whose slots are spread evenly, so that however a Cluster divides the slots among its nodes, each gets its share of shards.
func tagsOf(prefix string, n int) []string {
	tags := make([]string, n)
	for i := range tags {
		for try := 0; ; try++ {
			tag := prefix + ":" + strconv.FormatInt(int64(i+try*n), 36)
			if int(crc16(tag))%slots*n/slots == i {
				tags[i] = "{" + tag + "}"
				break
			}
		}
	}
	return tags
}

// crc16 is the checksum by which a Cluster finds a key's slot: CRC-16/XMODEM.
func crc16(s string) (sum uint16) {
	for i := range len(s) {
		sum ^= uint16(s[i]) << 8
		for range 8 {
			if sum&0x8000 != 0 {
				sum = sum<<1 ^ 0x1021
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}

// shard is the tag of the record's shard.
func (l *layout) shard(id store.ID) string { return l.tags[l.number(id)] }

// number is that of the record's shard.
func (l *layout) number(id store.ID) int { return (int(id[0])<<8 | int(id[1])) % len(l.tags) }

const layoutFormat = "2" // of 1 the anchors had no time

// layOut reads how the store is laid out, or lays it out: first the plan, then each shard's anchor, then that it is complete. Several processes may do
// it at once. A plan that is complete and whose anchors are not there is that of a store whose data is lost. One that is not there may be, too: nobody knows what ran under the keys that
// were minted before, so a shard's watermarks begin at the time of its layout: see found. A store that is there is only read: at maxmemory, too, a process can start.
func (s *Store) layOut(ctx context.Context) (*layout, error) {
	client, key := s.client, s.config.Prefix+":layout"
	plan, complete, err := s.plan(ctx, key)
	if err != nil && s.cluster && mayPass(err) {
		if l := s.anchored(ctx); l != nil {
			return l, nil
		}
		return nil, fmt.Errorf("%w (the node that has %s does not answer, and no shard's anchor tells: is Shards what it was when the store was laid out, not %d?)", err, key, s.config.Shards)
	}
	if err == nil && plan == nil && !s.config.Existing {
		var drawn [8]byte
		if _, err := rand.Read(drawn[:]); err != nil {
			return nil, err
		}
		first := fmt.Sprintf("%s %d %s", layoutFormat, s.config.Shards, hex.EncodeToString(drawn[:]))
		if err := client.Do(ctx, client.B().Hsetnx().Key(key).Field("plan").Value(first).Build()).Error(); err != nil {
			return nil, err
		}
		plan, complete, err = s.plan(ctx, key)
	}
	if err != nil {
		return nil, err
	}
	if plan == nil {
		return nil, fmt.Errorf("%w %s", ErrNoStore, s.config.Prefix)
	}
	l, err := s.planned(*plan)
	if err != nil {
		return nil, fmt.Errorf("%w: %s says %q, and this build knows layout %s", ErrLayout, key, *plan, layoutFormat)
	}
	if complete {
		return l, nil
	}
	if s.config.Existing {
		return nil, fmt.Errorf("%w %s that is complete", ErrNoStore, s.config.Prefix)
	}
	if err := s.found(ctx, l); err != nil {
		return nil, err
	}
	return l, client.Do(ctx, client.B().Hset().Key(key).FieldValue().FieldValue("complete", "yes").Build()).Error()
}

// plan reads how the store is laid out, nil if it is not, and whether that has come to its end.
func (s *Store) plan(ctx context.Context, key string) (plan *string, complete bool, err error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	have, err := s.client.Do(ctx, s.client.B().Hmget().Key(key).Field("plan", "complete").Build()).ToArray()
	if err != nil || have[0].IsNil() {
		return nil, false, err
	}
	text, err := have[0].ToString()
	return &text, !have[1].IsNil(), err
}

func (s *Store) planned(plan string) (*layout, error) {
	words := strings.Fields(plan)
	if len(words) != 3 || words[0] != layoutFormat {
		return nil, ErrLayout
	}
	n, err := strconv.Atoi(words[1])
	if err != nil || n < 1 || n > maxShards || len(words[2]) != nameSize {
		return nil, ErrLayout
	}
	return &layout{name: words[2], tags: tagsOf(s.config.Prefix, n)}, nil
}

// anchored is the layout of which the shards' anchors tell, where the node of a Cluster that has the plan does not answer: nil if nobody tells, or not all the same. Name and number of shards were
// drawn and written together, and each script compares the name.
func (s *Store) anchored(ctx context.Context) *layout {
	ctx, cancel := s.within(ctx)
	defer cancel()
	tags := tagsOf(s.config.Prefix, s.config.Shards)
	anchors := make([]string, len(tags))
	var all sync.WaitGroup
	for i, tag := range tags {
		all.Go(func() {
			anchors[i], _ = s.sendBriefly(ctx, s.client.B().Hget().Key(tag+"w").Field("").Build()).ToString()
		})
	}
	all.Wait()
	var l *layout
	for _, a := range anchors {
		if len(a) < nameSize+6+2 {
			continue // it does not answer, or is of another number of shards, or of a build that did not write it there
		}
		name, n := a[:nameSize], int(binary.BigEndian.Uint16([]byte(a[nameSize+6:])))
		if l != nil && (l.name != name || len(l.tags) != n) {
			return nil
		}
		l = &layout{name: name, tags: tagsOf(s.config.Prefix, n)}
	}
	return l
}

// found makes the shards' anchors. A shard's watermarks begin at the newest time to which the clocks of the others may have taken its claims along, for so late are stamps that it has admitted.
func (s *Store) found(ctx context.Context, l *layout) error {
	clocks := make([]store.Time, len(l.tags))
	for i, tag := range l.tags {
		at, err := s.run(ctx, s.scripts.time, s.shardKeys(tag)).AsBytes()
		switch {
		case err != nil:
			return err
		case len(at) != 6:
			return errApart
		}
		clocks[i] = read48(at)
	}
	sorted := slices.Sorted(slices.Values(clocks))
	for i, tag := range l.tags {
		args := append(append(append48(nil, along(clocks[i], sorted)), l.name...), flag(s.config.unsealed))
		args = binary.BigEndian.AppendUint16(args, uint16(len(l.tags))) //nolint:gosec // at most maxShards
		if err := s.run(ctx, s.scripts.found, s.shardKeys(tag), rueidis.BinaryString(args)).Error(); err != nil {
			return err
		}
	}
	return nil
}

const nameSize = 16
