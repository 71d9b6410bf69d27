#include "worker/plan/expression_texts.h"

#include <algorithm>
#include <vector>

namespace millrace::worker {
namespace {

void AddTexts(const api::ExpressionMap& map, std::vector<const std::string*>* out) {
  for (const auto& [field, text] : map) out->push_back(&text);
}

// The step's expressions that may read tables.<name>.
std::vector<const std::string*> ExpressionsOf(const api::StepKind& kind) {
  std::vector<const std::string*> texts;
  if (const auto* step = std::get_if<api::MapStep>(&kind)) AddTexts(step->fields, &texts);
  if (const auto* step = std::get_if<api::SetStep>(&kind)) AddTexts(step->fields, &texts);
  if (const auto* step = std::get_if<api::FlatMapStep>(&kind)) texts.push_back(&step->list);
  if (const auto* step = std::get_if<api::FilterStep>(&kind)) texts.push_back(&step->condition);
  if (const auto* step = std::get_if<api::AggregateStep>(&kind)) AddTexts(step->values, &texts);
  if (const auto* step = std::get_if<api::LookupStep>(&kind)) AddTexts(step->match, &texts);
  if (const auto* step = std::get_if<api::StateStep>(&kind)) {
    AddTexts(step->update, &texts);
    AddTexts(step->output.fields, &texts);
    texts.push_back(&step->output.when);
  }
  return texts;
}

bool MentionsList(const api::StepKind& kind, const std::string& table) {
  const std::string needle = "tables." + table;
  const std::vector<const std::string*> texts = ExpressionsOf(kind);
  return std::any_of(texts.begin(), texts.end(), [&](const std::string* text) { return text->find(needle) != std::string::npos; });
}

}  // namespace

bool ReadsTable(const api::StepKind& kind, const std::string& table) {
  if (const auto* step = std::get_if<api::LookupStep>(&kind); step != nullptr && step->table == table) return true;
  if (const auto* step = std::get_if<api::StateStep>(&kind); step != nullptr && step->initial == table) return true;
  return MentionsList(kind, table);
}

std::set<std::string> TablesReadAsLists(const api::StreamingJob& job) {
  std::set<std::string> names;
  for (const api::Table& table : job.spec.tables) {
    for (const api::Stream& stream : job.spec.streams) {
      for (const api::Step& step : stream.steps) {
        if (MentionsList(step.kind, table.name)) names.insert(table.name);
      }
    }
  }
  return names;
}

}  // namespace millrace::worker
