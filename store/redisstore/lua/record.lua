-- What the scripts of one record share. KEYS[1] is the record: the shard's tag, 'r', the id of 32 bytes. A record is a string:
--   1 format   2 state   3 flags (1 rerun, 2 doubted, 4 safe new key)   4 end   5 token (16)   21 version (8)   29 claims (4)
--   33 lease, or purge time when done (6)   39 done at (6)   45 first seen (6)
--   51 what never changes: stamp (6), hint (8), fingerprint version (1) and sum (32), lengths of service (2), principal (2) and key (1), these three
--   behind it the reply, only when done
local call, pack, unpack, sub, byte = redis.call, struct.pack, struct.unpack, string.sub, string.byte
local rec, service = KEYS[1], ARGV[2]
local tag, id = sub(rec, 1, -34), sub(rec, -32)
local now, order, mark

-- begin reads the clock, and the shard's anchor: what the store is known by, and the service's watermark. False: this is not the store that was opened.
local function begin(last, store)
	local t = call('TIME')
	order = MICROSECONDS
	now = math.max(math.floor(order / 1000), last)
	local anchor = call('HMGET', tag .. 'w', '', service)
	mark = tonumber(anchor[2] or 0)
	return anchor[1] == store
end

-- The code's bits: 1 record written, 2 the token is dead, 4 no memory, 8 trail written, 16 mark written.
local function answer(code, value) return pack('>BI6I6', code, now, mark) .. (value or '') end
local gone = '\255'

local indexes = { 'c', 's' } -- of claimed and of started records, by lease

local function head(state, flags, ending, token, version, claims, time, done, seen)
	return pack('>BBBBc16I8I4I6I6I6', 1, state, flags, ending, token, version, claims, time, done, seen)
end

-- Whoever waits for the record has left the channel's name.
local function news(channel)
	if channel then
		call('DEL', tag .. 'q' .. id)
		call('PUBLISH', channel, id)
	end
end

-- due puts a record that gets done into the list of those whose time is over at the same bound. It comes before all other writes: it alone may fail,
-- for want of memory, or because a Cluster is moving the list, whose name nobody knows beforehand.
local function due(purge, width)
	local at = math.ceil(purge / width) * width
	local bound = string.format('%.0f', at) .. ':' .. service
	local n = redis.pcall('RPUSH', tag .. 'd' .. bound, id)
	if type(n) == 'table' then return n end
	if n == 1 then call('ZADD', tag .. 'b', at, bound) end
end

local function trail(action, version, who, body)
	call('RPUSH', tag .. 't', pack('>I8I6BI8', order, now, action, version) .. id .. who .. body)
end
