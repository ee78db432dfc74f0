if v and (byte(v, 2) == 3 or sub(v, 5, 20) == sub(args, 23, 38)) then return { pack('>BI6', 0, now) .. seal, v } end
local token, version, til, lease, window, guard, stamp, start, policy, horizon = unpack('>c16I8I6I6I6I6I6BBB', args, 23)
local id, dead = sub(rec, -32), 0
if now <= unpack('>I6', anchor, 23) then
	local alive = call('GET', tag .. 'm' .. id .. token)
	if alive and tonumber(alive) >= now then dead = 2 end
end
local late = dead == 2 or now > til

if not v then
	if late or horizon == 1 or stamp ~= 0 and (stamp <= unpack('>I6', seal) or stamp < now - window or stamp > now + guard) then
		return pack('>BI6', dead, now) .. seal
	end
	if roomy then return pack('>BI6', 4, now) .. seal end
	call('SET', rec, pack('>BBBBc16I8I4I6I6I6', 1, 1 + start, policy, 0, token, version, 1, now + lease, 0, now) .. ARGV[3])
	call('ZADD', tag .. (start == 1 and 's' or 'c'), string.format('%d', now + lease), id)
	return pack('>BI6', 1, now) .. seal
end

local state, flags = byte(v, 2, 3)
local refused = pack('>BI6', dead, now) .. seal .. v
local print, known = sub(v, 65, 65), false
if print ~= '\0' then
	for i = 80, #args, 33 do
		if sub(args, i, i) == print then
			known = sub(args, i, i + 32) == sub(v, 65, 97)
			break
		end
	end
	if not known then return refused end
end
if late or now < unpack('>I6', v, 33) or state == 2 and flags % 2 == 0 then return refused end
local minted = unpack('>I6', v, 51)
if state == 1 and minted ~= 0 and minted <= unpack('>I6', seal) then return refused end

local next = 1 + start
if state == 2 then
	next = 2
	if flags < 2 then flags = flags + 2 end
end
call('SET', rec, pack('>BBBBc16I8I4I6I6', 1, next, flags, 0, token, version, unpack('>I4', v, 29) + 1, now + lease, 0) .. sub(v, 45))
if next ~= state then call('ZREM', tag .. 'c', id) end
call('ZADD', tag .. (next == 2 and 's' or 'c'), now + lease, id)
local channel = call('GET', tag .. 'q' .. id)
if channel then
	call('DEL', tag .. 'q' .. id)
	call('PUBLISH', channel, id)
end
return pack('>BI6', 1, now) .. seal .. v
