-- Does once, on keys that are gone when it ends, what the scripts do: a privilege that is missing must not show in the middle of a step. The answer: what is refused.
local last, store = unpack('>I6c16', ARGV[1])
if not begin(last, store) then return gone end
local refused = { clock() }
local function may(command, ...)
	local got = redis.pcall(command, ...)
	if type(got) == 'table' and got.err then refused[#refused + 1] = command .. ': ' .. got.err end
end
local text, hash, set, list = tag .. '-s', tag .. '-h', tag .. '-z', tag .. '-l'
may('SET', text, 'a')
may('SETRANGE', text, 0, 'b')
may('GETRANGE', text, 0, 0)
may('GET', text)
may('MGET', text, hash)
may('EXISTS', text)
may('HSET', hash, 'a', 'a')
may('HSETNX', hash, 'b', 'b')
may('HGET', hash, 'a')
may('HKEYS', hash)
may('ZADD', set, 1, 'a')
may('ZRANGE', set, 0, -1)
may('ZRANGEBYSCORE', set, 0, 1)
may('ZCARD', set)
may('ZCOUNT', set, 0, 1)
may('ZREM', set, 'a')
may('RPUSH', list, 'a', 'b')
may('LRANGE', list, 0, -1)
may('LLEN', list)
may('LTRIM', list, 1, -1)
may('PUBLISH', ARGV[2], '')
may('UNLINK', text)
may('DEL', text, hash, set, list)
return refused
