#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/expr/program.h"
#include "worker/source/factory.h"
#include "worker/source/generator/preset.h"
#include "worker/source/source.h"

namespace millrace::worker {

// Makes records out of their sequence number: record i of partition p is number i * partitions + p,
// whatever the number means to the preset or the field expressions. Offers what is due at `rate`
// since the first batch of this process, so a restarted job goes on where it was without catching
// up for the time it was down. See Source for threads and errors; a field expression that fails
// makes the batch fail with kInvalid.
class GeneratorSource final : public Source {
 public:
  static Result<std::unique_ptr<Source>> Create(const std::string& name,
                                                const api::GeneratorSource& spec,
                                                const SourceOptions& options);

  int num_partitions() const override { return spec_.partitions; }
  Status Start(const SourcePosition& position) override;
  Result<SourceOffer> Offer(const OfferRequest& request) override;
  Status Read(const PartitionRange& range, RecordConsumer* consumer) override;

  // At most so many records a partition and batch, where the request has no limit.
  static constexpr uint64_t kMaxRangeRecords = 4'000'000;

 private:
  struct Anchor {
    TimePoint time;
    uint64_t total = 0;  // records planned before `time`
  };

  GeneratorSource(std::string name, const api::GeneratorSource& spec, SchemaRef wanted);
  Result<RecordBatch> Make(uint64_t first, size_t rows) const;
  Result<RecordBatch> Evaluate(const EventRun& run) const;
  uint64_t Due(TimePoint batch_time) const;
  uint64_t PartitionRecords(uint64_t total, int partition) const;

  const std::string name_;
  const api::GeneratorSource spec_;
  const SchemaRef wanted_;
  const std::string proof_;           // tells plans of another specification
  std::vector<ProgramRef> programs_;  // per wanted field; null for __position
  std::optional<Anchor> anchor_;
};

// Fields and types that `spec` makes. Errors go to `diagnostics` below `path`.
Result<Schema> GeneratorSchema(const api::GeneratorSource& spec, api::Diagnostics* diagnostics,
                               const std::string& path);

}  // namespace millrace::worker
