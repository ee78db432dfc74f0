local last, store, til = unpack('>I6c16I6', ARGV[1])
if not begin(last, store) then return gone end
if raise(ARGV[2], til, store) then return gone end
return { clock(), watermark(ARGV[2]) }
