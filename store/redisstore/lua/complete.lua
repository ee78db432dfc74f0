local last, store, token, ending, keep, width = unpack('>I6c16c16BI6I6', ARGV[1])
if not begin(last, store) then return gone end
local found = call('MGET', rec, tag .. 'q' .. id)
local v = found[1]
if not v then return answer(0) end
local _, state, flags, was, owner, version, claims, _, _, seen, stamp = unpack('>BBBBc16I8I4I6I6I6I6', v)
if state == 3 then
	if was ~= 3 then return answer(0, v) end
	trail(5, version, '\0\0\0\0', sub(v, 51))
	return answer(8, v)
end
if owner ~= token then return answer(0, v) end
local purge = math.max(stamp, now) + keep
local failed = due(purge, width)
if failed then return failed end
call('SET', rec, head(3, flags, ending, token, version + 1, claims, purge, now, seen) .. sub(v, 51) .. ARGV[3])
call('ZREM', tag .. indexes[state], id)
news(found[2])
return answer(1, v)
