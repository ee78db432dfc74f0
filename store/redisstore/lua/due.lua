
-- A record that gets done is put into the list of those whose time is over at the same bound. This comes before all other writes: it alone may fail,
-- because a Cluster is moving the list, whose name nobody knows beforehand.
local function due(purge, width)
	local at = string.format('%d', math.ceil(purge / width) * width)
	local bound = at .. ':' .. ARGV[2]
	local n = redis.pcall('RPUSH', tag .. 'd' .. bound, sub(rec, -32))
	if type(n) == 'table' then return n end
	if n == 1 then call('ZADD', tag .. 'b', at, bound) end
end
