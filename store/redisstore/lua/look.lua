-- For one who waits: the head of the record, and if it can change, the channel's name left behind.
if v and byte(v, 2) ~= 3 then call('SET', tag .. 'q' .. sub(rec, -32), ARGV[3], 'PX', ARGV[4]) end
return pack('>BI6', 0, now) .. seal .. sub(v or '', 21, 28)
