#include "worker/client/kafka/cluster.h"

#include <utility>

#include "worker/client/kafka/connection_pool.h"
#include "worker/client/kafka/directory.h"
#include "worker/client/kafka/error_code.h"
#include "worker/client/kafka/login.h"
#include "worker/client/kafka/offset_lookup.h"
#include "worker/client/kafka/partition_fetch.h"
#include "worker/client/kafka/tls_context.h"

namespace millrace::worker {
namespace {

constexpr Duration kPatience = std::chrono::seconds(30);

// Finds out before the first connection whether the Secrets are there and can be used.
Status CheckSecrets(const KafkaClientOptions& options) {
  if (options.sasl) RETURN_IF_ERROR(ReadKafkaLogin(options).status());
  if (!options.tls) return OkStatus();
  ASSIGN_OR_RETURN(
      const TlsFiles files,
      TlsFromSecret(options.secrets_directory, options.tls->secret_name, options.tls->server_name));
  return MakeSslContext(files).status();
}

KafkaTopicInfo Describe(const MetadataResponse::Topic& topic) {
  KafkaTopicInfo info;
  info.name = topic.name;
  info.id = FormatTopicId(topic.id);
  info.internal = topic.internal;
  info.status = KafkaErrorStatus(topic.error, "topic " + topic.name);
  for (const MetadataResponse::Partition& partition : topic.partitions) {
    const std::string name = "partition " + topic.name + "/" + std::to_string(partition.index);
    Status status;
    if (partition.leader < 0) status = UnavailableError(name + " has no leader now");
    info.partitions.push_back(
        {partition.index, partition.leader, partition.leader_epoch, std::move(status)});
  }
  return info;
}

}  // namespace

class KafkaCluster::Impl {
 public:
  Impl(const KafkaClientOptions& options, KafkaSettings settings,
       std::vector<BrokerAddress> bootstrap, Clock* clock)
      : options_(options),
        settings_(std::move(settings)),
        clock_(clock),
        buffers_(BufferPool::Create()),
        pool_({options_, settings_, clock, buffers_}),
        directory_(std::move(bootstrap), &pool_, settings_, clock) {}

  Result<std::vector<KafkaTopicInfo>> Metadata(const std::vector<std::string>& topics,
                                               const std::stop_token& stop) {
    ASSIGN_OR_RETURN(
        const MetadataResponse response,
        directory_.Ask(topics, {clock_->Monotonic() + settings_.request_timeout, stop}));
    std::map<std::string_view, KafkaTopicInfo> found;
    for (const MetadataResponse::Topic& topic : response.topics)
      found[topic.name] = Describe(topic);
    std::vector<KafkaTopicInfo> list;
    for (const std::string& name : topics) {
      const auto info = found.find(name);
      list.push_back(info != found.end() ? info->second : Missing(name));
    }
    if (!topics.empty()) return list;
    for (auto& [name, info] : found) list.push_back(std::move(info));
    return list;
  }

  Result<std::vector<KafkaOffsetAnswer>> ListOffsets(const std::vector<KafkaOffsetQuery>& queries,
                                                     bool committed, const std::stop_token& stop) {
    OffsetLookup lookup(&directory_, &pool_, settings_, clock_);
    return lookup.Run(queries, committed, kPatience, stop);
  }

  Status Fetch(const KafkaRange& range, KafkaIsolation isolation, KafkaColumns columns,
               const KafkaVisitor& visitor, const std::stop_token& stop) {
    const FetchContext context{&directory_, &pool_, &sizes_, settings_, clock_, tails_.get()};
    return PartitionFetch(context, range, isolation, columns, buffers_, &visitor, stop).Run();
  }

  void ReadAhead(bool committed, Duration pace) {
    if (!settings_.rack.empty()) return;
    tails_ = std::make_unique<TailReader>(TailOptions{committed, pace}, &directory_, &pool_,
                                          settings_, clock_);
  }

  std::optional<int64_t> EndAhead(const KafkaPartition& where) const {
    return tails_ == nullptr ? std::nullopt : tails_->End(where);
  }

 private:
  static KafkaTopicInfo Missing(const std::string& name) {
    KafkaTopicInfo info;
    info.name = name;
    info.status = NotFoundError("topic " + name + " is not known to the brokers");
    return info;
  }

  const KafkaClientOptions options_;
  const KafkaSettings settings_;
  Clock* clock_;
  std::shared_ptr<BufferPool> buffers_;
  ConnectionPool pool_;
  Directory directory_;
  FetchSize sizes_;
  std::unique_ptr<TailReader> tails_;  // null: nothing is read ahead
};

KafkaCluster::KafkaCluster(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KafkaCluster::~KafkaCluster() = default;

Result<std::unique_ptr<KafkaCluster>> KafkaCluster::Create(const KafkaClientOptions& options,
                                                           Clock* clock) {
  std::vector<BrokerAddress> bootstrap;
  for (const std::string& text : options.brokers) {
    ASSIGN_OR_RETURN(BrokerAddress address, ParseBrokerAddress(text));
    bootstrap.push_back(std::move(address));
  }
  ASSIGN_OR_RETURN(KafkaSettings settings, ReadKafkaSettings(options));
  RETURN_IF_ERROR(CheckSecrets(options));
  auto impl = std::make_unique<Impl>(options, std::move(settings), std::move(bootstrap), clock);
  return std::unique_ptr<KafkaCluster>(new KafkaCluster(std::move(impl)));
}

Result<std::vector<KafkaTopicInfo>> KafkaCluster::Metadata(const std::vector<std::string>& topics,
                                                           const std::stop_token& stop) {
  return impl_->Metadata(topics, stop);
}

Result<std::vector<KafkaOffsetAnswer>> KafkaCluster::ListOffsets(
    const std::vector<KafkaOffsetQuery>& queries, KafkaIsolation isolation,
    const std::stop_token& stop) {
  return impl_->ListOffsets(queries, isolation == KafkaIsolation::kReadCommitted, stop);
}

Status KafkaCluster::Fetch(const KafkaRange& range, KafkaIsolation isolation, KafkaColumns columns,
                           const KafkaVisitor& visitor, const std::stop_token& stop) {
  return impl_->Fetch(range, isolation, columns, visitor, stop);
}

void KafkaCluster::ReadAhead(KafkaIsolation isolation, Duration pace) {
  impl_->ReadAhead(isolation == KafkaIsolation::kReadCommitted, pace);
}

std::optional<int64_t> KafkaCluster::EndAhead(const KafkaPartition& where) const {
  return impl_->EndAhead(where);
}

}  // namespace millrace::worker
