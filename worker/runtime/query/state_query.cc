#include "worker/runtime/query/state_query.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <numeric>
#include <utility>

#include "crds/base/json_writer.h"
#include "crds/base/text.h"
#include "worker/runtime/query/state_key.h"
#include "worker/step/pipeline.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kFolder = "/state";
constexpr size_t kUnitsAtOnce = 8;  // whose blobs are in memory

int CodeOf(const Status& status) {
  switch (status.code()) {
    case StatusCode::kInvalid:
      return 400;
    case StatusCode::kNotFound:
      return 404;
    case StatusCode::kUnavailable:
    case StatusCode::kDeadline:
    case StatusCode::kAborted:
    case StatusCode::kConflict:
      return 503;
    case StatusCode::kOk:
    case StatusCode::kAlreadyExists:
    case StatusCode::kGone:
    case StatusCode::kInternal:
      return 500;
  }
  return 500;
}

HttpServerReply ReplyOf(const Result<std::string>& json) {
  if (!json.ok()) return HttpServerError(CodeOf(json.status()), json.status().message());
  return {200, *json, "application/json", {}};
}

const ReadableStep* ReadableOf(const StageSpec& stage) {
  const auto* keyed = dynamic_cast<const KeyedStage*>(stage.logic.get());
  return keyed == nullptr ? nullptr : dynamic_cast<const ReadableStep*>(&keyed->step());
}

bool IsReadable(const StageSpec& stage) {
  const ReadableStep* step = ReadableOf(stage);
  return step != nullptr && step->MakeReader() != nullptr;
}

Result<int64_t> ParseLimit(const std::map<std::string, std::string>& query) {
  const auto found = query.find("limit");
  if (found == query.end()) return StateQueries::kDefaultLimit;
  int64_t limit = 0;
  const char* end = found->second.data() + found->second.size();
  const auto parsed = std::from_chars(found->second.data(), end, limit);
  if (parsed.ec != std::errc() || parsed.ptr != end || limit < 1 ||
      limit > StateQueries::kMaxLimit) {
    return InvalidError("limit: expected 1 to " + std::to_string(StateQueries::kMaxLimit));
  }
  return limit;
}

}  // namespace

struct StateQueries::Question {
  const StageSpec* stage = nullptr;
  const ReadableStep* step = nullptr;
  std::optional<std::string> key;  // encoded
  std::string key_text;
  std::string prefix;  // of the first key field, as text
  int64_t limit = kDefaultLimit;
  std::vector<int> units;

  // Rows of `batch` that are asked for.
  std::vector<size_t> Select(const RecordBatch& batch) const;
};

// Rows found so far, as JSON.
struct StateQueries::Rows {
  std::string json;
  int64_t count = 0;
  bool truncated = false;

  void Add(const RecordBatch& batch, size_t row, int64_t limit) {
    if (count == limit || json.size() > kMaxBytes) {
      truncated = true;
      return;
    }
    if (count++ > 0) json += ',';
    json += '\n';
    json += RowToJson(batch, row);
  }
};

std::vector<size_t> StateQueries::Question::Select(const RecordBatch& batch) const {
  std::vector<size_t> rows(batch.num_rows());
  std::iota(rows.begin(), rows.end(), size_t{0});
  if (key) {
    std::vector<int> columns;
    for (const std::string& name : step->key_names()) columns.push_back(batch.schema().Find(name));
    Arena arena;
    std::vector<std::string_view> keys;
    KeyEncoder(columns).Encode(batch, &arena, &keys);
    std::erase_if(rows, [&](size_t row) { return keys[row] != *key; });
  } else if (!prefix.empty()) {
    const Column& column = *batch.Find(step->key_names()[0]);
    std::erase_if(rows, [&](size_t row) {
      return column.IsNull(row) || !column.strings[row].starts_with(prefix);
    });
  }
  return rows;
}

HttpServerReply StateQueries::Answer(const HttpServerRequest& request) {
  if (request.path == kFolder || request.path == "/state/") return ListSteps();
  const std::string step = request.path.substr(kFolder.size() + 1);
  if (waiting_.fetch_add(1) >= kMaxWaiting) {
    waiting_.fetch_sub(1);
    return HttpServerError(503, "too many queries at a time: ask again later");
  }
  HttpServerReply reply = ReplyOf(Ask(step, request));
  waiting_.fetch_sub(1);
  return reply;
}

HttpServerReply StateQueries::ListSteps() const {
  JsonWriter out;
  out.BeginObject();
  out.Key("steps");
  out.BeginArray();
  for (const StageSpec& stage : plan_->graph.stages) {
    if (!stage.logic->stateful()) continue;
    out.BeginObject();
    out.Key("step");
    out.String(stage.id);
    out.Key("description");
    out.String(stage.description);
    out.Key("readable");
    out.Bool(IsReadable(stage));
    out.EndObject();
  }
  out.EndArray();
  out.EndObject();
  return {200, out.Take() + "\n", "application/json", {}};
}

Result<std::string> StateQueries::Ask(const std::string& step, const HttpServerRequest& request) {
  ASSIGN_OR_RETURN(const Question question, Parse(step, request));
  const std::lock_guard lock(reading_);
  return Read(question);
}

Result<StateQueries::Question> StateQueries::Parse(const std::string& step,
                                                   const HttpServerRequest& request) const {
  Question question;
  for (const StageSpec& stage : plan_->graph.stages) {
    if (stage.id == step && stage.logic->stateful()) question.stage = &stage;
  }
  if (question.stage == nullptr)
    return NotFoundError("no step \"" + step + "\" with state; /state lists them");
  question.step = ReadableOf(*question.stage);
  if (!IsReadable(*question.stage)) {
    return InvalidError("the state of \"" + step +
                        "\" is not readable: only that of aggregate and state steps is");
  }
  for (const auto& [name, value] : request.query) {
    if (name != "key" && name != "prefix" && name != "limit")
      return InvalidError("unknown parameter \"" + name + "\": key, prefix and limit are known");
  }
  ASSIGN_OR_RETURN(question.limit, ParseLimit(request.query));
  const auto key = request.query.find("key");
  const auto prefix = request.query.find("prefix");
  if (key != request.query.end() && prefix != request.query.end())
    return InvalidError("give key or prefix, not both");
  const std::vector<Type>& types = question.step->key_types();
  if (prefix != request.query.end()) {
    if (types.empty() || types[0].kind() != Kind::kString)
      return InvalidError("prefix: the first key field is not a string");
    question.prefix = prefix->second;
  }
  const int units = question.stage->units;
  if (key == request.query.end()) {
    question.units.resize(static_cast<size_t>(units));
    std::iota(question.units.begin(), question.units.end(), 0);
    return question;
  }
  ASSIGN_OR_RETURN(question.key, ParseStateKey(question.step->key_names(), types, key->second));
  question.key_text = key->second;
  question.units = {units == 1 ? 0 : KeyGroupOf(HashKey(*question.key), units)};
  return question;
}

Result<std::string> StateQueries::Read(const Question& question) {
  ASSIGN_OR_RETURN(const std::unique_ptr<CommittedView> view,
                   state_->Open(question.stage->id, question.units));
  Rows rows;
  for (size_t begin = 0; begin < question.units.size() && !rows.truncated; begin += kUnitsAtOnce) {
    const size_t end = std::min(question.units.size(), begin + kUnitsAtOnce);
    const std::vector<int> units(question.units.begin() + static_cast<int64_t>(begin),
                                 question.units.begin() + static_cast<int64_t>(end));
    ASSIGN_OR_RETURN(const std::vector<UnitBlobs> blobs, view->Load(units));
    for (size_t i = 0; i < units.size() && !rows.truncated; ++i)
      RETURN_IF_ERROR(ReadUnit(question, *view, units[i], blobs[i], &rows));
  }
  if (question.key && rows.count == 0) {
    return NotFoundError("no state for key " + question.key_text + " after batch " +
                         std::to_string(view->batch()));
  }
  JsonWriter out;
  out.BeginObject();
  out.Key("step");
  out.String(question.stage->id);
  out.Key("batch");
  out.Int(view->batch());
  out.Key("batchTime");
  out.String(FormatRfc3339(view->batch_time()));
  out.Key("truncated");
  out.Bool(rows.truncated);
  out.Key("rows");
  out.Raw("[" + rows.json + "]");
  out.EndObject();
  return out.Take() + "\n";
}

Status StateQueries::ReadUnit(const Question& question, const CommittedView& view, int unit,
                              const UnitBlobs& blobs, Rows* rows) const {
  if (blobs.snapshot.empty() && blobs.deltas.empty()) return OkStatus();
  const std::unique_ptr<KeyedOperator> reader = question.step->MakeReader();
  if (!blobs.snapshot.empty()) RETURN_IF_ERROR(reader->Apply(blobs.snapshot));
  for (const std::string& delta : blobs.deltas) RETURN_IF_ERROR(reader->Apply(delta));
  reader->Settle();
  BatchContext context;
  context.batch = view.batch();
  context.batch_time = context.previous_batch_time = view.batch_time();
  context.watermarks = context.previous_watermarks = view.watermarks();
  const TableSet tables;
  const TableLists lists;
  DeadLetters dead_letters;
  TaskReport report;
  TaskRun run{&context, unit, &tables, &lists, &dead_letters, &report};
  std::vector<RecordBatch> found;
  const std::vector<std::vector<RecordBatch>> nothing(1);
  const Status status = reader->Run(nothing, &run, &found);
  if (!status.ok()) return InternalError(status.message());
  for (const RecordBatch& batch : found) {
    for (const size_t row : question.Select(batch)) rows->Add(batch, row, question.limit);
  }
  return OkStatus();
}

}  // namespace millrace::worker
