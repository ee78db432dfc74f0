-- Lays a shard out, unless somebody has: its anchor with the store's name, the time, which is at least what is handed over, and the number of shards.
local last, store, unsealed, shards = unpack('>I6c16BI2', ARGV[1])
begin(last, store)
call('HSETNX', anchor, '', store .. pack('>I6I2', unsealed == 1 and 0 or now, shards))
return { clock() }
