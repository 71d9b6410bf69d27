"""Checks outside the store's scripts: of the leader, the members, the lease, the state and the sinks."""

from mutation import Mutant

CLUSTER = "worker/coordination/cluster/"


def leader(what, before, after):
    return Mutant("leader", what, CLUSTER, before, after, ["coordination"])


LEADER = [
    leader("the ledgers' batch is skipped", "generation_.skip = verdict.skip;", ""),
    leader("the ledgers are judged", "if (!verdict.status.ok()) return HaltWith(verdict.status, now);", ""),
    leader("a sink that knows a newer generation", 'if (sink_fence_ > generation_.fence) return Restart("a sink knows a newer generation", now);', ""),
    leader("a sink that knows more slots", 'if (sink_slots_ > generation_.max_slots) return Restart("a sink knows more slots", now);', ""),
    leader("the fence is beyond the sinks'", "1 + std::max(previous.fence, sink_fence_)", "1 + previous.fence"),
    leader("as many slots as the sinks know", "{facts_.slots, sink_slots_, next.slots()}", "{facts_.slots, next.slots()}"),
    leader("digests of the plans", "if (plan.batch != ++batch || plan.digest != digest)", "if (plan.batch != ++batch)"),
    leader("Ready of this generation", "state_ != State::kFencing || body.generation != generation_.name", "state_ != State::kFencing"),
    leader("every slot is ready", "if (static_cast<int>(ready_.size()) < generation_.slots()) return;", ""),
    leader("a stale lease ends it", "    case StoreCode::kStale:\n      End(OkStatus());\n      return true;\n", "    case StoreCode::kStale:\n      return false;\n"),
    leader("Computed of this generation", "if (state_ != State::kRunning || body.generation != generation_.name) return;\n  if (Flight* flight = Find(body.batch)) flight->computed",
            "if (state_ != State::kRunning) return;\n  if (Flight* flight = Find(body.batch)) flight->computed"),
    leader("Prepared of this generation", "if (state_ != State::kRunning || body.generation != generation_.name) return;\n  if (Flight* flight = Find(body.batch)) flight->prepared",
            "if (state_ != State::kRunning) return;\n  if (Flight* flight = Find(body.batch)) flight->prepared"),
    leader("every slot has computed", "front.announced || static_cast<int>(front.computed.size()) < generation_.slots()", "front.announced"),
    leader("output waits for the commit before", "Flight& front = flights_.front();\n  if (front.announced", "Flight& front = flights_.back();\n  if (front.announced"),
    leader("every slot has reported", "front.committing || static_cast<int>(front.prepared.size()) < generation_.slots()", "front.committing"),
    leader("delivery is written down", "if (!config_.announce_delivery) return SayDeliver(front);", "return SayDeliver(front);"),
    leader("a commit of unknown outcome", "if (reply.code == StoreCode::kUnknown) return CheckCommit(commit, at);", "if (reply.code == StoreCode::kUnknown) return Committed(commit, at);"),
    leader("whose commit it is", "commit.batch == written.batch && commit.generation == written.generation", "commit.batch == written.batch"),
    leader("output of a plan that is taken back", "if (HasBegun(facts_, ledgers, batch))", "if (false)"),
    leader("other sinks of a plan that is taken back", "if (!SameSinks(facts_, config_.spec))", "if (false)"),
    leader("an edit that loses state", "if (change.lost.empty() || own.allow_state_loss) return OkStatus();", "return OkStatus();"),
    leader("another number of key groups", "facts.generation && static_cast<int>(facts.generation->groups.size()) != own.groups", "false && own.groups"),
]


def ledger(what, before, after):
    return Mutant("ledgers", what, CLUSTER, before, after, ["coordination"])


LEDGERS = [
    ledger("a batch without a plan", "if (known.empty())", "if (false)"),
    ledger("digest of the batch", "if (HexEncode(known).starts_with(digest)) return OkStatus();", "return OkStatus();"),
    ledger("a ledger that is gone", "if (!ledgers.missing.empty() && facts.commit.batch > 0 && !edited)", "if (ledgers.missing.empty() && edited && !edited)"),
    ledger("a doubt counts as a ledger", "if (facts.suspect) {", "if (false) {"),
    ledger("what is beyond the commit is skipped", "if (delivered.batch > facts.commit.batch) verdict.skip[sink] = delivered;", ""),
]


def member(what, before, after):
    return Mutant("member", what, CLUSTER, before, after, ["coordination"])


MEMBER = [
    member("work of this generation only", "return state_ != State::kOpen || generation != generation_.name;", "return state_ != State::kOpen;"),
    member("work after Open only", "return state_ != State::kOpen || generation != generation_.name;", "return generation != generation_.name;"),
    member("an older fence is looked up", "if (body.generation.fence > seen_fence_) return Adopt(body, leader);", "return Adopt(body, leader);"),
    member("the store names the generation", "reply.ok() && reply.facts->generation &&\n        reply.facts->generation->name == body.generation.name", "reply.ok()"),
    member("taken over for this generation", "state_ != State::kTakingOver || generation != generation_.name", "state_ != State::kTakingOver"),
    member("taking over has failed", "if (!status.ok()) return Fail(0, status);", ""),
    member("the commit it knows is told", "MarkReady{generation_.name, slot_, known()}", "MarkReady{generation_.name, slot_, {}}"),
    member("Ready is refused", "if (!reply.ok()) return Drop();\n         // A commit", "// A commit"),
    member("Open of this generation", "state_ != State::kReady || body.generation.name != generation_.name", "state_ != State::kReady"),
    member("batches in order", "if (batch != next) return;", ""),
    member("a batch runs once", "if (known != works_.end()) {", "if (known != works_.end() && false) {"),
    member("computed for this generation", "  if (state_ != State::kOpen || generation != generation_.name) return;\n  const auto work = works_.find(batch);", "  const auto work = works_.find(batch);"),
    member("delivered once, and what is computed", "if (work.step != Work::Step::kComputed) return;", ""),
    member("delivered for this generation", "  if (state_ != State::kOpen || generation != generation_.name) return;\n  const auto found = works_.find(batch);", "  const auto found = works_.find(batch);"),
    member("output has failed", "if (!status.ok()) return Fail(batch, status);\n  found->second", "found->second"),
    member("a report of unknown outcome", "return Retry([this, batch](MonotonicTime) { PutReport(batch); }, now);", "return Tell(BatchPrepared{generation_.name, slot_, batch, work->second.facts});"),
    member("a report under doubt", "if (reply.code == StoreCode::kSuspect)", "if (false)"),
    member("a report is refused", "if (!reply.ok()) return Drop();\n         work->second", "work->second"),
    member("committed by this generation", "body.generation == generation_.name && state_ == State::kOpen", "state_ == State::kOpen"),
    member("a commit is settled once", "if (commit.batch <= commit_.batch) return;", ""),
    member("a commit read from the store is this generation's", " &&\n      facts.commit.generation == generation_.name", ""),
]


def lease(what, before, after):
    return Mutant("lease", what, CLUSTER, before, after, ["coordination"])


LEASE = [
    lease("a whole lease without a beat", "free_at = seen_since_ + config_.lease + patience;", "free_at = seen_since_ + patience;"),
    lease("a renewal begins the wait again", "seen_beat_ != lease.beat || ", ""),
    lease("an error begins the wait again", "if (!reply.ok()) {\n      seen_beat_ = -1;", "if (!reply.ok()) {"),
    lease("a leader that hears nothing gives up", "if (now - renewed_ >= config_.lease) return Lose();", ""),
    lease("a leader whose lease is gone gives up", "reply.code != StoreCode::kUnavailable && reply.code != StoreCode::kUnknown", "false"),
    lease("another spec's member waits longer", "IsMyTurn(now) ? Duration::zero() : config_.lease", "Duration::zero()"),
]


def state(what, path, before, after):
    return Mutant("state", what, "worker/coordination/redis/" + path, before, after, ["state log"])


STATE = [
    Mutant("state", "a slot of a Cluster that moves", "worker/coordination/redis/redis_job_store.cc", "{base_, job_key_}", "{base_}", ["redis cluster"]),
    state("a blob that is missing", "blob_chain.cc", "if (replies[reply].nil())", "if (false)"),
    state("checksum of a blob", "blob_format.cc", "if (XXH3_64bits(payload.data(), payload.size()) != check)", "if (check == 1)"),
    state("size of a blob", "blob_format.cc", "if (blob.raw.size() != raw_bytes)", "if (false)"),
    state("a blob of a later batch", "redis_state_log.cc", "if (head.last.batch > committed)", "if (false)"),
    state("every blob is acknowledged", "redis_state_log.cc", "for (const RedisReply& reply : replies) RETURN_IF_ERROR(reply.status());\n    Failpoint", "Failpoint"),
    state("garbage waits for the commit", "redis_state_log.cc", "doomed.after_batch > committed || ", ""),
    state("garbage waits for its delay", "redis_state_log.cc", " || now - doomed.since < options_.garbage_delay", ""),
    Mutant("state", "a Redis that loses writes is refused", "worker/client/redis/safety.cc", 'if (settings.append_only == "no") {', "if (false) {", ["client"]),
    Mutant("state", "a Redis that evicts is refused", "worker/client/redis/safety.cc", 'else if (settings.eviction_policy != "noeviction") {', "else if (false) {", ["client"]),
]


def redis_sink(what, before, after):
    return Mutant("Redis sink", what, "worker/sink/redis/scripts.h", before, after, ["redis seats"], users=["worker/sink/redis/redis_sink.cc"])


def kafka_sink(what, before, after):
    return Mutant("Kafka sink", what, "worker/sink/kafka/kafka_sink.cc", before, after, ["sinks"])


def file_sink(what, before, after, path="file_sink.cc"):
    return Mutant("file sink", what, "worker/sink/file/" + path, before, after, ["sinks"])


SINKS = [
    redis_sink("a larger fence", "if held[3] and tonumber(held[3]) > tonumber(ARGV[2]) then return {'FENCED', held[2]} end", ""),
    redis_sink("the generation that may write", "if held[1] ~= ARGV[1] then", "if false then"),
    redis_sink("an older batch", "last > batch or ", ""),
    redis_sink("digest of the batch", " or (last == batch and held[4] ~= ARGV[4])", ""),
    redis_sink("parts that are there", "if part < done then return {'DONE', unpack(wrong)} end", ""),
    redis_sink("parts that are missing", "if part > done then return {'GAP', tostring(done)} end", ""),
    redis_sink("writes that were lost", "if not held[2] or tonumber(held[2]) < tonumber(ARGV[2]) then return {'LOST'} end", ""),
    kafka_sink("ids of slots that nobody has", "ASSIGN_OR_RETURN(std::vector<Fence> others, TakeOthers());", "std::vector<Fence> others;"),
    kafka_sink("ids that were taken back", "if (settled.outcome != KafkaOutcome::kCommitted) {\n      return settled.status.WithContext(\"fence slot \"", "if (false) {\n      return settled.status.WithContext(\"fence slot \""),
    kafka_sink("the number of slots is noted", "return counts && view.slots < seat_.max_slots ? WriteSlots() : OkStatus();", "return OkStatus();"),
    kafka_sink("the ledger in the transaction", "ProduceRecord(producer_.get(), std::to_string(seat_.slot), attempt->record.Format())", "OkStatus()"),
    kafka_sink("what others delivered is repeated", "attempt.record.tasks.insert(skip_.tasks.begin(), skip_.tasks.end());", ""),
    kafka_sink("what it delivered itself is repeated", "if (ledger_.batch == batch.batch) attempt.record.tasks = ledger_.tasks;", ""),
    kafka_sink("batches below the skipped one", "if (batch.batch < skip_.batch) return true;", ""),
    kafka_sink("tasks that others delivered", "std::binary_search(skip_.tasks.begin(), skip_.tasks.end(), task)", "false"),
    kafka_sink("tasks that it delivered itself", "return ledger_.batch == batch.batch && ledger_.tasks.contains(task);", "return false;"),
    kafka_sink("another history of the skipped batch", "if (batch.batch == skip_.batch && batch.digest != skip_.digest) {", "if (false) {"),
    kafka_sink("another history of its own batch", "if (ledger_.batch == batch.batch && ledger_.digest == batch.digest) return OkStatus();\n  return OtherHistory(ledger_.batch", "return OkStatus();\n  return OtherHistory(ledger_.batch"),
    kafka_sink("who owns the ledger", "if (owner != seat_.generation) {", "if (false) {"),
    kafka_sink("an unknown outcome is settled", "  producer_.reset();\n  unknown_ = settled.outcome", "  unknown_ = settled.outcome"),
    kafka_sink("the owner is asked before the id is taken", "  RETURN_IF_ERROR(CheckOwner(false));\n  RETURN_IF_ERROR(Connect());", "  RETURN_IF_ERROR(Connect());"),
    kafka_sink("a ledger that is gone", "if (expects_history_) {", "if (false) {"),
    Mutant("Kafka sink", "two histories in one ledger", "worker/sink/kafka/ledger_record.cc", "!sum.digest.empty() && sum.digest != record.digest", "false", ["sinks"]),
    file_sink("older staging folders are moved away", "RETURN_IF_ERROR(FenceOthers());", ""),
    file_sink("only slot 0 makes the staging folder", "seat.slot == 0 ? TakeStaging() : AwaitStaging()", "TakeStaging()"),
    file_sink("a staging folder that is gone", "if (renamed.code() == StatusCode::kNotFound) return FencedError(path_);", "if (renamed.code() == StatusCode::kNotFound) return OkStatus();", "staged_file.cc"),
    file_sink("two histories of a batch", "if (other != digest) return OtherHistory(batch.batch, other, digest);", ""),
    file_sink("two histories in one folder", "if (digests.size() == 1) return ledger;", "return ledger;"),
    file_sink("files that are there", "name.batch <= whole_ || published_[name.batch].contains(target)", "name.batch <= whole_"),
    file_sink("batches that readers took away", "name.batch <= whole_ || published_[name.batch].contains(target)", "published_[name.batch].contains(target)"),
    file_sink("only slot 0 says what is committed", "if (seat_.slot != 0 || batch <= committed_) return OkStatus();", "if (batch <= committed_) return OkStatus();"),
]


def exchange(what, before, after):
    return Mutant("exchange", what, "worker/runtime/cluster/wire_exchange.cc", before, after, ["exchange"])


EXCHANGE = [
    exchange("frames of this generation", "trailer->generation != exchange_->generation_.name ||\n      ", ""),
    exchange("frames of this batch", " ||\n      trailer->batch != static_cast<uint64_t>(batch_)", ""),
    exchange("every chunk has arrived", "if (arrived == trailer.count && ++inbox.ended", "if (++inbox.ended"),
    exchange("chunks for this worker", "trailer->stage >= exchange_->sources_.size() || unit < 0 || !Owns(stage, unit)", "trailer->stage >= exchange_->sources_.size() || unit < 0"),
    exchange("a worker that is lost", "RETURN_IF_ERROR(PeersStatus());", ""),
]

# The model of the store and the simulated sink: that the simulation itself notices.
SIMULATED = [
    Mutant("simulation", "a sink that does not fence", "tests/simulation/", "if (fencing_ && !Holds(slot, handle)) return false;", "", ["simulation"]),
    Mutant("simulation", "a new generation does not skip", "tests/simulation/", "world_->options().fence_left_out != Fence::kSkip", "false", ["simulation"]),
]

NAMED = LEADER + LEDGERS + MEMBER + LEASE + STATE + SINKS + EXCHANGE + SIMULATED
