local last, store, token, op, lease, til = unpack('>I6c16c16BI6I6', ARGV[1])
if not begin(last, store) then return gone end
local v, code = call('GET', rec), 0
if op == 5 and til >= now then
	local key = tag .. 'm' .. id .. token
	local have = tonumber(call('GET', key) or 0)
	if til > have then call('SET', key, string.format('%.0f', til), 'PX', string.format('%.0f', til - now + 1)) end
	code = 16
end
if not v then return answer(code) end
local _, state, flags, _, owner, version, claims, until_, _, seen = unpack('>BBBBc16I8I4I6I6I6', v)
if state == 3 or owner ~= token then return answer(code, v) end

if op == 5 and flags < 2 then -- release
	call('DEL', rec)
	call('ZREM', tag .. indexes[state], id)
	news(call('GET', tag .. 'q' .. id))
	return answer(code + 1, v)
end
local next = state
if op == 1 then -- start
	if state == 2 then return answer(code, v) end
	next, until_, version = 2, now + lease, version + 1
	call('ZREM', tag .. 'c', id)
elseif now >= until_ then
	return answer(code, v)
elseif op == 2 then -- extend
	until_ = now + lease
else -- yield
	until_, version = now, version + 1
end
call('SET', rec, head(next, flags, 0, token, version, claims, until_, 0, seen) .. sub(v, 51))
call('ZADD', tag .. indexes[next], until_, id)
if op ~= 2 then news(call('GET', tag .. 'q' .. id)) end
return answer(code + 1, v)
