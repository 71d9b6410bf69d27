#include "worker/plan/input_stage.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

ColumnRef ConstantTime(Kind kind, int64_t micros, size_t rows) {
  auto column = std::make_shared<Column>(Type(kind));
  column->ints.assign(rows, micros);
  column->set_size(rows);
  return column;
}

ColumnRef ConstantString(const std::shared_ptr<const std::string>& text, size_t rows) {
  auto column = std::make_shared<Column>(Type(Kind::kString));
  column->strings.assign(rows, *text);
  column->set_size(rows);
  column->AddOwner(text);
  return column;
}

// A stable number of the record's place in its source, for sampling.
uint64_t PositionOf(const RawRecords& raw, int unit, size_t i) {
  const std::string place =
      raw.path.empty() ? std::to_string(unit) + "/" + PlaceOfRecord(raw, i) : PlaceOfRecord(raw, i);
  return HashKey(place);
}

}  // namespace

// Takes what the source reads in one task.
class InputStage::Consumer final : public RecordConsumer {
 public:
  Consumer(InputStage* stage, int unit, TaskRun* run, PipelineRun* pipeline)
      : stage_(stage),
        spec_(stage->spec_),
        unit_(unit),
        run_(run),
        pipeline_(pipeline),
        source_name_(std::make_shared<const std::string>(stage->spec_.name)) {
    if (const auto it = stage->limits_.find(unit); it != stage->limits_.end()) limit_ = it->second;
    if (const auto it = stage->exclusions_.find(unit); it != stage->exclusions_.end())
      excluded_ = &it->second;
  }

  Status OnRaw(RawRecords raw) override;
  Status OnBatch(RecordBatch batch, int64_t first_index) override;

 private:
  Status LeaveOut(RawRecords* raw);
  Status RefuseNulls(RawRecords* raw);
  DeadLetters::Entry EntryOf(std::string reason, const RawRecords& raw, size_t i) const;
  Status Reject(const RawRecords& raw, const std::vector<BadRecord>& bad);
  Status RejectOne(const std::string& place, const std::string& message, DeadLetters::Entry entry);
  Status PushWithHidden(const RecordBatch& payload, const RawRecords* raw,
                        const std::vector<uint32_t>& source_rows);
  ColumnRef Hidden(const Field& field, const RecordBatch& payload, const RawRecords* raw,
                   const std::vector<uint32_t>& source_rows, const ColumnRef& event_time) const;
  Status DropBadTimes(const Column& times, std::vector<BadRecord> errors,
                      const RecordBatch& payload, const RawRecords* raw,
                      const std::vector<uint32_t>& source_rows, std::vector<uint32_t>* keep);

  InputStage* stage_;
  const InputSpec& spec_;
  int unit_;
  TaskRun* run_;
  PipelineRun* pipeline_;
  std::shared_ptr<const std::string> source_name_;
  int64_t limit_ = -1;
  const std::map<int64_t, std::string>* excluded_ = nullptr;
};

// Removes records beyond a bisecting limit and poison records, whose dead letters are written here.
Status InputStage::Consumer::LeaveOut(RawRecords* raw) {
  if (limit_ < 0 && excluded_ == nullptr) return OkStatus();
  std::vector<uint32_t> rows;
  for (size_t i = 0; i < raw->payloads.size(); ++i) {
    const int64_t index = raw->first_index + static_cast<int64_t>(i);
    if (limit_ >= 0 && index >= limit_) break;
    if (excluded_ != nullptr && excluded_->contains(index)) {
      ++run_->report->bad_records;
      DeadLetters::Entry entry = EntryOf("Poison", *raw, i);
      entry.message = PlaceOfRecord(*raw, i) + ": " + excluded_->at(index);
      run_->dead_letters->Add(std::move(entry));
      continue;
    }
    rows.push_back(static_cast<uint32_t>(i));
  }
  *raw = SelectRecords(*raw, rows);
  return OkStatus();
}

// Tombstones that the job did not ask for are bad records.
Status InputStage::Consumer::RefuseNulls(RawRecords* raw) {
  if (!spec_.refuse_nulls || raw->null_payload.empty()) return OkStatus();
  std::vector<uint32_t> rows;
  std::vector<BadRecord> bad;
  for (size_t i = 0; i < raw->payloads.size(); ++i) {
    if (raw->null_payload[i] == 0)
      rows.push_back(static_cast<uint32_t>(i));
    else
      bad.push_back(
          {i, "the record is null (a tombstone); set tombstones: Skip or Keep to accept it"});
  }
  RETURN_IF_ERROR(Reject(*raw, bad));
  if (!bad.empty()) *raw = SelectRecords(*raw, rows);
  raw->null_payload.clear();
  return OkStatus();
}

// A dead letter for record i, but for its message.
DeadLetters::Entry InputStage::Consumer::EntryOf(std::string reason, const RawRecords& raw,
                                                 size_t i) const {
  DeadLetters::Entry entry{
      spec_.name, std::move(reason), {}, std::string(raw.payloads[i]), {}, {}, {}, {}};
  if (raw.topic.empty()) return entry;
  entry.topic = raw.topic;
  entry.partition = raw.partition;
  entry.offset = raw.offsets.empty() ? raw.first_offset + static_cast<int64_t>(i) : raw.offsets[i];
  for (const auto& [name, column] : raw.hidden) {
    if (name == kMessageKeyField && !column->IsNull(i)) entry.key = std::string(column->strings[i]);
  }
  return entry;
}

Status InputStage::Consumer::OnRaw(RawRecords raw) {
  run_->report->input_records += static_cast<int64_t>(raw.payloads.size());
  for (const std::string_view payload : raw.payloads)
    run_->report->input_bytes += static_cast<int64_t>(payload.size()) + 1;
  RETURN_IF_ERROR(LeaveOut(&raw));
  RETURN_IF_ERROR(RefuseNulls(&raw));
  DecodeResult decoded = stage_->decoders_[unit_]->Decode(raw);
  if (!decoded.bad.empty()) RETURN_IF_ERROR(Reject(raw, decoded.bad));
  return PushWithHidden(decoded.batch, &raw, decoded.source_rows);
}

Status InputStage::Consumer::OnBatch(RecordBatch batch, int64_t first_index) {
  run_->report->input_records += static_cast<int64_t>(batch.num_rows());
  if (limit_ >= 0 || excluded_ != nullptr) {
    std::vector<uint32_t> rows;
    for (size_t i = 0; i < batch.num_rows(); ++i) {
      const int64_t index = first_index + static_cast<int64_t>(i);
      if (limit_ >= 0 && index >= limit_) break;
      if (excluded_ == nullptr || !excluded_->contains(index)) {
        rows.push_back(static_cast<uint32_t>(i));
        continue;
      }
      ++run_->report->bad_records;
      run_->dead_letters->Add(
          {spec_.name, "Poison", excluded_->at(index), RowToJson(batch, i), {}, {}, {}, {}});
    }
    batch = batch.Gather(rows);
  }
  return PushWithHidden(batch, nullptr, {});
}

Status InputStage::Consumer::Reject(const RawRecords& raw, const std::vector<BadRecord>& bad) {
  for (const BadRecord& record : bad) {
    RETURN_IF_ERROR(RejectOne(PlaceOfRecord(raw, record.row), record.message,
                              EntryOf("Decode", raw, record.row)));
  }
  return OkStatus();
}

Status InputStage::Consumer::RejectOne(const std::string& place, const std::string& message,
                                       DeadLetters::Entry entry) {
  const std::string located = place.empty() ? message : place + ": " + message;
  if (spec_.on_error == api::ErrorPolicy::kFail)
    return InvalidError("source \"" + spec_.name + "\": " + located);
  ++run_->report->bad_records;
  if (spec_.on_error != api::ErrorPolicy::kDeadLetter) return OkStatus();
  entry.message = located;
  run_->dead_letters->Add(std::move(entry));
  return OkStatus();
}

ColumnRef InputStage::Consumer::Hidden(const Field& field, const RecordBatch& payload,
                                       const RawRecords* raw,
                                       const std::vector<uint32_t>& source_rows,
                                       const ColumnRef& event_time) const {
  const size_t rows = payload.num_rows();
  if (field.name == kBatchTimeField)
    return ConstantTime(Kind::kTimestamp, run_->context->batch_time.time_since_epoch().count(),
                        rows);
  if (field.name == kSourceField) return ConstantString(source_name_, rows);
  if (field.name == kEventTimeField && event_time != nullptr) return event_time;
  const auto source_row = [&](size_t i) { return source_rows.empty() ? i : source_rows[i]; };
  if (raw != nullptr && field.name == kRawField) {
    auto column = std::make_shared<Column>(field.type);
    column->Reserve(rows);
    for (size_t i = 0; i < rows; ++i) column->AppendView(raw->payloads[source_row(i)]);
    for (const Owner& owner : raw->owners) column->AddOwner(owner);
    return column;
  }
  if (raw != nullptr && field.name == kPositionField) {
    auto column = std::make_shared<Column>(field.type);
    for (size_t i = 0; i < rows; ++i) column->AppendUint(PositionOf(*raw, unit_, source_row(i)));
    return column;
  }
  if (raw != nullptr) {
    for (const auto& [name, column] : raw->hidden) {
      if (name != field.name) continue;
      return source_rows.empty() && column->size() == rows ? column
                                                           : worker::Gather(*column, source_rows);
    }
  }
  auto nulls = std::make_shared<Column>(field.type.AsNullable());
  for (size_t i = 0; i < rows; ++i) nulls->AppendNull();
  nulls->set_type(field.type);
  return nulls;
}

Status InputStage::Consumer::DropBadTimes(const Column& times, std::vector<BadRecord> errors,
                                          const RecordBatch& payload, const RawRecords* raw,
                                          const std::vector<uint32_t>& source_rows,
                                          std::vector<uint32_t>* keep) {
  const int64_t bound = (run_->context->batch_time + spec_.max_future).time_since_epoch().count();
  size_t next_error = 0;
  for (size_t row = 0; row < payload.num_rows(); ++row) {
    std::string message;
    if (next_error < errors.size() && errors[next_error].row == row) {
      message = "eventTime: " + errors[next_error++].message;
    } else if (times.IsNull(row)) {
      message = "eventTime: timestampExpr is null";
    } else if (times.ints[row] > bound) {
      message = "event time " + FormatRfc3339(TimePoint(Duration(times.ints[row]))) +
                " is more than maxFuture " + FormatDuration(spec_.max_future) +
                " ahead of the batch time " + FormatRfc3339(run_->context->batch_time);
    } else {
      keep->push_back(static_cast<uint32_t>(row));
      continue;
    }
    const size_t from = source_rows.empty() ? row : source_rows[row];
    if (raw == nullptr) {
      RETURN_IF_ERROR(RejectOne(
          "", message, {spec_.name, "Decode", {}, RowToJson(payload, row), {}, {}, {}, {}}));
    } else {
      RETURN_IF_ERROR(RejectOne(PlaceOfRecord(*raw, from), message, EntryOf("Decode", *raw, from)));
    }
  }
  return OkStatus();
}

Status InputStage::Consumer::PushWithHidden(const RecordBatch& payload, const RawRecords* raw,
                                            const std::vector<uint32_t>& source_rows) {
  if (payload.num_rows() == 0) return OkStatus();
  ColumnRef event_time;
  std::vector<uint32_t> keep;
  if (spec_.event_time != nullptr) {
    std::vector<BadRecord> errors;
    event_time = spec_.event_time->Evaluate(payload, run_->table_lists, &errors);
    const int64_t bound = (run_->context->batch_time + spec_.max_future).time_since_epoch().count();
    const bool all_good = errors.empty() && !event_time->has_nulls() &&
                          std::all_of(event_time->ints.begin(), event_time->ints.end(),
                                      [&](int64_t t) { return t <= bound; });
    if (!all_good)
      RETURN_IF_ERROR(
          DropBadTimes(*event_time, std::move(errors), payload, raw, source_rows, &keep));
    if (all_good) keep.resize(payload.num_rows());
    if (keep.empty()) return OkStatus();
    int64_t maximum = std::numeric_limits<int64_t>::min();
    if (all_good) {
      for (const int64_t time : event_time->ints) maximum = std::max(maximum, time);
    } else {
      for (const uint32_t row : keep) maximum = std::max(maximum, event_time->ints[row]);
    }
    run_->report->max_event_time =
        std::max(run_->report->max_event_time, TimePoint(Duration(maximum)));
  }
  std::vector<ColumnRef> columns;
  for (const Field& field : spec_.record->fields()) {
    const int payload_column = payload.schema().Find(field.name);
    columns.push_back(payload_column >= 0 ? payload.column_ref(payload_column)
                                          : Hidden(field, payload, raw, source_rows, event_time));
  }
  RecordBatch record(spec_.record, std::move(columns), payload.num_rows());
  if (!keep.empty() && keep.size() < payload.num_rows()) record = record.Gather(keep);
  return pipeline_->Push(record);
}

InputStage::InputStage(InputSpec spec, const BatchTables* tables)
    : spec_(std::move(spec)), pipeline_(spec_.name), tables_(tables), decoders_(spec_.units) {}

void InputStage::Assign(std::vector<PartitionRange> ranges,
                        std::map<int, std::map<int64_t, std::string>> exclusions) {
  ranges_.clear();
  for (PartitionRange& range : ranges) {
    if (range.partition >= units()) decoders_.resize(range.partition + 1);
    ranges_[range.partition] = std::move(range);
  }
  exclusions_ = std::move(exclusions);
}

Status InputStage::RunUnit(const BatchContext& context, int unit, const std::vector<Inbox>&,
                           TaskOutput* output) {
  if (spec_.format && decoders_[unit] == nullptr) {
    ASSIGN_OR_RETURN(decoders_[unit], MakeDecoder(*spec_.format, spec_.payload));
  }
  DeadLetters dead_letters;
  TaskRun run{&context, unit, &tables_->set, &tables_->lists, &dead_letters, &output->report()};
  PipelineRun pipeline(pipeline_, &run, output);
  Consumer consumer(this, unit, &run, &pipeline);
  RETURN_IF_ERROR(source_->Read(ranges_.at(unit), &consumer));
  return pipeline.Finish();
}

}  // namespace millrace::worker
