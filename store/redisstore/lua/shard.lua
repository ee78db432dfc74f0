-- What the scripts of a whole shard share. KEYS[1] is its anchor: the shard's tag and 'w'.
local call, pack, unpack, sub, byte = redis.call, struct.pack, struct.unpack, string.sub, string.byte
local anchor = KEYS[1]
local tag = sub(anchor, 1, -2)
local now

local function begin(last, store)
	local t = call('TIME')
	now = math.max(math.floor((MICROSECONDS) / 1000), last)
	return call('HGET', anchor, '') == store
end

local function clock() return pack('>I6', now) end
local function watermark(service) return tonumber(call('HGET', anchor, service) or 0) end
local function raise(service, til)
	if til > watermark(service) then call('HSET', anchor, service, string.format('%.0f', til)) end
end
local gone = { '\255' }
