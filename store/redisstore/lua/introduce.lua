-- Makes the anchor of a service that is new in this shard. One that was there, and is not, has taken its watermark along. The watermark begins where the shard does: what ran before, in a
-- store that was here and is lost, nobody knows.
local last, store = unpack('>I6c16', ARGV[1])
local key = tag .. 'a' .. ARGV[2]
if not begin(last, store) then return gone end
if call('EXISTS', key) == 0 then
	if call('HSETNX', anchor, ARGV[2], '') == 0 then return gone end
	call('SET', key, store .. pack('>I6', since) .. '\0\0\0\0\0\0')
end
return { clock() }
