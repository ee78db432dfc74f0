
local token, first, decision, looked, attested, ending, window, guard, keep, width, stamp = unpack('>c16I8BI8BBI6I6I6I6I6', args, 23)
local state, flags, version, claims, lease, seen, body = 0, 0, first - 1, 0, 0, now, ARGV[3]
if v then
	local _
	_, state, flags, _, _, version, claims, lease, _, seen, stamp = unpack('>BBBBc16I8I4I6I6I6I6', v)
	body = sub(v, 51)
	if state == 3 or now < lease then return answer(0) end
end

if decision == 3 then -- cancel
	if state == 2 or stamp ~= 0 and stamp <= mark then return answer(0) end
	if state == 0 and stamp ~= 0 and (stamp < now - window or stamp > now + guard) then return answer(0) end
	if state == 0 and roomy then return answer(4) end
	ending = 4
	if stamp ~= 0 then flags = flags + 4 end
elseif decision == 4 then -- release of a claim
	if state ~= 1 or version ~= looked then return answer(0) end
	call('DEL', rec)
	call('ZREM', tag .. 'c', id)
	trail(4, 0, ARGV[4], body)
	news()
	return answer(9)
else
	if state ~= 2 or version ~= looked then return answer(0) end
	if attested == 1 and stamp ~= 0 then flags = flags + 4 end
end

local purge = math.max(stamp, now) + keep
local failed = due(purge, width)
if failed then return failed end
call('SET', rec, head(3, flags, ending, token, version + 1, claims, purge, now, seen) .. body .. ARGV[5])
if state ~= 0 then call('ZREM', tag .. indexes[state], id) end
news()
if ARGV[4] == '' then return answer(1) end
trail(decision, version + 1, ARGV[4], body)
return answer(9)
