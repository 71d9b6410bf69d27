#include "worker/runtime/state/job_copy.h"

#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "crds/base/text.h"
#include "worker/coordination/redis/blob_format.h"
#include "worker/runtime/state/state_file.h"

namespace millrace::worker {
namespace {

constexpr int kAttempts = 5;                        // the commit may move while blobs are read
constexpr int64_t kRoundBytes = int64_t{64} << 20;  // of blobs that are asked for at once

// All keys of the job with the given suffixes, and the reports of the last commit.
constexpr RedisScript kReadKeys{"read job keys", R"lua(
local J = KEYS[1]
if redis.call('EXISTS', J .. ':job') == 0 then return {'lost'} end
local out = {'ok'}
local function take(suffix)
  local kind = redis.call('TYPE', J .. suffix)['ok']
  if kind == 'hash' then out[#out + 1] = {suffix, kind, redis.call('HGETALL', J .. suffix)} end
  if kind == 'zset' then out[#out + 1] = {suffix, kind, redis.call('ZRANGE', J .. suffix, 0, -1, 'WITHSCORES')} end
end
for _, suffix in ipairs(ARGV) do take(suffix) end
take(':prepared:' .. (redis.call('HGET', J .. ':commit', 'generation') or '') .. ':' .. (redis.call('HGET', J .. ':commit', 'batch') or ''))
return out
)lua"};

// suffix, kind, number of items, items, ...
constexpr RedisScript kWriteKeys{"write job keys", R"lua(
local J = KEYS[1]
if redis.call('EXISTS', J .. ':job') == 1 then return 'exists' end
local i = 1
while i <= #ARGV do
  local key, items = J .. ARGV[i], tonumber(ARGV[i + 2])
  redis.call('DEL', key)
  for k = i + 3, i + 2 + items, 2 do
    if ARGV[i + 1] == 'zset' then redis.call('ZADD', key, ARGV[k + 1], ARGV[k]) else redis.call('HSET', key, ARGV[k], ARGV[k + 1]) end
  end
  i = i + 3 + items
end
return 'ok'
)lua"};

using Items = std::vector<std::pair<std::string, std::string>>;

std::string ValueOf(const Items& items, const std::string& name) {
  for (const auto& [field, value] : items) {
    if (field == name) return value;
  }
  return "";
}

struct JobRecord {
  std::vector<JobKeyRecord> keys;
  int64_t batch = 0;
  std::string generation;
  Heads heads;
};

// The lease of a copy is nobody's; its number goes on, so that epochs never repeat.
void ReleaseLeaseOf(JobKeyRecord* key) {
  key->items = {{"token", ""},  {"epoch", ValueOf(key->items, "epoch")},
                {"holder", ""}, {"address", ""},
                {"beat", "0"},  {"released", "1"}};
}

Status TakeReports(const JobKeyRecord& key, Heads* heads) {
  for (const auto& [slot, report] : key.items) RETURN_IF_ERROR(DecodeHeads(report, heads));
  return OkStatus();
}

Status CheckReports(const Items& commit, const std::vector<JobKeyRecord>& keys) {
  const std::string want = ValueOf(commit, "reports");
  for (const JobKeyRecord& key : keys) {
    if (key.suffix.starts_with(":prepared:") && std::to_string(key.items.size()) == want)
      return OkStatus();
  }
  if (want.empty()) return OkStatus();  // nothing has committed yet
  return InternalError("StateLost: of " + want + " reports of the last commit some are missing");
}

Result<JobRecord> ReadJobRecord(RedisClient* client, const CopyOptions& options,
                                const std::stop_token& stop) {
  std::vector<std::string> suffixes = {":job",    ":spec",   ":lease",  ":gen",    ":plan",
                                       ":plan.d", ":plan.s", ":commit", ":offsets"};
  for (const std::string& table : options.tables) {
    suffixes.push_back(":table:" + table);
    suffixes.push_back(":table:" + table + ":order");
  }
  const std::string_view keys[] = {options.redis->base()};
  const std::vector<std::string_view> args(suffixes.begin(), suffixes.end());
  ASSIGN_OR_RETURN(const RedisReply reply, client->Eval(kReadKeys, keys, args, stop));
  if (reply.items.empty() || reply.items[0].text != "ok")
    return NotFoundError("no job " + options.redis->base() + " in this Redis");
  JobRecord record;
  Items commit;
  for (size_t i = 1; i < reply.items.size(); ++i) {
    const std::vector<RedisReply>& key = reply.items[i].items;
    JobKeyRecord copy{key[0].text, key[1].text == "zset", {}};
    for (size_t k = 0; k + 1 < key[2].items.size(); k += 2)
      copy.items.emplace_back(key[2].items[k].text, key[2].items[k + 1].text);
    if (copy.suffix == ":lease") ReleaseLeaseOf(&copy);
    if (copy.suffix == ":commit") commit = copy.items;
    if (copy.suffix.starts_with(":prepared:")) RETURN_IF_ERROR(TakeReports(copy, &record.heads));
    record.keys.push_back(std::move(copy));
  }
  record.batch = std::strtoll(ValueOf(commit, "batch").c_str(), nullptr, 10);
  record.generation = ValueOf(commit, "generation");
  RETURN_IF_ERROR(CheckReports(commit, record.keys));
  return record;
}

// Copies chains of blobs from their heads back to their snapshots.
class BlobCopier {
 public:
  BlobCopier(RedisClient* client, const CopyOptions& options, StateFileWriter* writer,
             const std::stop_token& stop)
      : client_(client), options_(options), writer_(writer), stop_(stop) {}

  // Many units at once, as many as kRoundBytes allow.
  Status Run(const Heads& heads) {
    std::map<HeadKey, BlobName> wanted;
    int64_t bytes = 0;
    for (const auto& [key, head] : heads) {
      wanted[key] = head.last;
      bytes += head.delta_bytes + head.snapshot_bytes;
      if (bytes < kRoundBytes) continue;
      RETURN_IF_ERROR(Follow(std::move(wanted)));
      wanted.clear();
      bytes = 0;
    }
    return Follow(std::move(wanted));
  }

 private:
  Status Follow(std::map<HeadKey, BlobName> wanted) {
    while (!wanted.empty()) {
      std::vector<std::string> keys;
      for (const auto& [key, name] : wanted) {
        for (int part = 0; part < name.parts; ++part)
          keys.push_back(GroupKeyOf(key.second) + ":" + BlobSuffix(key.first, name, part));
      }
      std::vector<RedisCommand> commands;
      for (const std::string& key : keys) commands.push_back({key, {"GET", key}});
      ASSIGN_OR_RETURN(const std::vector<RedisReply> replies, client_->Pipeline(commands, stop_));
      std::map<HeadKey, BlobName> next;
      size_t reply = 0;
      for (const auto& [key, name] : wanted) {
        ASSIGN_OR_RETURN(const std::optional<BlobName> previous,
                         CopyOne(key, name, keys, replies, &reply));
        if (previous) next[key] = *previous;
      }
      wanted = std::move(next);
    }
    return OkStatus();
  }

  Result<std::optional<BlobName>> CopyOne(const HeadKey& key, const BlobName& name,
                                          const std::vector<std::string>& keys,
                                          const std::vector<RedisReply>& replies, size_t* reply) {
    std::string bytes;
    for (int part = 0; part < name.parts; ++part, ++*reply) {
      if (replies[*reply].nil())
        return InternalError("StateLost: blob " + keys[*reply] +
                             " is missing from the state store");
      ASSIGN_OR_RETURN(std::string text, replies[*reply].AsText());
      bytes += text;
      RETURN_IF_ERROR(writer_->Write(BlobRecord{
          GroupOf(key.second), BlobSuffix(key.first, name, part), name.batch, std::move(text)}));
    }
    Result<DecodedBlob> blob = DecodeBlob(bytes);
    if (!blob.ok()) return blob.status().WithContext(keys[*reply - 1]);
    return blob->previous;
  }

  int GroupOf(int unit) const { return static_cast<int>(unit % options_.groups); }
  std::string GroupKeyOf(int unit) const {
    return GroupKey(options_.redis->ns(), options_.redis->job(), options_.redis->job_id(),
                    GroupOf(unit));
  }

  RedisClient* client_;
  const CopyOptions& options_;
  StateFileWriter* writer_;
  const std::stop_token& stop_;
};

Result<CopySize> ExportRecord(RedisClient* client, const CopyOptions& options,
                              const JobRecord& record, const std::string& path,
                              const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::unique_ptr<StateFileWriter> writer, StateFileWriter::Create(path));
  const JobRedis& redis = *options.redis;
  RETURN_IF_ERROR(
      writer->Write(StateFileHeader{redis.ns(), redis.job(), redis.job_id(), options.groups,
                                    record.batch, record.generation, FormatRfc3339(options.now)}));
  for (const JobKeyRecord& key : record.keys) RETURN_IF_ERROR(writer->Write(key));
  RETURN_IF_ERROR(BlobCopier(client, options, writer.get(), stop).Run(record.heads));
  RETURN_IF_ERROR(writer->Finish());
  return CopySize{record.batch, writer->blobs(), writer->bytes()};
}

Status CheckHeader(const StateFileHeader& header, const CopyOptions& options,
                   const std::string& path) {
  const JobRedis& redis = *options.redis;
  const std::string found = JobKey(header.ns, header.job, header.job_id);
  if (found != redis.base())
    return InvalidError(path + " holds job " + found + ", the job file is of " + redis.base() +
                        "; sinks know a job by these names, so they must be equal");
  if (header.groups != options.groups) {
    return InvalidError(path + " has " + std::to_string(header.groups) +
                        " key groups, spec.maxParallelism is " + std::to_string(options.groups) +
                        "; it is fixed for a job's life");
  }
  return OkStatus();
}

// Collects blobs and writes them in pieces.
class BlobImporter {
 public:
  BlobImporter(RedisClient* client, const JobRedis& redis, const std::stop_token& stop)
      : client_(client), redis_(redis), stop_(stop) {}

  Status Add(BlobRecord blob) {
    ++count_;
    bytes_ += static_cast<int64_t>(blob.value.size());
    blobs_.push_back(std::move(blob));
    return bytes_ < kRoundBytes ? OkStatus() : Flush();
  }

  Status Flush() {
    std::vector<std::string> texts;  // index, score, key of each blob
    for (const BlobRecord& blob : blobs_) {
      const std::string group =
          GroupKey(redis_.ns(), redis_.job(), redis_.job_id(), static_cast<int>(blob.group));
      texts.insert(texts.end(),
                   {group + ":i", std::to_string(blob.batch), group + ":" + blob.suffix});
    }
    std::vector<RedisCommand> commands;
    for (size_t i = 0; i < blobs_.size(); ++i) {
      commands.push_back(
          {texts[3 * i], {"ZADD", texts[3 * i], texts[3 * i + 1], blobs_[i].suffix}});
      commands.push_back({texts[3 * i + 2], {"SET", texts[3 * i + 2], blobs_[i].value}});
    }
    if (!commands.empty()) {
      ASSIGN_OR_RETURN(const std::vector<RedisReply> replies, client_->Pipeline(commands, stop_));
      for (const RedisReply& reply : replies) RETURN_IF_ERROR(reply.status());
    }
    blobs_.clear();
    bytes_ = 0;
    return OkStatus();
  }

  int64_t count() const { return count_; }

 private:
  RedisClient* client_;
  const JobRedis& redis_;
  const std::stop_token& stop_;
  std::vector<BlobRecord> blobs_;
  int64_t bytes_ = 0;
  int64_t count_ = 0;
};

Status WriteKeys(RedisClient* client, const JobRedis& redis, const std::vector<JobKeyRecord>& keys,
                 const std::stop_token& stop) {
  std::vector<std::string> counts;
  for (const JobKeyRecord& key : keys) counts.push_back(std::to_string(2 * key.items.size()));
  std::vector<std::string_view> args;
  for (size_t i = 0; i < keys.size(); ++i) {
    args.insert(args.end(), {keys[i].suffix, keys[i].sorted_set ? "zset" : "hash", counts[i]});
    for (const auto& [name, value] : keys[i].items) args.insert(args.end(), {name, value});
  }
  const std::string_view base[] = {redis.base()};
  ASSIGN_OR_RETURN(const RedisReply reply, client->Eval(kWriteKeys, base, args, stop));
  return reply.text == "ok"
             ? OkStatus()
             : AlreadyExistsError("job " + redis.base() +
                                  " is in this Redis already; `millrace state reset` removes it");
}

Status CheckAbsent(RedisClient* client, const JobRedis& redis, const std::stop_token& stop) {
  const std::string key = redis.base() + ":job";
  ASSIGN_OR_RETURN(const RedisReply reply, client->Run({key, {"EXISTS", key}}, stop));
  return reply.integer == 0
             ? OkStatus()
             : AlreadyExistsError("job " + redis.base() +
                                  " is in this Redis already; `millrace state reset` removes it");
}

}  // namespace

Result<CopySize> ExportJob(const CopyOptions& options, const std::string& path,
                           const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::unique_ptr<RedisClient> client, options.redis->Connect());
  ASSIGN_OR_RETURN(JobRecord record, ReadJobRecord(client.get(), options, stop));
  for (int attempt = 1;; ++attempt) {
    Result<CopySize> size = ExportRecord(client.get(), options, record, path, stop);
    if (size.ok() || size.status().code() != StatusCode::kInternal || attempt == kAttempts)
      return size;
    // Blobs may have been garbage by the time they were read: then a later commit is there.
    ASSIGN_OR_RETURN(JobRecord again, ReadJobRecord(client.get(), options, stop));
    if (again.batch == record.batch && again.generation == record.generation) return size;
    record = std::move(again);
  }
}

Result<CopySize> ImportJob(const CopyOptions& options, const std::string& path,
                           const std::stop_token& stop) {
  const auto ignore_key = [](const JobKeyRecord&) { return OkStatus(); };
  const auto ignore_blob = [](const BlobRecord&) { return OkStatus(); };
  const auto check = [&](const StateFileHeader& header) {
    return CheckHeader(header, options, path);
  };
  RETURN_IF_ERROR(ReadStateFile(path, {check, ignore_key, ignore_blob}));
  ASSIGN_OR_RETURN(const std::unique_ptr<RedisClient> client, options.redis->Connect());
  RETURN_IF_ERROR(CheckAbsent(client.get(), *options.redis, stop));
  CopySize size;
  std::vector<JobKeyRecord> keys;
  BlobImporter blobs(client.get(), *options.redis, stop);
  const auto take_header = [&](const StateFileHeader& header) {
    size.batch = header.batch;
    return OkStatus();
  };
  const auto take_key = [&](JobKeyRecord key) {
    keys.push_back(std::move(key));
    return OkStatus();
  };
  const auto take_blob = [&](BlobRecord blob) {
    size.bytes += static_cast<int64_t>(blob.value.size());
    return blobs.Add(std::move(blob));
  };
  RETURN_IF_ERROR(ReadStateFile(path, {take_header, take_key, take_blob}));
  RETURN_IF_ERROR(blobs.Flush());
  RETURN_IF_ERROR(WriteKeys(client.get(), *options.redis, keys, stop));
  size.blobs = blobs.count();
  return size;
}

}  // namespace millrace::worker
