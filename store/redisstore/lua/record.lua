-- How every script of one record begins. KEYS[1] is the record: the shard's tag, 'r', the id of 32 bytes. ARGV[1] begins with the time last seen (6) and the
-- store's name (16); ARGV[2] is the service. A record is a string:
--   1 format   2 state   3 flags (1 rerun, 2 doubted, 4 safe new key)   4 end   5 token (16)   21 version (8)   29 claims (4)
--   33 lease, or purge time when done (6)   39 done at (6)   45 first seen (6)
--   51 what never changes: stamp (6), hint (8), fingerprint version (1) and sum (32), lengths of service (2), principal (2) and key (1), these three
--   behind it the reply, only when done
-- and the anchor of a service in a shard is
--   1 the store's name (16)   17 watermark (6)   23 until when some mark against a token may live (6)
local call, pack, unpack, sub, byte, rec, args = redis.call, struct.pack, struct.unpack, string.sub, string.byte, KEYS[1], ARGV[1]
local tag = sub(rec, 1, -34)
local t = call('TIME')
local now = math.max(math.floor((MICROSECONDS) / 1000), (unpack('>I6', args)))
local got = call('MGET', rec, tag .. 'a' .. ARGV[2]WATCHED)
local v, anchor = got[1], got[2]
if not anchor then return '\254' end -- the service is new here
if sub(anchor, 1, 16) ~= sub(args, 7, 22) then return '\255' end -- this is not the store that was opened
-- An answer: what was done (1 record written, 2 the token is dead, 4 no memory, 8 trail written, 16 mark written), the time, the watermark, the record before.
local seal = sub(anchor, 17, 22)
