#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "crds/base/overloaded.h"
#include "crds/base/text.h"
#include "worker/runtime/commands.h"
#include "worker/runtime/exit_code.h"
#include "worker/runtime/signals.h"
#include "worker/runtime/state/job_copy.h"
#include "worker/runtime/state/job_keys.h"
#include "worker/runtime/state/job_view.h"
#include "worker/sink/redis/redis_setup.h"

namespace millrace::worker {
namespace {

constexpr Duration kWatchPoll = std::chrono::milliseconds(250);
constexpr size_t kRemovedAtOnce = 1000;  // keys

// members, beat of the lease as observed; then suffixes of the keys
constexpr RedisScript kRemoveJob{"remove job", R"lua(
local J = KEYS[1]
local beat = redis.call('HGET', J .. ':lease', 'beat') or '0'
if redis.call('HLEN', J .. ':members') ~= tonumber(ARGV[1]) or beat ~= ARGV[2] then return 'moved' end
for i = 3, #ARGV do redis.call('UNLINK', J .. ARGV[i]) end
return 'ok'
)lua"};

constexpr RedisScript kResume{"resume", R"lua(
if redis.call('EXISTS', KEYS[1] .. ':job') == 0 then return 'lost' end
local halt = redis.call('HGET', KEYS[1] .. ':job', 'halt') or ''
redis.call('HDEL', KEYS[1] .. ':job', 'halt')
return 'ok' .. halt
)lua"};

struct Context {
  const StateOptions& options;
  const api::StreamingJob& job;
  const JobRedis& redis;
  RedisClient* client;
  Clock* clock;
  std::stop_token stop;
};

CopyOptions CopyOptionsOf(const Context& context) {
  CopyOptions copy{&context.redis, context.job.spec.max_parallelism, {}, context.clock->Now()};
  for (const api::Table& table : context.job.spec.tables) copy.tables.push_back(table.name);
  return copy;
}

Status List(const Context& context) {
  ASSIGN_OR_RETURN(const std::vector<std::string> jobs, FindJobs(context.client, context.stop));
  std::vector<JobView> views;
  for (const std::string& base : jobs) {
    ASSIGN_OR_RETURN(std::unique_ptr<RedisClient> client, context.redis.Connect());
    RedisJobStore store(std::move(client), base, context.stop);
    Result<JobView> view = ReadJobView(&store, base);
    if (!view.ok() && view.status().code() == StatusCode::kNotFound) continue;  // removed meanwhile
    RETURN_IF_ERROR(view.status());
    views.push_back(*std::move(view));
  }
  std::fputs((context.options.json ? JobListAsJson(views) : JobListAsText(views)).c_str(), stdout);
  return OkStatus();
}

Status Show(const Context& context) {
  ASSIGN_OR_RETURN(const std::unique_ptr<JobStore> store, context.redis.MakeStore());
  ASSIGN_OR_RETURN(const JobView view, ReadJobView(store.get(), context.redis.base()));
  std::fputs((context.options.json ? JobAsJson(view) : JobAsText(view)).c_str(), stdout);
  return OkStatus();
}

Status Resume(const Context& context) {
  const std::string_view keys[] = {context.redis.base()};
  ASSIGN_OR_RETURN(const RedisReply reply, context.client->Eval(kResume, keys, {}, context.stop));
  if (reply.text == "lost")
    return NotFoundError("no job " + context.redis.base() + " in this Redis");
  const std::string halt = reply.text.substr(2);
  std::printf("%s\n", halt.empty() ? "the job was not halted" : ("cleared: " + halt).c_str());
  return OkStatus();
}

// What reset and another look compare: nobody beat in between.
struct Signs {
  std::map<std::string, int64_t> members;  // beats
  LeaseRecord lease;
};

Result<Signs> ReadSigns(JobStore* store) {
  const StoreReply reply = store->Call(ReadJob{});
  if (reply.code == StoreCode::kLost) return Signs{};
  if (!reply.ok()) return UnavailableError("read the job's members: " + reply.detail);
  Signs signs;
  for (const auto& [name, member] : reply.facts->members) signs.members[name] = member.beat;
  signs.lease = reply.facts->lease;
  return signs;
}

// Who beat between `first` and `now`; empty: nobody.
std::string WhoBeat(const Signs& first, const Signs& now) {
  for (const auto& [name, beat] : now.members) {
    const auto before = first.members.find(name);
    if (before == first.members.end() || before->second != beat) return name;
  }
  const bool renewed = !now.lease.released &&
                       (now.lease.beat != first.lease.beat || now.lease.lease != first.lease.lease);
  return renewed ? now.lease.holder : "";
}

// Signs of a job that nobody works on: no member is there, or none beats for a whole lease.
// kConflict names the one who does.
Result<Signs> WaitForSilence(const Context& context) {
  ASSIGN_OR_RETURN(const std::unique_ptr<JobStore> store, context.redis.MakeStore());
  ASSIGN_OR_RETURN(const Signs first, ReadSigns(store.get()));
  if (first.members.empty() && first.lease.released) return first;
  const MonotonicTime end = context.clock->Monotonic() + context.options.lease;
  std::fprintf(stderr,
               "millrace: %zu members are on record; watching for %s whether one is alive\n",
               first.members.size(), FormatDuration(context.options.lease).c_str());
  while (context.clock->Monotonic() < end) {
    if (!context.clock->SleepFor(kWatchPoll, context.stop)) return AbortedError("stopped");
    ASSIGN_OR_RETURN(const Signs now, ReadSigns(store.get()));
    const std::string member = WhoBeat(first, now);
    if (!member.empty())
      return ConflictError("worker " + member + " runs job " + context.redis.base() +
                           "; stop the job's workers first");
  }
  return first;
}

Status RemoveJobKeys(const Context& context, const Signs& signs,
                     const std::vector<std::string>& keys) {
  const std::string members = std::to_string(signs.members.size());
  const std::string beat = std::to_string(signs.lease.beat);
  std::vector<std::string_view> args = {members, beat};
  for (const std::string& key : keys)
    args.push_back(std::string_view(key).substr(context.redis.base().size()));
  const std::string_view base[] = {context.redis.base()};
  ASSIGN_OR_RETURN(const RedisReply reply,
                   context.client->Eval(kRemoveJob, base, args, context.stop));
  return reply.text == "ok" ? OkStatus()
                            : ConflictError("a worker of job " + context.redis.base() +
                                            " has begun to run; nothing was removed");
}

Status RemoveGroupKeys(const Context& context, const std::vector<std::string>& keys) {
  for (size_t first = 0; first < keys.size(); first += kRemovedAtOnce) {
    std::vector<RedisCommand> commands;
    for (size_t i = first; i < std::min(keys.size(), first + kRemovedAtOnce); ++i)
      commands.push_back({keys[i], {"UNLINK", keys[i]}});
    ASSIGN_OR_RETURN(const std::vector<RedisReply> replies,
                     context.client->Pipeline(commands, context.stop));
    for (const RedisReply& reply : replies) RETURN_IF_ERROR(reply.status());
  }
  return OkStatus();
}

// What a sink keeps of this job outside its state, and how to remove it; nothing for sinks without
// a ledger.
std::optional<std::string> LedgerOf(const api::Sink& sink, const std::string& job_id) {
  if (sink.delivery == api::Delivery::kAtLeastOnce) return std::nullopt;
  const auto of_redis = [&](const api::RedisSink& redis) -> std::optional<std::string> {
    const std::string owner = job_id + "/" + sink.name;
    const std::optional<std::string> tag = HashTagOf(redis.key_expr);
    return "key " + (tag ? "mr:{" + *tag + "}:" + owner : "mr:{" + owner + "}") + ":ledger of " +
           redis.address + " (DEL)";
  };
  return std::visit(
      Overloaded{[&](const api::KafkaSink&) -> std::optional<std::string> {
                   return "topic millrace." + job_id + "." + sink.name +
                          ".ledger (delete the topic)";
                 },
                 [&](const api::FileSink& file) -> std::optional<std::string> {
                   return "folder " + file.path + " (its files are the ledger: move them away)";
                 },
                 of_redis, [](const auto&) -> std::optional<std::string> { return std::nullopt; }},
      sink.kind);
}

void NameLedgers(const Context& context) {
  bool any = false;
  for (const api::Sink& sink : context.job.spec.sinks) {
    const std::optional<std::string> ledger = LedgerOf(sink, context.redis.job_id());
    if (!ledger) continue;
    if (!any)
      std::printf(
          "ledgers that stay; a new run under the same job id needs them gone, or another "
          "spec.state.id:\n");
    any = true;
    std::printf("  sink \"%s\": %s\n", sink.name.c_str(), ledger->c_str());
  }
}

Status Reset(const Context& context) {
  ASSIGN_OR_RETURN(const JobKeys keys, FindJobKeys(context.client, context.redis, context.stop));
  if (keys.job.empty() && keys.groups.empty())
    return NotFoundError("no job " + context.redis.base() + " in this Redis");
  if (!context.options.yes) {
    return InvalidError("reset removes " + std::to_string(keys.job.size() + keys.groups.size()) +
                        " keys of job " + context.redis.base() +
                        ", its positions and its state; add --yes");
  }
  ASSIGN_OR_RETURN(const Signs signs, WaitForSilence(context));
  ASSIGN_OR_RETURN(const JobKeys last, FindJobKeys(context.client, context.redis, context.stop));
  RETURN_IF_ERROR(RemoveJobKeys(context, signs, last.job));
  RETURN_IF_ERROR(RemoveGroupKeys(context, last.groups));
  std::printf("removed %zu keys of job %s\n", last.job.size() + last.groups.size(),
              context.redis.base().c_str());
  NameLedgers(context);
  return OkStatus();
}

Status Export(const Context& context) {
  ASSIGN_OR_RETURN(const CopySize size,
                   ExportJob(CopyOptionsOf(context), context.options.path, context.stop));
  std::printf("exported batch %lld: %lld blobs, %lld bytes in %s\n",
              static_cast<long long>(size.batch), static_cast<long long>(size.blobs),
              static_cast<long long>(size.bytes), context.options.path.c_str());
  return OkStatus();
}

Status Import(const Context& context) {
  ASSIGN_OR_RETURN(const CopySize size,
                   ImportJob(CopyOptionsOf(context), context.options.path, context.stop));
  std::printf("imported batch %lld: %lld blobs, %lld bytes of state\n",
              static_cast<long long>(size.batch), static_cast<long long>(size.blobs),
              static_cast<long long>(size.bytes));
  return OkStatus();
}

// A flag or argument that the action has no use for is a mistake.
Status CheckArguments(const StateOptions& options) {
  const bool copies = options.action == "export" || options.action == "import";
  const bool prints = options.action == "ls" || options.action == "show";
  if (copies && options.path.empty())
    return InvalidError("state " + options.action + " needs a file: millrace state " +
                        options.action + " FILE --job JOB");
  if (!copies && !options.path.empty())
    return InvalidError("state " + options.action + " takes no file");
  if (options.json && !prints) return InvalidError("--json belongs to ls and show");
  if (options.yes && options.action != "reset") return InvalidError("--yes belongs to reset");
  return OkStatus();
}

Status Act(const JobFile& file, const StateOptions& options, std::stop_token stop) {
  SystemClock clock;
  ASSIGN_OR_RETURN(const JobRedis redis, JobRedis::Create(*file.job, options.job_id,
                                                          options.secrets_directory, &clock, stop));
  ASSIGN_OR_RETURN(const std::unique_ptr<RedisClient> client, redis.Connect());
  RETURN_IF_ERROR(client->Connect(stop));
  const Context context{options, *file.job, redis, client.get(), &clock, std::move(stop)};
  if (options.action == "ls") return List(context);
  if (options.action == "show") return Show(context);
  if (options.action == "resume") return Resume(context);
  if (options.action == "reset") return Reset(context);
  return options.action == "export" ? Export(context) : Import(context);
}

int Report(const Status& status) {
  if (status.ok()) return kExitOk;
  std::fprintf(stderr, "millrace: %s\n", status.message().c_str());
  return ExitCodeOf(status);
}

}  // namespace

int StateCommand(const StateOptions& options) {
  const SignalStop signals;
  if (const Status status = CheckArguments(options); !status.ok()) {
    Report(status);
    return kExitUsage;
  }
  JobFile file;
  JobFileError error;
  if (!LoadJobFile(options.file, &file, &error)) {
    for (const std::string& line : error.lines) std::fprintf(stderr, "%s\n", line.c_str());
    return error.exit_code;
  }
  const Status status = Act(file, options, signals.token());
  const bool unconfirmed =
      options.action == "reset" && !options.yes && status.code() == StatusCode::kInvalid;
  return unconfirmed ? (Report(status), kExitUsage) : Report(status);
}

}  // namespace millrace::worker
