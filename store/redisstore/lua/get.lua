local last, store = unpack('>I6c16', ARGV[1])
if not begin(last, store) then return gone end
return answer(0, call('GET', rec))
