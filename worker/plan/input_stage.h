#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "crds/api/spec.h"
#include "worker/source/source.h"
#include "worker/step/pipeline.h"

namespace millrace::worker {

// What an input stage needs to know about its source. Made by the planner.
struct InputSpec {
  std::string name;
  int source_index = 0;
  int units = 1;
  api::ErrorPolicy on_error = api::ErrorPolicy::kFail;
  bool refuse_nulls = false;          // records without a value (tombstones) are bad records
  std::optional<api::Format> format;  // none for generators
  SchemaRef payload;                  // fields the decoder (or generator) fills
  SchemaRef record;  // payload plus the hidden fields that the job reads; what the pipeline sees
  ProgramRef event_time;  // over `payload` and source-given hidden fields; null without event time
  Duration max_future{0};
};

// Input stage: one task per source partition. Reads exactly the planned range, decodes it, adds
// hidden fields, checks event times, and runs the pipeline. The owner calls Assign between batches;
// RunUnit of different units runs in parallel.
class InputStage final : public StageLogic {
 public:
  InputStage(InputSpec spec, const BatchTables* tables);

  Pipeline& pipeline() { return pipeline_; }
  const Pipeline& pipeline() const { return pipeline_; }
  const InputSpec& spec() const { return spec_; }

  // Sets the live source; it outlives the stage's use. Requires: before the first batch.
  void Bind(Source* source) { source_ = source; }
  // Partitions of the batch to run next: units appear as their source finds partitions. Never
  // shrinks.
  int units() const { return static_cast<int>(decoders_.size()); }
  // The ranges of the batch to run next, and the records in them to leave out (range index numbers
  // by partition).
  void Assign(std::vector<PartitionRange> ranges,
              std::map<int, std::map<int64_t, std::string>> exclusions);
  // Bisecting: only records with index < limit of this partition are read; -1 for all.
  void LimitRecords(int partition, int64_t limit) { limits_[partition] = limit; }
  void ClearLimits() { limits_.clear(); }

  Status RunUnit(const BatchContext& context, int unit, const std::vector<Inbox>& inboxes,
                 TaskOutput* output) override;
  bool HasWork(const BatchContext& context, int unit) const override {
    (void)context;
    return ranges_.contains(unit);
  }

 private:
  class Consumer;

  InputSpec spec_;
  Pipeline pipeline_;
  const BatchTables* tables_;
  Source* source_ = nullptr;
  std::map<int, PartitionRange> ranges_;
  std::map<int, std::map<int64_t, std::string>> exclusions_;
  std::map<int, int64_t> limits_;
  std::vector<std::unique_ptr<Decoder>> decoders_;  // by unit; each used by one task at a time
};

}  // namespace millrace::worker
