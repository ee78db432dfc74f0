-- What scripts that change a record in one of the rarer ways share.
local id, service = sub(rec, -32), ARGV[2]
local mark = unpack('>I6', seal)
local indexes = { 'c', 's' } -- of claimed and of started records, by lease

local function answer(code) return pack('>BI6', code, now) .. seal .. (v or '') end

local function head(state, flags, ending, token, version, claims, time, done, seen)
	return pack('>BBBBc16I8I4I6I6I6', 1, state, flags, ending, token, version, claims, time, done, seen)
end

-- Whoever waits for the record has left the channel's name.
local function news()
	local channel = call('GET', tag .. 'q' .. id)
	if channel then
		call('DEL', tag .. 'q' .. id)
		call('PUBLISH', channel, id)
	end
end

local function trail(action, version, who, body)
	call('RPUSH', tag .. 't', pack('>I8I6BI8', MICROSECONDS, now, action, version) .. id .. who .. body)
end
