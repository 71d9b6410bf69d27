#include "worker/client/kafka/offset_lookup.h"

#include <algorithm>
#include <set>
#include <utility>

#include "worker/client/kafka/error_code.h"

namespace millrace::worker {
namespace {

std::string Name(const KafkaPartition& where) {
  return where.topic + "/" + std::to_string(where.partition);
}

}  // namespace

Result<std::vector<KafkaOffsetAnswer>> OffsetLookup::Run(
    const std::vector<KafkaOffsetQuery>& queries, bool committed, Duration patience,
    const std::stop_token& stop) {
  queries_ = &queries;
  committed_ = committed;
  settled_.assign(queries.size(), false);
  epochs_.assign(queries.size(), -1);
  for (const KafkaOffsetQuery& query : queries)
    answers_.push_back({.where = query.where, .status = {}});
  const MonotonicTime deadline = clock_->Monotonic() + patience;
  Duration backoff = settings_.backoff;
  while (std::find(settled_.begin(), settled_.end(), false) != settled_.end()) {
    const CallLimit limit{std::min(deadline, clock_->Monotonic() + settings_.request_timeout),
                          stop};
    bool failed = false;
    const auto groups = GroupByLeader(limit);
    for (const auto& [address, group] : groups) {
      const Status status = AskGroup(address, group, limit);
      for (const size_t index : group) {
        if (!status.ok()) Fail(index, status);
        failed = failed || !answers_[index].status.ok();
      }
    }
    if (stop.stop_requested()) return AbortedError("stopped");
    if (!failed && !groups.empty()) continue;
    if (clock_->Monotonic() + backoff >= deadline) break;
    if (!clock_->SleepFor(backoff, stop)) return AbortedError("stopped");
    backoff = std::min(2 * backoff, settings_.max_backoff);
  }
  return std::move(answers_);
}

std::map<BrokerAddress, OffsetLookup::Group> OffsetLookup::GroupByLeader(const CallLimit& limit) {
  std::map<BrokerAddress, Group> groups;
  std::set<KafkaPartition> taken;
  for (size_t i = 0; i < queries_->size(); ++i) {
    const KafkaPartition& where = (*queries_)[i].where;
    if (settled_[i] || !taken.insert(where).second) continue;
    const Result<PartitionLeader> leader = directory_->Leader(where.topic, where.partition, limit);
    if (!leader.ok()) {
      Fail(i, leader.status());
      continue;
    }
    epochs_[i] = leader->epoch;
    groups[leader->address].push_back(i);
  }
  return groups;
}

Status OffsetLookup::AskGroup(const BrokerAddress& address, const Group& group,
                              const CallLimit& limit) {
  std::vector<ListOffsetsPartition> partitions;
  for (const size_t index : group) {
    const KafkaOffsetQuery& query = (*queries_)[index];
    partitions.push_back(
        {query.where.topic, query.where.partition, epochs_[index], query.timestamp_ms});
  }
  ASSIGN_OR_RETURN(auto connection, pool_->Take(address, limit));
  ASSIGN_OR_RETURN(
      const KafkaBody body,
      connection->Call(kApiListOffsets, EncodeListOffsets(partitions, committed_), limit));
  pool_->Return(std::move(connection));
  ASSIGN_OR_RETURN(const std::vector<ListOffsetsAnswer> found, DecodeListOffsets(body.body));
  for (const size_t index : group) {
    const KafkaPartition& where = (*queries_)[index].where;
    const auto answer =
        std::find_if(found.begin(), found.end(), [&](const ListOffsetsAnswer& candidate) {
          return candidate.topic == where.topic && candidate.partition == where.partition;
        });
    if (answer == found.end())
      return InternalError(address.text() + " left out partition " + Name(where));
    Settle(index, *answer);
  }
  return OkStatus();
}

void OffsetLookup::Settle(size_t index, const ListOffsetsAnswer& answer) {
  KafkaOffsetAnswer& mine = answers_[index];
  if (answer.error != kErrorNone) {
    // A broker that lost the partition says so before it says that the topic is gone.
    const Status status = KafkaErrorStatus(answer.error, "list offsets of " + Name(mine.where));
    Fail(index, answer.error == kErrorUnknownTopicOrPartition ? UnavailableError(status.message())
                                                              : status);
    return;
  }
  mine.offset = answer.offset;
  mine.leader_epoch = answer.leader_epoch;
  mine.status = OkStatus();
  settled_[index] = true;
}

void OffsetLookup::Fail(size_t index, Status status) {
  settled_[index] = !status.retryable();
  if (status.retryable()) directory_->Forget(answers_[index].where.topic);
  answers_[index].status = std::move(status);
}

}  // namespace millrace::worker
