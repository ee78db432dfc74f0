package redisstore

import (
	"fmt"
	"strings"
)

// needs are the commands that a store uses, its scripts included.
const needs = "evalsha eval time get getex mget set del unlink exists getrange setrange " +
	"hget hmget hset hsetnx hkeys zadd zrem zrange zrangebyscore zcard zcount rpush lrange llen ltrim " +
	"publish subscribe unsubscribe info ping hello select wait"

// inCluster and behindSentinel are the commands that a client needs there as well; unsure is not missed where it is not granted.
const (
	inCluster      = "cluster|slots cluster|shards asking"
	behindSentinel = "role"
	unsure         = "config|get"
)

// SentinelGrants returns the ACL rules that let a user of a sentinel find the master and hear of its successor, and no more. Data nodes have users of their own: see [Grants].
func SentinelGrants() string {
	return "resetkeys resetchannels &+sentinel &+slave &-sdown &+sdown &+switch-master &+reboot -@all +hello +ping +subscribe +unsubscribe " +
		"+sentinel|sentinels +sentinel|get-master-addr-by-name"
}

// Grants returns the ACL rules, for ACL SETUSER, that let a user use the store with a prefix ("": the default one) and no more. Its name and password go before them.
func Grants(prefix string) string {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	var b strings.Builder
	fmt.Fprintf(&b, "resetkeys resetchannels ~%s:layout ~{%s:* &%s:news -@all", prefix, prefix, prefix)
	for _, command := range strings.Fields(needs + " " + inCluster + " " + behindSentinel + " " + unsure) {
		fmt.Fprintf(&b, " +%s", command)
	}
	return b.String()
}
