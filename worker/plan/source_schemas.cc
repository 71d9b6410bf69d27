#include <algorithm>
#include <utility>

#include "worker/plan/logical.h"
#include "worker/source/factory.h"

// What sources give: declared fields and hidden ones.
namespace millrace::worker {

namespace {

// The fields of a generator some of whose expressions are wrong.
Schema RecoverGenerated(api::Source source, const Guess& guess) {
  auto* generator = std::get_if<api::GeneratorSource>(&source.kind);
  if (generator == nullptr) return Schema();
  Schema recovered;
  for (const auto& [name, text] : api::ExpressionMap(generator->fields)) {
    generator->fields = {{name, text}};
    api::Diagnostics ignored;
    const Result<Schema> alone = SourceSchema(source, &ignored, "");
    const int column = alone.ok() ? alone->Find(name) : -1;
    recovered.Set({name, column < 0 ? guess.type : (*alone)[static_cast<size_t>(column)].type});
  }
  return recovered;
}

}  // namespace

bool ReadsDeadLetters(const api::StreamingJob& job) {
  const auto from_dead = [](const auto& item) { return item.from == kDeadLetterStream; };
  const auto table_from_dead = [](const api::Table& table) {
    const auto* fed = std::get_if<api::StreamTable>(&table.kind);
    return fed != nullptr && fed->from == kDeadLetterStream;
  };
  return std::any_of(job.spec.streams.begin(), job.spec.streams.end(), from_dead) ||
         std::any_of(job.spec.sinks.begin(), job.spec.sinks.end(), from_dead) ||
         std::any_of(job.spec.tables.begin(), job.spec.tables.end(), table_from_dead);
}

SourceSchemas FullSourceSchemas(const api::StreamingJob& job, const Repair& repair,
                                api::Diagnostics* diagnostics) {
  SourceSchemas schemas;
  const bool dead_letters = ReadsDeadLetters(job);
  for (size_t i = 0; i < job.spec.sources.size(); ++i) {
    const api::Source& source = job.spec.sources[i];
    const std::string path = "spec.sources[" + std::to_string(i) + "]";
    const Remains remains = repair.damage.OfSource(source, path);
    api::Diagnostics found;
    Result<Schema> declared = SourceSchema(source, &found, path);
    if (!remains.open && remains.fields.empty())
      diagnostics->insert(diagnostics->end(), found.begin(), found.end());
    Schema schema = declared.ok() ? *std::move(declared) : RecoverGenerated(source, repair.guess);
    for (const std::string& name : remains.fields) schema.Set({name, repair.guess.type});
    schema.Set({std::string(kBatchTimeField), Type(Kind::kTimestamp)});
    schema.Set({std::string(kSourceField), Type(Kind::kString)});
    schema.Set(
        {std::string(kEventTimeField), Type(Kind::kTimestamp, !source.event_time.has_value())});
    schema.Set({std::string(kPositionField), Type(Kind::kUint)});
    if (dead_letters && source.format) schema.Set({std::string(kRawField), Type(Kind::kBytes)});
    schemas.push_back(std::move(schema));
  }
  return schemas;
}

SchemaRef PayloadSchema(const api::Source& source, const Schema& record) {
  const bool generated = !source.format.has_value();
  std::vector<Field> fields;
  for (const Field& field : record.fields()) {
    if (!Schema::IsHidden(field.name) || (generated && field.name == kPositionField))
      fields.push_back(field);
  }
  return std::make_shared<Schema>(std::move(fields));
}

SchemaRef WantedSchema(const Schema& record) {
  std::vector<Field> fields;
  for (const Field& field : record.fields()) {
    const bool ours = field.name == kBatchTimeField || field.name == kSourceField ||
                      field.name == kEventTimeField || field.name == kRawField;
    if (!ours) fields.push_back(field);
  }
  return std::make_shared<Schema>(std::move(fields));
}

}  // namespace millrace::worker
