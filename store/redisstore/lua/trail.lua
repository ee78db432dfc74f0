local last, store, from, limit = unpack('>I6c16I6I4', ARGV[1])
if not begin(last, store) then return gone end
local out = {}
if limit > 0 then out = call("LRANGE", tag .. "t", string.format("%.0f", from), string.format("%.0f", from + limit - 1)) end
table.insert(out, 1, clock())
return out
