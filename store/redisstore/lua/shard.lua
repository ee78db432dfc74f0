-- What the scripts of a whole shard share. KEYS[1] is its anchor: the shard's tag and 'w'.
local call, pack, unpack, sub, byte = redis.call, struct.pack, struct.unpack, string.sub, string.byte
local anchor = KEYS[1]
local tag = sub(anchor, 1, -2)
local now, own, since

local function begin(last, store)
	local t = call('TIME')
	own = math.floor((MICROSECONDS) / 1000)
	now = math.max(own, last)
	local w = call('HGET', anchor, '') -- the store's name (16), when the shard was laid out (6), and the number of shards (2)
	if not w then return false end
	since = unpack('>I6', w, 17)
	return sub(w, 1, 16) == store
end

local function clock() return pack('>I6', now) end
-- The anchor of each service stands beside the shard's, where a record's script reads it with the record: see record.lua.
-- One that was there, and is not, has taken its watermark along: nobody but a person may say where that stood. Then watermark is nil, and raise answers true.
local function watermark(service)
	local a = call('GET', tag .. 'a' .. service)
	if a then return (unpack('>I6', a, 17)) end
	if not call('HGET', anchor, service) then return since end
end
local function raise(service, til, store)
	local w = watermark(service)
	if not w then return true end
	if til <= w then return end
	local a = call('GET', tag .. 'a' .. service)
	local marks = a and sub(a, 23, 28) or '\0\0\0\0\0\0'
	call('HSET', anchor, service, '')
	call('SET', tag .. 'a' .. service, store .. pack('>I6', til) .. marks)
end
local gone = { '\255' }
