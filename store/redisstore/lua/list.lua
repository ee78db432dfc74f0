-- A page of the open records behind a place, which is a lease and an id.
local last, store, class, after, limit = unpack('>I6c16BI6I4', ARGV[1])
if not begin(last, store) then return gone end
local behind, page = ARGV[2], { clock() }

-- By bytes, as the index is ordered: > goes by the language that the server was started in.
local function later(id, from)
	for i = 1, #from do
		local a, b = byte(id, i), byte(from, i)
		if a ~= b then return a > b end
	end
	return from == ''
end

local function add(index, most)
	local left = limit
	local function put(ids, from)
		for _, id in ipairs(ids) do
			if left > 0 and later(id, from) then
				local v = call('GET', tag .. 'r' .. id)
				if v and byte(v, 2) ~= 3 then
					page[#page + 1] = id .. v
					left = left - 1
				end
			end
		end
	end
	local least = after
	if class == 2 and index == 's' and now + 1 > after then
		least = now + 1
		put(call('ZRANGEBYSCORE', tag .. index, least, most, 'LIMIT', 0, left), '')
		return
	end
	if most ~= '+inf' and tonumber(most) < after then return end
	put(call('ZRANGEBYSCORE', tag .. index, after, after), behind) -- those of the same millisecond
	put(call('ZRANGEBYSCORE', tag .. index, '(' .. string.format('%.0f', after), most, 'LIMIT', 0, left), '')
end

if class == 1 then
	add('s', string.format('%.0f', now))
else
	add('c', '+inf')
	add('s', '+inf')
end
return page
