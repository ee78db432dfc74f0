-- Looks at, or removes, the records whose time is over, at most limit. The answer: how many; then each service with its newest stamp.
local last, store, at, limit, remove = unpack('>I6c16I6I4B', ARGV[1])
if not begin(last, store) then return gone end
at = math.min(at, own) -- another node's clock, or what this one has shown before, must not shorten what is kept here
local newest, n = {}, 0
for _, bound in ipairs(call('ZRANGEBYSCORE', tag .. 'b', '-inf', string.format('%.0f', at), 'LIMIT', 0, limit)) do
	if n == limit then break end
	local key = tag .. 'd' .. bound
	local service = sub(bound, string.find(bound, ':', 1, true) + 1)
	local ids = call('LRANGE', key, 0, limit - n - 1)
	local leaving = {}
	for i, id in ipairs(ids) do
		local v = call('GETRANGE', tag .. 'r' .. id, 0, 55)
		if #v == 56 and byte(v, 2) == 3 and unpack('>I6', v, 33) <= at then
			local stamp = unpack('>I6', v, 51)
			if stamp > (newest[service] or 0) then newest[service] = stamp end
			leaving[#leaving + 1] = tag .. 'r' .. id
		end
	end
	n = n + #leaving
	if remove == 1 then
		if newest[service] and raise(service, newest[service], store) then return gone end -- before anything is absent
		for _, record in ipairs(leaving) do call('UNLINK', record) end
		call('LTRIM', key, #ids, -1)
		if call('EXISTS', key) == 0 then call('ZREM', tag .. 'b', bound) end
	end
end
local out = { clock(), n }
for service, stamp in pairs(newest) do
	out[#out + 1] = service
	out[#out + 1] = stamp
end
return out
