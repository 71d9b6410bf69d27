#include "worker/client/kafka/tail_reader.h"

#include <algorithm>
#include <utility>

#include "worker/client/kafka/record_batch.h"

namespace millrace::worker {

struct TailReader::Group {
  std::vector<Wanted> wanted;
  std::unique_ptr<KafkaConnection> connection;
};

TailReader::TailReader(TailOptions options, Directory* directory, ConnectionPool* pool,
                       const KafkaSettings& settings, Clock* clock)
    : options_(options),
      directory_(directory),
      pool_(pool),
      settings_(settings),
      clock_(clock),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

TailReader::~TailReader() {
  thread_.request_stop();
  thread_.join();
}

void TailReader::Follow(const KafkaPartition& where, const TopicId& topic, int64_t next) {
  {
    std::lock_guard lock(mutex_);
    if (!tails_.contains(where) && tails_.size() >= kMaxPartitions) return;
    Tail& tail = tails_[where];
    if (tail.topic != topic || tail.next < next) tail = Tail{topic, next, -1, {}, 0, {}};
    tail.read = clock_->Monotonic();
    while (!tail.held.empty() && tail.held.front().next <= next) {
      tail.held_bytes -= tail.held.front().records.size();
      tail.held.pop_front();
    }
    followed_ = true;
  }
  changed_.notify_one();
}

void TailReader::Forget(const KafkaPartition& where) {
  std::lock_guard lock(mutex_);
  tails_.erase(where);
}

std::vector<TailReader::Held> TailReader::HeldFrom(const KafkaPartition& where,
                                                   const TopicId& topic, int64_t from) const {
  std::lock_guard lock(mutex_);
  const auto found = tails_.find(where);
  if (found == tails_.end() || found->second.topic != topic) return {};
  const std::deque<Held>& held = found->second.held;
  const auto first = std::find_if(held.begin(), held.end(),
                                  [from](const Held& answer) { return answer.next > from; });
  if (first == held.end() || first->from > from) return {};
  return {first, held.end()};
}

std::optional<int64_t> TailReader::End(const KafkaPartition& where) const {
  std::lock_guard lock(mutex_);
  const auto found = tails_.find(where);
  if (found == tails_.end() || found->second.end < 0 || Full(found->second)) return std::nullopt;
  return found->second.end;
}

void TailReader::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const MonotonicTime begin = clock_->Monotonic();
    const CallLimit limit{begin + settings_.request_timeout + settings_.fetch_wait, stop};
    auto groups = GroupByLeader(Collect(), limit);
    if (groups.empty()) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, stop, settings_.fetch_wait, [this] { return followed_; });
      continue;
    }
    for (auto& [address, group] : groups) {
      if (!Ask(address, groups.size() == 1, &group, limit).ok()) Fail(group.wanted);
    }
    for (auto& [address, group] : groups) {
      if (group.connection == nullptr) continue;
      if (!Receive(&group, limit).ok()) Fail(group.wanted);
      pool_->Return(std::move(group.connection));
    }
    if (!clock_->SleepUntil(begin + options_.pace, stop)) return;
  }
}

// Forgets those whose records nobody takes.
std::vector<TailReader::Wanted> TailReader::Collect() {
  std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_->Monotonic();
  std::erase_if(tails_, [now](const auto& entry) {
    return !entry.second.held.empty() && now - entry.second.read > kUnread;
  });
  followed_ = false;
  std::vector<Wanted> wanted;
  for (const auto& [where, tail] : tails_) {
    if (Full(tail)) continue;
    FetchPartition request;
    request.topic = tail.topic;
    request.partition = where.partition;
    request.offset = tail.next;
    request.max_bytes = static_cast<int>(kMaxHeldBytes);
    wanted.push_back({where, request});
  }
  return wanted;
}

std::map<BrokerAddress, TailReader::Group> TailReader::GroupByLeader(std::vector<Wanted> wanted,
                                                                     const CallLimit& limit) {
  std::map<BrokerAddress, Group> groups;
  for (Wanted& each : wanted) {
    const auto leader = directory_->Leader(each.where.topic, each.where.partition, limit);
    if (!leader.ok() || leader->topic != each.request.topic) {
      Fail({each});
      continue;
    }
    each.request.leader_epoch = leader->epoch;
    groups[leader->address].wanted.push_back(std::move(each));
  }
  return groups;
}

// A broker that is not alone must not keep the others' answers waiting.
Status TailReader::Ask(const BrokerAddress& address, bool alone, Group* group,
                       const CallLimit& limit) {
  FetchRequest request;
  request.max_wait_ms = static_cast<int>((alone ? settings_.fetch_wait : options_.pace) /
                                         std::chrono::milliseconds(1));
  request.max_bytes = settings_.fetch_max_bytes;
  request.committed = options_.committed;
  for (const Wanted& wanted : group->wanted) request.partitions.push_back(wanted.request);
  ASSIGN_OR_RETURN(auto connection, pool_->Take(address, limit));
  RETURN_IF_ERROR(connection->Send(kApiFetch, EncodeFetch(request), limit));
  group->connection = std::move(connection);
  return OkStatus();
}

Status TailReader::Receive(Group* group, const CallLimit& limit) {
  ASSIGN_OR_RETURN(const KafkaBody body, group->connection->Receive(kApiFetch, limit));
  ASSIGN_OR_RETURN(FetchResponse response, DecodeFetch(body.body));
  if (response.error != 0) return UnavailableError("Fetch");
  for (FetchAnswer& answer : response.partitions) {
    const auto wanted =
        std::find_if(group->wanted.begin(), group->wanted.end(), [&answer](const Wanted& each) {
          return each.request.topic == answer.topic && each.request.partition == answer.partition;
        });
    if (wanted == group->wanted.end()) return InternalError("an answer that was not asked for");
    if (answer.error != 0)
      Fail({*wanted});
    else
      Keep(*wanted, std::move(answer), body.buffer.data);
  }
  return OkStatus();
}

void TailReader::Keep(const Wanted& wanted, FetchAnswer answer,
                      const std::shared_ptr<const void>& owner) {
  const int64_t next = OffsetBehind(answer.records);
  std::lock_guard lock(mutex_);
  const auto found = tails_.find(wanted.where);
  if (found == tails_.end() || found->second.topic != wanted.request.topic ||
      found->second.next != wanted.request.offset) {
    return;  // it was read further meanwhile
  }
  Tail& tail = found->second;
  tail.end = options_.committed ? answer.last_stable_offset : answer.high_watermark;
  if (next <= tail.next) return;
  tail.held.push_back({tail.next, next, answer.records, owner, std::move(answer.aborted)});
  tail.held_bytes += answer.records.size();
  tail.next = next;
}

// The ordinary fetch finds out what is wrong.
void TailReader::Fail(const std::vector<Wanted>& wanted) {
  for (const Wanted& each : wanted) {
    Forget(each.where);
    directory_->Forget(each.where.topic);
  }
}

}  // namespace millrace::worker
