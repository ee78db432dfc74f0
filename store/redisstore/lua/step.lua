
local token, op, lease, til = unpack('>c16BI6I6', args, 23)
local code = 0
if op == 5 and til >= now then
	local key = tag .. 'm' .. id .. token
	-- The server expires it by its own clock, which may be behind the time that is in force here.
	if til > tonumber(call('GET', key) or 0) then call('SET', key, til, 'PX', til - math.floor((MICROSECONDS) / 1000) + 1) end
	if til > unpack('>I6', anchor, 23) then call('SET', tag .. 'a' .. service, sub(anchor, 1, 22) .. pack('>I6', til)) end
	code = 16
end
if not v then return answer(code) end
local _, state, flags, _, owner, version, claims, over, _, seen = unpack('>BBBBc16I8I4I6I6I6', v)
if state == 3 or owner ~= token then return answer(code) end

if op == 5 and flags < 2 then -- release
	call('DEL', rec)
	call('ZREM', tag .. indexes[state], id)
	news()
	return answer(code + 1)
end
local next = state
if op == 1 then -- start
	if state == 2 then return answer(code) end
	next, over, version = 2, now + lease, version + 1
	call('ZREM', tag .. 'c', id)
elseif now >= over then
	return answer(code)
elseif op == 2 then -- extend
	over = now + lease
else -- yield
	over, version = now, version + 1
end
call('SET', rec, head(next, flags, 0, token, version, claims, over, 0, seen) .. sub(v, 51))
call('ZADD', tag .. indexes[next], over, id)
if op ~= 2 then news() end
return answer(code + 1)
