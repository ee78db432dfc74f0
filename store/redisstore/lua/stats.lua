-- Counts: claimed, started and not unknown, unknown, the end of the oldest unknown's lease; then each service's watermark and done records.
local last, store = unpack('>I6c16', ARGV[1])
if not begin(last, store) then return gone end
local at = string.format('%.0f', now)
local oldest = call('ZRANGE', tag .. 's', 0, 0, 'WITHSCORES')[2]
local unknown = call('ZCOUNT', tag .. 's', '-inf', at)
local out = { clock(), call('ZCARD', tag .. 'c'), call('ZCARD', tag .. 's') - unknown, unknown, unknown > 0 and tonumber(oldest) or 0 }
local done = {}
for _, bound in ipairs(call('ZRANGE', tag .. 'b', 0, -1)) do
	local service = sub(bound, string.find(bound, ':', 1, true) + 1)
	done[service] = (done[service] or 0) + call('LLEN', tag .. 'd' .. bound)
end
for _, service in ipairs(call('HKEYS', anchor)) do
	if service ~= '' then
		local w = watermark(service)
		if not w then return gone end
		out[#out + 1] = service
		out[#out + 1] = w
		out[#out + 1] = done[service] or 0
		done[service] = nil
	end
end
for service, n in pairs(done) do
	out[#out + 1] = service
	out[#out + 1] = 0
	out[#out + 1] = n
end
return out
