-- The head and body of a record that is named by its id alone.
local last, store = unpack('>I6c16', ARGV[1])
if not begin(last, store) then return gone end
return { clock(), call('GETRANGE', tag .. 'r' .. ARGV[2], '0', ARGV[3]) }
