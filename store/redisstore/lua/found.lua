-- Lays a shard out, unless somebody has: its anchor with the store's name, and the time, which is at least what is handed over.
local last, store, unsealed = unpack('>I6c16B', ARGV[1])
begin(last, store)
call('HSETNX', anchor, '', store .. pack('>I6', unsealed == 1 and 0 or now))
return { clock() }
