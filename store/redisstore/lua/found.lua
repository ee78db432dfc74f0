-- Lays a shard out, unless somebody has: its anchor with the store's name, and the time by its server's clock.
local store, unsealed = unpack('>c16B', ARGV[1])
begin(0, store)
call('HSETNX', anchor, '', store .. pack('>I6', unsealed == 1 and 0 or own))
return { clock() }
