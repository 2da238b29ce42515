-- The generic cell rate algorithm over several buckets at once: all of them have room, or nothing is taken.
-- KEYS: the buckets. ARGV, for each: microseconds that one unit takes to come back, units it holds, units asked for.
-- A bucket is kept as the moment at which it is full again; one that is not there is full. `now` is set before this.
local found, reply, admitted = {}, {}, 1
for i, key in ipairs(KEYS) do
  local interval, burst, cost = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local missing = math.max(tonumber(redis.call('GET', key) or now) - now, 0)
  local early = missing + interval * cost - interval * burst
  -- A microsecond of grace for what rounding does; it is not given twice, since the bucket remembers it.
  if early > 1 then admitted = 0 end
  found[i] = { interval, burst, cost, missing, early }
end
for i, key in ipairs(KEYS) do
  local interval, burst, cost, missing, early = unpack(found[i])
  if admitted == 1 then
    missing = missing + interval * cost
    redis.call('SET', key, string.format('%.3f', now + missing), 'PX', math.ceil(missing / 1000) + 1)
  end
  reply[3 * i - 1] = math.max(math.floor((interval * burst - missing + 1) / interval), 0)
  reply[3 * i] = math.ceil(missing)
  reply[3 * i + 1] = admitted == 1 and 0 or math.max(math.ceil(early), 0)
end
reply[1] = admitted
return reply
