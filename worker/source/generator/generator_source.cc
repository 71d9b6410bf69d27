#include "worker/source/generator/generator_source.h"

#include <xxhash.h>

#include <algorithm>
#include <limits>

#include "crds/base/text.h"
#include "worker/source/position.h"

namespace millrace::worker {
namespace {

constexpr size_t kBatchRows = 4096;
constexpr std::string_view kOwner = "a generator";
constexpr std::string_view kSequenceField = "seq";
constexpr std::string_view kPositionName = "__position";

ExprEnv SequenceEnv() { return {Schema({{std::string(kSequenceField), Type(Kind::kInt)}}), {}}; }

std::string Fingerprint(const api::GeneratorSource& spec) {
  std::string text = std::to_string(spec.partitions) + "/";
  if (spec.preset) {
    text += std::to_string(static_cast<int>(*spec.preset)) + "/" + std::to_string(spec.rate);
  }
  for (const auto& [name, expression] : spec.fields) text += "/" + name + "=" + expression;
  const uint64_t hash = XXH3_64bits(text.data(), text.size());
  return HexEncode({reinterpret_cast<const char*>(&hash), sizeof hash});
}

// The part of `column` that `type` asks for: fewer members in structs, also inside lists.
ColumnRef Prune(const ColumnRef& column, const Type& type) {
  if (column->type() == type) return column;
  auto pruned = std::make_shared<Column>(*column);
  pruned->set_type(type);
  if (type.kind() == Kind::kStruct) {
    pruned->children.clear();
    for (const Field& field : type.fields()) {
      const auto index = static_cast<size_t>(column->type().FindField(field.name));
      pruned->children.push_back(
          std::const_pointer_cast<Column>(Prune(column->children[index], field.type)));
    }
  } else if (type.kind() == Kind::kList) {
    pruned->children[0] =
        std::const_pointer_cast<Column>(Prune(column->children[0], type.element()));
  }
  return pruned;
}

}  // namespace

Result<Schema> GeneratorSchema(const api::GeneratorSource& spec, api::Diagnostics* diagnostics,
                               const std::string& path) {
  if (spec.preset) {
    switch (*spec.preset) {
      case api::GeneratorSource::Preset::kNexmark:
        return NexmarkSchema();
      case api::GeneratorSource::Preset::kYsb:
        return YsbSchema();
    }
  }
  Schema schema;
  bool failed = false;
  for (const auto& [name, expression] : spec.fields) {
    std::vector<ExprError> errors;
    const auto program = Program::Compile(expression, SequenceEnv(), &errors);
    if (program.ok()) {
      schema.Set({name, (*program)->type()});
      continue;
    }
    failed = true;
    for (const ExprError& error : errors) {
      api::AddError(diagnostics, path + ".fields." + name, error.message, error.offset);
    }
    if (errors.empty())
      api::AddError(diagnostics, path + ".fields." + name, program.status().message());
  }
  if (failed) return InvalidError("generator fields do not compile");
  return schema;
}

GeneratorSource::GeneratorSource(std::string name, const api::GeneratorSource& spec,
                                 SchemaRef wanted)
    : name_(std::move(name)), spec_(spec), wanted_(std::move(wanted)), proof_(Fingerprint(spec)) {}

Result<std::unique_ptr<Source>> GeneratorSource::Create(const std::string& name,
                                                        const api::GeneratorSource& spec,
                                                        const SourceOptions& options) {
  SchemaRef wanted = options.wanted;
  if (wanted == nullptr) {
    api::Diagnostics diagnostics;
    ASSIGN_OR_RETURN(Schema schema, GeneratorSchema(spec, &diagnostics, "generator"));
    wanted = std::make_shared<Schema>(std::move(schema));
  }
  std::unique_ptr<GeneratorSource> source(new GeneratorSource(name, spec, wanted));
  for (const Field& field : wanted->fields()) {
    if (spec.preset) break;
    source->programs_.emplace_back();
    if (field.name == kPositionName) continue;
    const auto expression = spec.fields.find(field.name);
    if (expression == spec.fields.end()) {
      return InvalidError("generator " + name + " makes no field " + field.name);
    }
    std::vector<ExprError> errors;
    ASSIGN_OR_RETURN(source->programs_.back(),
                     Program::Compile(expression->second, SequenceEnv(), &errors));
  }
  return std::unique_ptr<Source>(std::move(source));
}

Status GeneratorSource::Start(const SourcePosition&) {
  anchor_.reset();
  return OkStatus();
}

uint64_t GeneratorSource::PartitionRecords(uint64_t total, int partition) const {
  const auto p = static_cast<uint64_t>(partition),
             partitions = static_cast<uint64_t>(spec_.partitions);
  return total <= p ? 0 : (total - p - 1) / partitions + 1;
}

uint64_t GeneratorSource::Due(TimePoint batch_time) const {
  const auto limit = spec_.count ? static_cast<uint64_t>(*spec_.count)
                                 : uint64_t{std::numeric_limits<int64_t>::max()};
  const int64_t micros = std::max<int64_t>(0, (batch_time - anchor_->time).count());
  constexpr int64_t kSecond = 1'000'000;
  const double estimate = static_cast<double>(micros) / kSecond * static_cast<double>(spec_.rate);
  if (estimate > 4e18 || anchor_->total >= limit) return limit;
  const auto due =
      static_cast<uint64_t>(micros / kSecond * spec_.rate +
                            static_cast<int64_t>(static_cast<double>(micros % kSecond) *
                                                 static_cast<double>(spec_.rate) / kSecond));
  return anchor_->total + std::min(due, limit - anchor_->total);
}

Result<SourceOffer> GeneratorSource::Offer(const OfferRequest& request) {
  std::vector<uint64_t> from;
  uint64_t planned = 0;
  for (int p = 0; p < spec_.partitions; ++p) {
    ASSIGN_OR_RETURN(const uint64_t count, PositionAt(*request.position, p, kOwner));
    from.push_back(count);
    planned += count;
  }
  if (!anchor_) anchor_ = Anchor{request.batch_time, planned};
  const uint64_t due = Due(request.batch_time);
  const uint64_t limit = request.max_records_per_partition > 0
                             ? static_cast<uint64_t>(request.max_records_per_partition)
                             : kMaxRangeRecords;
  SourceOffer offer;
  offer.cursor = request.position->cursor;
  offer.lag_records = 0;
  offer.ended = spec_.count.has_value();
  for (int p = 0; p < spec_.partitions; ++p) {
    const uint64_t begin = from[static_cast<size_t>(p)];
    const uint64_t available = std::max(begin, PartitionRecords(due, p));
    const uint64_t to = std::min(available, begin + limit);
    offer.lag_records += static_cast<int64_t>(available - to);
    if (spec_.count && to < PartitionRecords(static_cast<uint64_t>(*spec_.count), p))
      offer.ended = false;
    if (to == begin) continue;
    offer.ranges.push_back(
        {p, std::to_string(begin), std::to_string(to), proof_, static_cast<int64_t>(to - begin)});
  }
  return offer;
}

Status GeneratorSource::Read(const PartitionRange& range, RecordConsumer* consumer) {
  if (range.proof != proof_) {
    return GoneError("SourceChanged: generator " + name_ + " has another specification than when " +
                     "this range was planned");
  }
  ASSIGN_OR_RETURN(const uint64_t from, ParsePosition(range.from, kOwner));
  ASSIGN_OR_RETURN(const uint64_t to, ParsePosition(range.to, kOwner));
  const auto partitions = static_cast<uint64_t>(spec_.partitions);
  for (uint64_t i = from; i < to; i += kBatchRows) {
    const size_t rows = std::min<uint64_t>(kBatchRows, to - i);
    ASSIGN_OR_RETURN(RecordBatch batch,
                     Make(i * partitions + static_cast<uint64_t>(range.partition), rows));
    RETURN_IF_ERROR(consumer->OnBatch(std::move(batch), static_cast<int64_t>(i - from)));
  }
  return OkStatus();
}

Result<RecordBatch> GeneratorSource::Make(uint64_t first, size_t rows) const {
  const EventRun run{first, static_cast<uint64_t>(spec_.partitions), rows, spec_.rate};
  if (!spec_.preset) return Evaluate(run);
  switch (*spec_.preset) {
    case api::GeneratorSource::Preset::kNexmark:
      return MakeNexmark(run, wanted_);
    case api::GeneratorSource::Preset::kYsb:
      return MakeYsb(run, wanted_);
  }
  return InternalError("unknown preset");
}

Result<RecordBatch> GeneratorSource::Evaluate(const EventRun& run) const {
  static const auto* const schema = new SchemaRef(std::make_shared<Schema>(SequenceEnv().fields));
  auto sequence = std::make_shared<Column>(Type(Kind::kInt));
  for (size_t row = 0; row < run.rows; ++row) {
    sequence->ints.push_back(static_cast<int64_t>(run.Event(row)));
  }
  sequence->set_size(run.rows);
  const RecordBatch input(*schema, {sequence}, run.rows);
  std::vector<ColumnRef> columns;
  for (size_t i = 0; i < programs_.size(); ++i) {
    const Field& field = (*wanted_)[i];
    if (programs_[i] == nullptr) {
      auto position = std::make_shared<Column>(field.type);
      position->uints.assign(sequence->ints.begin(), sequence->ints.end());
      position->set_size(run.rows);
      columns.push_back(std::move(position));
      continue;
    }
    std::vector<BadRecord> errors;
    columns.push_back(Prune(programs_[i]->Evaluate(input, nullptr, &errors), field.type));
    if (!errors.empty()) {
      return InvalidError("generator " + name_ + ", field " + field.name + " at seq " +
                          std::to_string(run.Event(errors.front().row)) + ": " +
                          errors.front().message);
    }
  }
  return RecordBatch(wanted_, std::move(columns), run.rows);
}

}  // namespace millrace::worker
