-- For one who waits: the version of the record, if it can change, and its channel's name left behind.
local last, store, version = unpack('>I6c16I8', ARGV[1])
if not begin(last, store) then return gone end
local v = call('GETRANGE', rec, 0, 49)
if v == '' then return 'a' end
local have = unpack('>I8', v, 21)
if byte(v, 2) ~= 3 then call('SET', tag .. 'q' .. id, ARGV[3], 'PX', ARGV[4]) end
return 'v' .. sub(v, 21, 28)
