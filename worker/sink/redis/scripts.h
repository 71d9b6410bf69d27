#pragma once

#include "worker/client/redis/redis.h"

// The ledger of one job's sink, format 1: a hash in the slot of the rows.
//   format      1
//   since       the generation that found no ledger and began this one
//   generation  the one that may write, "<fence>-<16 hex>"
//   fence       its number
//   batch       largest batch of which output is there
//   digest      D(batch), hex
//   task:<stage>/<unit>   "<batch> <parts>": the task's last batch and how many of its parts
namespace millrace::worker {

// KEYS: ledger, a key of nobody. ARGV: generation, fence, "1" to begin anew, milliseconds to live
// or "0", letter of the sink's changes. Does to the key of nobody what parts will do: a command
// that the account may not use is found before rows are there. Answers {"OK"}, {"FENCED",
// generation} or
// {"FORMAT", format}.
inline constexpr RedisScript kFenceScript = {"redis_sink.fence", R"lua(
if ARGV[3] == '1' then redis.call('DEL', KEYS[1]) end
local held = redis.call('HMGET', KEYS[1], 'format', 'generation', 'fence')
if held[1] and held[1] ~= '1' then return {'FORMAT', held[1]} end
if held[3] and tonumber(held[3]) > tonumber(ARGV[2]) then return {'FENCED', held[2]} end
local probe, op = KEYS[2], ARGV[5]
redis.call('DEL', probe)
redis.call('TYPE', probe)
if op == 'H' then
  redis.call('HSET', probe, 'f', 'v')
  redis.call('HDEL', probe, 'g')
elseif op == 'S' then redis.call('SET', probe, 'v')
elseif op == 'R' then redis.call('RPUSH', probe, 'v')
elseif op == 'Z' then
  redis.call('ZADD', probe, '0', 'v')
  redis.call('ZREM', probe, 'v')
else redis.call('XADD', probe, '*', 'f', 'v') end
redis.call('PEXPIRE', probe, '1000')
redis.call('DEL', probe)
if not held[1] then redis.call('HSET', KEYS[1], 'since', ARGV[1]) end
redis.call('HSET', KEYS[1], 'format', '1', 'generation', ARGV[1], 'fence', ARGV[2])
if ARGV[4] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return {'OK'}
)lua"};

// KEYS: ledger, then the key of each change. ARGV: generation, fence, batch, digest, task, part
// (from 0), type that keys must have or "", milliseconds that keys live or "0", the same of the
// ledger; then per change: letter, count, arguments.
// Everything is checked before the first write: a script that fails takes nothing back.
// Answers {"OK"}, {"DONE", change...} for a part that is there already, {"TYPE", change...} where
// keys hold another type (nothing was written; changes are counted from 0), {"FENCED", generation},
// {"LOST"}, {"HISTORY", batch, digest} or {"GAP", parts}.
inline constexpr RedisScript kPartScript = {"redis_sink.part", R"lua(
local ledger = KEYS[1]
local task = 'task:' .. ARGV[5]
local held = redis.call('HMGET', ledger, 'generation', 'fence', 'batch', 'digest', task)
if held[1] ~= ARGV[1] then
  if not held[2] or tonumber(held[2]) < tonumber(ARGV[2]) then return {'LOST'} end
  return {'FENCED', held[1]}
end
local batch, last = tonumber(ARGV[3]), tonumber(held[3] or '0')
if last > batch or (last == batch and held[4] ~= ARGV[4]) then
  return {'HISTORY', held[3], held[4] or ''}
end
local part, done = tonumber(ARGV[6]), 0
if held[5] then
  local b, parts = string.match(held[5], '^(%d+) (%d+)$')
  if b == ARGV[3] then done = tonumber(parts) end
end
if part > done then return {'GAP', tostring(done)} end

local first, wanted, ttl = 10, ARGV[7], ARGV[8]
local types, wrong = {}, {}
local at = first
for i = 2, #KEYS do
  local key, op = KEYS[i], ARGV[at]
  at = at + 2 + tonumber(ARGV[at + 1])
  if wanted ~= '' then
    local kind = types[key] or redis.call('TYPE', key).ok
    if op == 'D' then
      kind = 'none'
    elseif kind ~= 'none' and kind ~= wanted then
      wrong[#wrong + 1] = tostring(i - 2)
    elseif op ~= 'U' and op ~= 'M' then
      kind = wanted
    end
    types[key] = kind
  end
end
if part < done then return {'DONE', unpack(wrong)} end
if #wrong > 0 then return {'TYPE', unpack(wrong)} end

local call = redis.call
at = first
for i = 2, #KEYS do
  local key, op, count = KEYS[i], ARGV[at], tonumber(ARGV[at + 1])
  local from, to = at + 2, at + 1 + count
  at = to + 1
  if op == 'H' then call('HSET', key, unpack(ARGV, from, to))
  elseif op == 'U' then call('HDEL', key, unpack(ARGV, from, to))
  elseif op == 'S' then call('SET', key, ARGV[from])
  elseif op == 'R' then call('RPUSH', key, ARGV[from])
  elseif op == 'Z' then call('ZADD', key, ARGV[from], ARGV[to])
  elseif op == 'M' then call('ZREM', key, ARGV[from])
  elseif op == 'X' then call('XADD', key, '*', unpack(ARGV, from, to))
  else call('DEL', key) end
  if ttl ~= '0' and op ~= 'D' and op ~= 'U' and op ~= 'M' then call('PEXPIRE', key, ttl) end
end
call('HSET', ledger, 'batch', ARGV[3], 'digest', ARGV[4], task, ARGV[3] .. ' ' .. (part + 1))
if ARGV[9] ~= '0' then call('PEXPIRE', ledger, ARGV[9]) end
return {'OK'}
)lua"};

}  // namespace millrace::worker
