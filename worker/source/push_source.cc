#include "worker/source/push_source.h"

#include <algorithm>

#include "worker/source/position.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kLog = "a push log";

Result<uint64_t> SequenceOf(const SourcePosition& position) {
  return PositionAt(position, 0, kLog);
}

}  // namespace

PushSource::PushSource(std::string name, const SourceOptions& options)
    : name_(std::move(name)),
      directory_(options.state_directory.empty() ? "" : options.state_directory + "/push/" + name_),
      clock_(options.clock) {}

Status PushSource::Start(const SourcePosition& position) {
  ASSIGN_OR_RETURN(const uint64_t next, SequenceOf(position));
  PushLogOptions options;
  options.directory = directory_;
  ASSIGN_OR_RETURN(log_, PushLog::Open(options, next));
  if (next > log_->end()) {
    return GoneError("StateLost: source " + name_ + " stands at record " + std::to_string(next) +
                     ", but its push log ends at " + std::to_string(log_->end()));
  }
  return Begin();
}

Result<SourceOffer> PushSource::Offer(const OfferRequest& request) {
  RETURN_IF_ERROR(log_->status());
  ASSIGN_OR_RETURN(const uint64_t from, SequenceOf(*request.position));
  SourceOffer offer;
  offer.cursor = request.position->cursor;
  // Read before the end of the log: whatever was appended before the end is then in it.
  const bool ended = ended_.load(std::memory_order_acquire);
  const uint64_t end = log_->end();
  if (from < log_->first() || from > end) {
    return GoneError("StateLost: source " + name_ + " stands at record " + std::to_string(from) +
                     ", but its push log holds " + std::to_string(log_->first()) + " to " +
                     std::to_string(end));
  }
  uint64_t to = end;
  if (request.max_records_per_partition > 0) {
    to = std::min(end, from + static_cast<uint64_t>(request.max_records_per_partition));
  }
  offer.ended = ended && to == end;
  offer.lag_records = static_cast<int64_t>(end - to);
  if (to > from) {
    ASSIGN_OR_RETURN(std::string proof, log_->DigestAt(to));
    offer.ranges.push_back({0, std::to_string(from), std::to_string(to), std::move(proof),
                            static_cast<int64_t>(to - from)});
  }
  return offer;
}

Status PushSource::Read(const PartitionRange& range, RecordConsumer* consumer) {
  ASSIGN_OR_RETURN(const uint64_t from, ParsePosition(range.from, kLog));
  ASSIGN_OR_RETURN(const uint64_t to, ParsePosition(range.to, kLog));
  ASSIGN_OR_RETURN(const std::string proof, log_->DigestAt(to));
  if (proof != range.proof) {
    return GoneError("StateLost: the push log of source " + name_ + " holds other records below " +
                     range.to + " than the plan names");
  }
  return log_->Read(from, to, [&](RawRecords records) {
    records.path = name_;
    Decorate(&records);
    return consumer->OnRaw(std::move(records));
  });
}

void PushSource::Committed(const SourcePosition& position) {
  const Result<uint64_t> sequence = SequenceOf(position);
  if (sequence.ok()) log_->Trim(*sequence);
}

}  // namespace millrace::worker
