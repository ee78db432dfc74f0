local last, store, token, version, til, lease, window, guard, stamp, start, policy, horizon = unpack('>I6c16c16I8I6I6I6I6I6BBB', ARGV[1])
if not begin(last, store) then return gone end
local found = call('MGET', rec, tag .. 'm' .. id .. token)
local v, dead = found[1], 0
if found[2] and tonumber(found[2]) >= now then dead = 2 end
local late = dead == 2 or now > til

if not v then
	if late or horizon == 1 or stamp ~= 0 and (stamp <= mark or stamp < now - window or stamp > now + guard) then return answer(dead) end
	if roomy then return answer(4) end
	local done = redis.pcall('SET', rec, head(1 + start, policy, 0, token, version, 1, now + lease, 0, now) .. ARGV[3])
	if done.err then
		if sub(done.err, 1, 3) == 'OOM' then return answer(4) end
		return done
	end
	call('ZADD', tag .. indexes[1 + start], now + lease, id)
	return answer(1)
end

local state = byte(v, 2)
if state == 3 or sub(v, 5, 20) == token then return answer(dead, v) end
local print, known = sub(v, 65, 65), false
if print ~= '\0' then
	for i = 1, #ARGV[4], 33 do
		if sub(ARGV[4], i, i) == print then
			known = sub(ARGV[4], i, i + 32) == sub(v, 65, 97)
			break
		end
	end
	if not known then return answer(dead, v) end
end
local flags = byte(v, 3)
if now < unpack('>I6', v, 33) or late then return answer(dead, v) end
if state == 2 and flags % 2 == 0 then return answer(dead, v) end
local minted = unpack('>I6', v, 51)
if state == 1 and minted ~= 0 and minted <= mark then return answer(dead, v) end

local claims, next = unpack('>I4', v, 29) + 1, state
if state == 2 then
	if flags < 2 then flags = flags + 2 end
else
	next = 1 + start
end
local done = redis.pcall('SET', rec, head(next, flags, 0, token, version, claims, now + lease, 0, unpack('>I6', v, 45)) .. sub(v, 51))
if done.err then
	if sub(done.err, 1, 3) == 'OOM' then return answer(4, v) end
	return done
end
if next ~= state then call('ZREM', tag .. indexes[state], id) end
call('ZADD', tag .. indexes[next], now + lease, id)
news(call('GET', tag .. 'q' .. id))
return answer(1, v)
