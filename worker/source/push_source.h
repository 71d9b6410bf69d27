#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "worker/source/factory.h"
#include "worker/source/push_log.h"
#include "worker/source/source.h"

namespace millrace::worker {

// The part that all sources have which receive records instead of fetching them: one partition
// whose `to` is a sequence number of the push log and whose proof is the chained digest there.
// Subclasses receive (Begin) and append to log(). Offers only durable records, so what was
// acknowledged is read exactly once, also after a restart. See Source for threads and errors.
class PushSource : public Source {
 public:
  int num_partitions() const override { return 1; }
  // Opens the log and begins to receive. kGone ("StateLost: ...") when the log does not reach what
  // was committed.
  Status Start(const SourcePosition& position) override;
  Result<SourceOffer> Offer(const OfferRequest& request) override;
  Status Read(const PartitionRange& range, RecordConsumer* consumer) override;
  void Committed(const SourcePosition& position) override;

 protected:
  // `name` is the source's; the log lives in <state_directory>/push/<name>.
  PushSource(std::string name, const SourceOptions& options);
  // Starts receiving, in threads of its own. Called once, with the log open.
  virtual Status Begin() = 0;
  // Fills what a subclass adds to each piece.
  virtual void Decorate(RawRecords*) const {}

  PushLog& log() { return *log_; }
  const std::string& name() const { return name_; }
  Clock* clock() const { return clock_; }
  // "" when records are kept in memory.
  const std::string& directory() const { return directory_; }
  // Nothing will be appended any more; the source ends with what the log holds.
  void SetEnded() { ended_.store(true, std::memory_order_release); }

 private:
  const std::string name_;
  const std::string directory_;
  Clock* const clock_;
  std::unique_ptr<PushLog> log_;
  std::atomic<bool> ended_{false};
};

}  // namespace millrace::worker
