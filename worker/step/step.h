#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"
#include "worker/data/raw_records.h"
#include "worker/data/record_batch.h"
#include "worker/exec/stage.h"
#include "worker/expr/program.h"
#include "worker/table/table.h"

// The contract of pipeline steps over RecordBatch. Narrow steps map a batch to a batch inside one
// task; keyed steps have a sender side in front of the exchange (ExchangeWriter) and a receiver
// side with state per key group (KeyedOperator).
namespace millrace::worker {

inline constexpr std::string_view kEventTimeField =
    "__eventTime";  // timestamp, nullable unless the source has eventTime
inline constexpr std::string_view kBatchTimeField = "__batchTime";  // timestamp
inline constexpr std::string_view kSourceField = "__source";        // string
inline constexpr std::string_view kPositionField =
    "__position";  // uint, stable hash of the source position (sample)
inline constexpr std::string_view kMessageKeyField = "__key";  // bytes?, the Kafka key
inline constexpr std::string_view kRawField =
    "__raw";  // bytes, the undecoded record (dead letters)
inline constexpr std::string_view kPlaceField =
    "__place";  // int, 1, 2, 3 where ranks are 1, 1, 3 (updating top)
inline constexpr std::string_view kDeletedField =
    "__deleted";  // bool, the row with this key is gone (updating streams)

// Versions of look-up tables that the batch uses, by table name.
using TableSet = std::map<std::string, TableVersionRef>;

// Rows for the built-in stream deadLetters, collected per task. Not thread-safe.
class DeadLetters {
 public:
  // `reason`: Decode Expression Late Encode Rejected Poison.
  struct Entry {
    std::string origin, reason, message, value;
    std::optional<std::string> key, topic;
    std::optional<int64_t> partition, offset;
  };
  void Add(Entry entry) { entries_.push_back(std::move(entry)); }
  // Takes value, key, topic, partition and offset from the row's hidden fields (__raw, __key, ...),
  // else the row as JSON.
  void AddRow(const std::string& origin, const std::string& reason, const std::string& message,
              const RecordBatch& batch, size_t row);
  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  static const Schema& RowSchema();  // origin reason message: string, time: timestamp, value:
                                     // bytes, key: bytes?, topic: string?, partition offset: int?
  // The entries as rows with `time` = batch time; empties the collection.
  RecordBatch TakeRows(TimePoint batch_time);

 private:
  std::vector<Entry> entries_;
};

// What a step sees of the task it runs in. Lives for one RunUnit; not thread-safe.
struct TaskRun {
  const BatchContext* context = nullptr;
  int unit = 0;
  const TableSet* tables = nullptr;
  const TableLists* table_lists = nullptr;
  DeadLetters* dead_letters = nullptr;
  TaskReport* report = nullptr;
};

// What happens to rows whose expressions failed, by the step's onError:
//   kFail        returns kInvalid with "<origin>: <message>" of the first error
//   kSkip        counts them in the report
//   kDeadLetter  counts and dead-letters them
//   kSetNull     leaves them (results are null already)
// `keep` gets the rows of `batch` to go on with, ascending; when none is dropped `all` is true and
// `keep` left untouched.
Status HandleRowErrors(api::ErrorPolicy policy, const std::string& origin, const RecordBatch& batch,
                       std::vector<BadRecord> errors, TaskRun* run, std::vector<uint32_t>* keep,
                       bool* all);

// Event time of a stream: the minimum over its sources' watermarks, held back by interval joins on
// the way. `cascaded`: the stream comes out of a windowed step of the same batch, so its rows are
// judged against the previous watermark.
struct WatermarkRule {
  std::vector<int> sources;
  Duration hold_back{0};
  bool cascaded = false;
};
// End of time (TimePoint::max()) when the batch is final.
TimePoint EventWatermark(const WatermarkRule& rule, const BatchContext& context);
TimePoint PreviousEventWatermark(const WatermarkRule& rule, const BatchContext& context);
// Rows whose window ended at or before this are late.
TimePoint LateBound(const WatermarkRule& rule, const BatchContext& context);
// Time of a processing-time record of this batch: just inside the window that ends with the batch.
TimePoint ProcessingTime(const BatchContext& context);

// One input of a step: rows' schema and time.
struct StepInput {
  Schema schema;
  WatermarkRule watermark;
  bool has_event_time = false;  // __eventTime is set by the source or a window
  bool updating = false;
  std::vector<std::string> update_key;  // of an updating stream
};

// Everything a step is built from beside its own spec.
struct StepEnv {
  std::string origin;  // "stream.step" as in dead letters and errors
  std::string path;    // "spec.streams[0].steps[1].aggregate"
  StepInput input;
  StepInput other;                       // joins
  std::vector<TableDeclaration> tables;  // readable as tables.<name>
  std::map<std::string, std::vector<std::string>> table_keys;
  api::ErrorPolicy on_error = api::ErrorPolicy::kFail;
  Duration batch_interval{0};
  int groups = 128;
  // Fields of the step's result that somebody behind it reads; none given: all. Steps that copy
  // rows leave the others out.
  std::optional<std::set<std::string>> needed;
  api::Diagnostics* diagnostics =
      nullptr;  // builders add every error they find, with paths below `path`
};

// Compiles one expression of a step; errors go to env.diagnostics at `path` with their offset.
// nullptr on errors.
ProgramRef CompileExpression(const StepEnv& env, const ExprEnv& names, const std::string& text,
                             const std::string& path, const Type* expected = nullptr);
// The env's input fields and tables as expression names.
ExprEnv InputNames(const StepEnv& env);
// Adds "no field ..., did you mean" errors for unknown names at `<env.path>.<member>[i]`; returns
// column indexes.
std::vector<int> ResolveFields(const StepEnv& env, const Schema& schema,
                               const std::vector<std::string>& names, const std::string& member);

// Immutable, shared by all tasks.
class NarrowStep {
 public:
  virtual ~NarrowStep() = default;
  virtual const SchemaRef& output_schema() const = 0;
  // Input fields that the step's own expressions read, not those it only passes on. Map and flatMap
  // list all expressions.
  virtual std::vector<FieldUse> uses() const = 0;
  virtual Result<RecordBatch> Apply(const RecordBatch& in, TaskRun* run) const = 0;
};

// Sends rows or combined partial results to units of the stage behind an edge, in order per unit.
using SendFn = std::function<void(int unit, RecordBatch rows)>;

// Sender side of an exchange, one per (task, edge). Combines within its source unit only.
class ExchangeWriter {
 public:
  virtual ~ExchangeWriter() = default;
  virtual Status Add(const RecordBatch& batch, TaskRun* run) = 0;
  // Sends what was gathered, groups ascending. Called once, also when no row came.
  virtual Status Finish(TaskRun* run, const SendFn& send) = 0;
};

// Receiver side: one per (stage, key group), created empty when first needed; then restored or fed
// batch by batch. Failed batches are undone by the owner, who drops the operator and restores a new
// one from the state log.
class KeyedOperator {
 public:
  virtual ~KeyedOperator() = default;
  // arrived[input]: batches in (source stage, source unit) order. Appends output rows in (window,
  // encoded key) order or, for row-wise steps, in order of arrival.
  virtual Status Run(const std::vector<std::vector<RecordBatch>>& arrived, TaskRun* run,
                     std::vector<RecordBatch>* out) = 0;
  // True when a window, timeout or expiry is due though nothing arrived.
  virtual bool HasWork(const BatchContext& context) const = 0;
  // Final values and deletions of everything changed since the last Settle (nothing appended when
  // unchanged). Blobs start with a format version; Apply refuses unknown ones.
  virtual void EncodeDelta(std::string* out) const = 0;
  virtual void EncodeSnapshot(std::string* out) const = 0;
  // Applies a snapshot to an empty operator, or a delta on top.
  virtual Status Apply(std::string_view blob) = 0;
  virtual void Settle() = 0;
  virtual int64_t keys() const = 0;
  virtual int64_t bytes() const = 0;
};

// A keyed step: immutable description that makes both sides.
class KeyedStep {
 public:
  virtual ~KeyedStep() = default;
  virtual const SchemaRef& output_schema() const = 0;
  virtual int num_inputs() const { return 1; }
  virtual std::unique_ptr<ExchangeWriter> MakeWriter(int input) const = 0;
  virtual std::unique_ptr<KeyedOperator> MakeOperator() const = 0;
  virtual bool stateful() const = 0;
  // True when every unit must run in the first batch though nothing arrived (initial tables with
  // timeouts).
  virtual bool runs_at_first_start() const { return false; }
  // Key groups the step may use; 1 for keyless steps.
  virtual int units() const = 0;
  // "tumbling 10s by user", for explain and metrics.
  virtual std::string description() const = 0;
  // What the state belongs to: kind, key, window and types. State survives an edit that leaves this
  // text as it was.
  virtual std::string state_shape() const { return description(); }
  // Time and update key of the output.
  virtual WatermarkRule output_watermark() const = 0;
  virtual bool output_has_event_time() const = 0;
  virtual bool output_updating() const { return false; }
  virtual std::vector<std::string> update_key() const { return {}; }
  // Fields of `input` that the step reads; row-wise steps that pass whole records on say so with
  // passes_rows().
  virtual std::vector<FieldUse> uses(int input) const = 0;
  // True when output rows carry the input record on (dedup, join, top, repartition, state without
  // output.fields).
  virtual bool passes_rows() const = 0;
};

// Rows partitioned by key group without combining: for joins, state, dedup, top and repartition.
std::unique_ptr<ExchangeWriter> MakeRowWriter(std::vector<int> key_columns, int groups);

// Builders, one per step kind. Each reports every error it finds in env.diagnostics and returns
// nullptr when there is one.
std::unique_ptr<NarrowStep> MakeMapStep(const api::MapStep& spec, const StepEnv& env);
std::unique_ptr<NarrowStep> MakeSetStep(const api::SetStep& spec, const StepEnv& env);
std::unique_ptr<NarrowStep> MakeDropStep(const api::DropStep& spec, const StepEnv& env);
std::unique_ptr<NarrowStep> MakeFlatMapStep(const api::FlatMapStep& spec, const StepEnv& env);
std::unique_ptr<NarrowStep> MakeFilterStep(const api::FilterStep& spec, const StepEnv& env);
std::unique_ptr<NarrowStep> MakeLookupStep(const api::LookupStep& spec, const StepEnv& env);
std::unique_ptr<NarrowStep> MakeSampleStep(const api::SampleStep& spec, const StepEnv& env);
std::unique_ptr<KeyedStep> MakeAggregateStep(const api::AggregateStep& spec, const StepEnv& env);
std::unique_ptr<KeyedStep> MakeTopStep(const api::TopStep& spec, const StepEnv& env);
std::unique_ptr<KeyedStep> MakeJoinStep(const api::JoinStep& spec, const StepEnv& env);
std::unique_ptr<KeyedStep> MakeDedupStep(const api::DedupStep& spec, const StepEnv& env);
std::unique_ptr<KeyedStep> MakeStateStep(const api::StateStep& spec, const StepEnv& env);
std::unique_ptr<KeyedStep> MakeRepartitionStep(const api::RepartitionStep& spec,
                                               const StepEnv& env);

}  // namespace millrace::worker
