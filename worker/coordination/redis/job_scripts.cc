#include "worker/coordination/redis/job_scripts.h"

#include <deque>
#include <string>

namespace millrace::worker {
namespace {

// The checks that scripts share, in the order of the protocol: lost, halted, lease, generation, its
// state, doubt.
constexpr const char* kPrelude = R"lua(
local J = KEYS[1]
local function get(key, field) return redis.call('HGET', J .. key, field) or '' end
local function number(key, field) return tonumber(redis.call('HGET', J .. key, field) or '0') end
local function guard()
  if redis.call('EXISTS', J .. ':job') == 0 then return {'lost', ''} end
  local halt = get(':job', 'halt')
  if halt ~= '' then return {'halted', halt} end
end
local function leader(token, epoch)
  if get(':lease', 'token') ~= token or get(':lease', 'epoch') ~= epoch then return {'stale', ''} end
end
local function current(name, open)
  if redis.call('EXISTS', J .. ':gen') == 0 or get(':gen', 'name') ~= name then return {'not current', ''} end
  if get(':gen', 'open') ~= open then return {'refused', 'generation state'} end
end
local function doubt()
  if get(':job', 'suspectBatch') ~= '' then return {'suspect', ''} end
end
local function known(batch, digest)
  local seen, committed = tonumber(batch), number(':commit', 'batch')
  local ahead = seen > committed or (seen == committed and digest ~= get(':commit', 'digest'))
  local suspect = get(':job', 'suspectBatch')
  if ahead and (suspect == '' or seen > tonumber(suspect)) then
    redis.call('HSET', J .. ':job', 'suspectBatch', batch, 'suspectDigest', digest)
  end
end
local function slot(value)
  local n = tonumber(value)
  if n < 0 or n >= number(':gen', 'slots') then return {'refused', 'slot'} end
end
local function put_plan(batch, digest, spec, bytes)
  redis.call('HSET', J .. ':plan', batch, bytes)
  redis.call('HSET', J .. ':plan.d', batch, digest)
  redis.call('HSET', J .. ':plan.s', batch, spec)
  redis.call('HSET', J .. ':job', 'lastPlan', batch)
end
)lua";

// `name` and the text of prelude and body; static, so that its views live on.
JobScript Make(std::string_view name, const char* body) {
  static std::deque<std::string> texts;
  texts.push_back(std::string(kPrelude) + body);
  return {name, texts.back()};
}

}  // namespace

const JobScript kInitScript = Make("init", R"lua(
if redis.call('EXISTS', J .. ':job') == 1 then return {'refused', 'job exists'} end
redis.call('HSET', J .. ':job', 'format', '1', 'specGen', ARGV[1], 'specHash', ARGV[2], 'slots', '0', 'lastPlan', '0')
redis.call('HSET', J .. ':commit', 'batch', '0')
redis.call('HSET', J .. ':spec', ARGV[2], ARGV[3])
return {'ok', ''}
)lua");

const JobScript kReadScript = Make("read", R"lua(
if redis.call('EXISTS', J .. ':job') == 0 then return {'lost', ''} end
local plans = {}
for batch = number(':commit', 'batch') + 1, number(':job', 'lastPlan') do
  local name = string.format('%d', batch)
  plans[#plans + 1] = name
  plans[#plans + 1] = get(':plan.d', name)
  plans[#plans + 1] = get(':plan.s', name)
  plans[#plans + 1] = get(':plan', name)
end
return {'ok', '', redis.call('HGETALL', J .. ':job'), redis.call('HGETALL', J .. ':lease'), redis.call('HGETALL', J .. ':gen'),
        redis.call('HKEYS', J .. ':ready'), redis.call('HGETALL', J .. ':commit'), redis.call('HGETALL', J .. ':members'), plans,
        redis.call('HGETALL', J .. ':spec')}
)lua");

// observed token, observed beat, token, holder, address, specGen
const JobScript kAcquireScript = Make("acquire", R"lua(
local bad = guard()
if bad then return bad end
local held = redis.call('EXISTS', J .. ':lease') == 1 and get(':lease', 'released') ~= '1'
if held and (get(':lease', 'token') ~= ARGV[1] or get(':lease', 'beat') ~= ARGV[2]) then return {'refused', 'lease moved'} end
if tonumber(ARGV[6]) < number(':job', 'specGen') then return {'refused', 'older spec'} end
local epoch = string.format('%d', number(':lease', 'epoch') + 1)
redis.call('HSET', J .. ':lease', 'token', ARGV[3], 'epoch', epoch, 'holder', ARGV[4], 'address', ARGV[5], 'beat', '0', 'released', '0')
return {'ok', '', epoch}
)lua");

// token, epoch
const JobScript kRenewScript = Make("renew", R"lua(
local bad = guard() or leader(ARGV[1], ARGV[2])
if bad then return bad end
redis.call('HINCRBY', J .. ':lease', 'beat', 1)
return {'ok', ''}
)lua");

const JobScript kReleaseScript = Make("release", R"lua(
local bad = guard() or leader(ARGV[1], ARGV[2])
if bad then return bad end
redis.call('HSET', J .. ':lease', 'released', '1')
return {'ok', ''}
)lua");

// member, record, known batch, known digest, gone
const JobScript kBeatScript = Make("beat", R"lua(
if redis.call('EXISTS', J .. ':job') == 0 then return {'lost', ''} end
known(ARGV[3], ARGV[4])
if ARGV[5] == '1' then redis.call('HDEL', J .. ':members', ARGV[1])
else redis.call('HSET', J .. ':members', ARGV[1], ARGV[2]) end
return {'ok', ''}
)lua");

// token, epoch, reason
const JobScript kHaltScript = Make("halt", R"lua(
local bad = guard() or leader(ARGV[1], ARGV[2])
if bad then return bad end
redis.call('HSET', J .. ':job', 'halt', ARGV[3])
return {'ok', ''}
)lua");

// token, epoch, observed batch, observed generation, specGen, name, fence, specHash, slots, most
// slots, data, spec
const JobScript kNewGenerationScript = Make("new generation", R"lua(
local bad = guard() or leader(ARGV[1], ARGV[2])
if bad then return bad end
local batch, generation = get(':commit', 'batch'), get(':commit', 'generation')
if batch ~= ARGV[3] or generation ~= ARGV[4] then return {'refused', 'commit moved'} end
if redis.call('EXISTS', J .. ':gen') == 1 and tonumber(ARGV[7]) <= number(':gen', 'fence') then return {'refused', 'fence'} end
if ARGV[8] ~= get(':job', 'specHash') then
  if tonumber(ARGV[5]) < number(':job', 'specGen') then return {'refused', 'older spec'} end
  if number(':job', 'lastPlan') > tonumber(batch) then return {'refused', 'plans of the older spec'} end
  redis.call('HSET', J .. ':job', 'specHash', ARGV[8], 'specGen', ARGV[5])
  for _, hash in ipairs(redis.call('HKEYS', J .. ':spec')) do
    if hash ~= get(':commit', 'specHash') then redis.call('HDEL', J .. ':spec', hash) end
  end
  redis.call('HSET', J .. ':spec', ARGV[8], ARGV[12])
end
local former = get(':gen', 'name')
for _, b in ipairs({tonumber(batch), tonumber(batch) + 1, tonumber(batch) + 2}) do
  local name = string.format('%d', b)
  if former ~= '' and not (name == batch and former == generation) then redis.call('DEL', J .. ':prepared:' .. former .. ':' .. name) end
end
redis.call('DEL', J .. ':ready')
redis.call('HSET', J .. ':gen', 'name', ARGV[6], 'fence', ARGV[7], 'specHash', ARGV[8], 'slots', ARGV[9], 'open', '0', 'data', ARGV[11])
if tonumber(ARGV[10]) > number(':job', 'slots') then redis.call('HSET', J .. ':job', 'slots', ARGV[10]) end
return {'ok', ''}
)lua");

// generation, slot, known batch, known digest
const JobScript kReadyScript = Make("ready", R"lua(
if redis.call('EXISTS', J .. ':job') == 0 then return {'lost', ''} end
known(ARGV[3], ARGV[4])
local bad = guard() or current(ARGV[1], '0') or slot(ARGV[2])
if bad then return bad end
redis.call('HSET', J .. ':ready', ARGV[2], '1')
return {'ok', ''}
)lua");

// token, epoch, generation, suspect batch, suspect digest, data
const JobScript kOpenScript = Make("open", R"lua(
local bad = guard() or leader(ARGV[1], ARGV[2]) or current(ARGV[3], '0')
if bad then return bad end
if redis.call('HLEN', J .. ':ready') ~= number(':gen', 'slots') then return {'refused', 'not all ready'} end
if get(':job', 'suspectBatch') ~= ARGV[4] or get(':job', 'suspectDigest') ~= ARGV[5] then return {'refused', 'suspect moved'} end
redis.call('HSET', J .. ':gen', 'open', '1', 'data', ARGV[6])
redis.call('HDEL', J .. ':job', 'suspectBatch', 'suspectDigest')
return {'ok', ''}
)lua");

// token, epoch, generation, previous digest, batch, digest, specHash, bytes
const JobScript kPlanScript = Make("plan", R"lua(
local bad = guard() or leader(ARGV[1], ARGV[2]) or current(ARGV[3], '1') or doubt()
if bad then return bad end
local committed, last, batch = number(':commit', 'batch'), number(':job', 'lastPlan'), tonumber(ARGV[5])
local digest
if last > committed then digest = get(':plan.d', string.format('%d', last)) else last, digest = committed, get(':commit', 'digest') end
if batch ~= last + 1 then return {'refused', 'plan does not follow'} end
if batch > committed + 2 then return {'refused', 'too far ahead'} end
if ARGV[4] ~= digest then return {'refused', 'digest'} end
if ARGV[7] ~= get(':gen', 'specHash') then return {'refused', 'spec'} end
put_plan(ARGV[5], ARGV[6], ARGV[7], ARGV[8])
return {'ok', ''}
)lua");

// token, epoch, generation, batch
const JobScript kDeliverScript = Make("deliver", R"lua(
local bad = guard() or leader(ARGV[1], ARGV[2]) or current(ARGV[3], '1') or doubt()
if bad then return bad end
if tonumber(ARGV[4]) ~= number(':commit', 'batch') + 1 then return {'refused', 'commit does not precede'} end
redis.call('HSET', J .. ':commit', 'delivering', ARGV[4])
return {'ok', ''}
)lua");

// token, epoch, generation, batch, digest, specHash, bytes (empty: the plan is removed)
const JobScript kAmendScript = Make("amend", R"lua(
local bad = guard() or leader(ARGV[1], ARGV[2]) or current(ARGV[3], '0')
if bad then return bad end
if redis.call('HLEN', J .. ':ready') ~= number(':gen', 'slots') then return {'refused', 'not all ready'} end
local committed, batch = number(':commit', 'batch'), tonumber(ARGV[4])
if batch ~= committed + 1 then return {'refused', 'not the next batch'} end
if number(':commit', 'delivering') >= batch then return {'refused', 'delivery has begun'} end
redis.call('DEL', J .. ':plan', J .. ':plan.d', J .. ':plan.s')
if ARGV[7] == '' then
  redis.call('HSET', J .. ':job', 'lastPlan', get(':commit', 'batch'))
else
  put_plan(ARGV[4], ARGV[5], ARGV[6], ARGV[7])
end
return {'ok', ''}
)lua");

// generation, slot, batch, report
const JobScript kPreparedScript = Make("prepared", R"lua(
local bad = guard() or current(ARGV[1], '1') or doubt()
if bad then return bad end
if tonumber(ARGV[3]) ~= number(':commit', 'batch') + 1 then return {'refused', 'commit does not precede'} end
bad = slot(ARGV[2])
if bad then return bad end
redis.call('HSET', J .. ':prepared:' .. ARGV[1] .. ':' .. ARGV[3], ARGV[2], ARGV[4])
return {'ok', ''}
)lua");

// token, epoch, generation, batch, digest, record, then offsets as field, value, ...
const JobScript kCommitScript = Make("commit", R"lua(
local bad = guard() or leader(ARGV[1], ARGV[2]) or current(ARGV[3], '1') or doubt()
if bad then return bad end
local committed = number(':commit', 'batch')
if tonumber(ARGV[4]) ~= committed + 1 then return {'refused', 'commit does not precede'} end
local digest = redis.call('HGET', J .. ':plan.d', ARGV[4])
if not digest then return {'refused', 'no plan'} end
if digest ~= ARGV[5] then return {'refused', 'digest'} end
local reports = redis.call('HLEN', J .. ':prepared:' .. ARGV[3] .. ':' .. ARGV[4])
if reports ~= number(':gen', 'slots') then return {'refused', 'reports missing'} end
local former = J .. ':prepared:' .. get(':commit', 'generation') .. ':' .. string.format('%d', committed)
redis.call('DEL', former)
for i = 7, #ARGV, 2 do redis.call('HSET', J .. ':offsets', ARGV[i], ARGV[i + 1]) end
redis.call('HDEL', J .. ':plan', ARGV[4])
redis.call('HDEL', J .. ':plan.d', ARGV[4])
redis.call('HDEL', J .. ':plan.s', ARGV[4])
redis.call('HSET', J .. ':commit', 'batch', ARGV[4], 'digest', ARGV[5], 'generation', ARGV[3], 'record', ARGV[6], 'reports', tostring(reports),
           'specHash', get(':gen', 'specHash'))
return {'ok', ''}
)lua");

const JobScript kReadOffsetsScript = Make("read offsets", R"lua(
if redis.call('EXISTS', J .. ':job') == 0 then return {'lost', ''} end
return {'ok', '', redis.call('HGETALL', J .. ':offsets')}
)lua");

// generation, batch
const JobScript kReadReportsScript = Make("read reports", R"lua(
if redis.call('EXISTS', J .. ':job') == 0 then return {'lost', ''} end
if get(':commit', 'batch') ~= ARGV[2] or get(':commit', 'generation') ~= ARGV[1] then return {'refused', 'commit moved'} end
return {'ok', '', redis.call('HGETALL', J .. ':prepared:' .. ARGV[1] .. ':' .. ARGV[2])}
)lua");

}  // namespace millrace::worker
