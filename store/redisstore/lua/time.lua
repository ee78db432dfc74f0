-- The time by the shard's server, also before the shard is laid out.
begin(0, '')
return clock()
