if not v then return pack('>BI6', 0, now) .. seal end
local state, flags, was = byte(v, 2, 4)
local token, id = sub(args, 23, 38), sub(rec, -32)
if state == 3 then
	if was ~= 3 then return pack('>BI6', 0, now) .. seal .. v end
	call('RPUSH', tag .. 't', pack('>I8I6Bc8', MICROSECONDS, now, 5, sub(v, 21, 28)) .. id .. '\0\0\0\0' .. sub(v, 51)) -- the trail of a contradiction
	return pack('>BI6', 8, now) .. seal .. v
end
if sub(v, 5, 20) ~= token then return pack('>BI6', 0, now) .. seal .. v end
local ending, keep, width = unpack('>BI6I6', args, 39)
local version, claims, _, stamp = unpack('>I8c4c18I6', v, 21)
local purge = math.max(stamp, now) + keep
local failed = due(purge, width)
if failed then return failed end
-- ARGV[3] is the reply behind as many zeros as head and body are long: a long string is dear in Lua, and joining makes another.
call('SET', rec, ARGV[3])
call('SETRANGE', rec, '0', pack('>BBBBc16I8c4I6I6', 1, 3, flags, ending, token, version + 1, claims, purge, now) .. sub(v, 45))
call('ZREM', tag .. (state == 1 and 'c' or 's'), id)
if got[3] then
	call('DEL', tag .. 'q' .. id)
	call('PUBLISH', got[3], id)
end
return pack('>BI6', 1, now) .. seal .. v
