package redis

import (
	"context"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
)

const day = 24 * time.Hour

// byHand is the order that is written by hand, through rueidis: look, lock, save, unlock.
func byHand(ctx context.Context, client rueidis.Client, key string, reply []byte) error {
	if err := client.Do(ctx, client.B().Get().Key("reply:"+key).Build()).Error(); !rueidis.IsRedisNil(err) {
		return errors.Join(errors.New("a new key has a reply"), err)
	}
	if err := client.Do(ctx, client.B().Set().Key("lock:"+key).Value("me").Nx().Px(time.Minute).Build()).Error(); err != nil {
		return err
	}
	if err := client.Do(ctx, client.B().Set().Key("reply:"+key).Value(rueidis.BinaryString(reply)).Px(day).Build()).Error(); err != nil {
		return err
	}
	return client.Do(ctx, client.B().Del().Key("lock:"+key).Build()).Error()
}

// byHandGo is the same through go-redis.
func byHandGo(ctx context.Context, client *goredis.Client, key string, reply []byte) error {
	if err := client.Get(ctx, "reply:"+key).Err(); !errors.Is(err, goredis.Nil) {
		return errors.Join(errors.New("a new key has a reply"), err)
	}
	if err := client.SetNX(ctx, "lock:"+key, "me", time.Minute).Err(); err != nil {
		return err
	}
	if err := client.Set(ctx, "reply:"+key, reply, day).Err(); err != nil {
		return err
	}
	return client.Del(ctx, "lock:"+key).Err()
}
