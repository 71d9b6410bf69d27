#include "worker/plan/expression_texts.h"

#include <algorithm>
#include <vector>

namespace millrace::worker {
namespace {

void AddTexts(const api::ExpressionMap& map, std::vector<std::string>* out) {
  for (const auto& [field, text] : map) out->push_back(text);
}

void AddText(const std::optional<api::Expression>& text, std::vector<std::string>* out) {
  if (text) out->push_back(*text);
}

void AddAll(const std::vector<std::string>& names, std::vector<std::string>* out) {
  out->insert(out->end(), names.begin(), names.end());
}

struct Texts {
  void operator()(const api::MapStep& step) { AddTexts(step.fields, &out); }
  void operator()(const api::SetStep& step) { AddTexts(step.fields, &out); }
  void operator()(const api::FlatMapStep& step) { out.push_back(step.list); }
  void operator()(const api::FilterStep& step) { out.push_back(step.condition); }
  void operator()(const api::AggregateStep& step) {
    AddTexts(step.values, &out);
    AddText(step.delete_when, &out);
  }
  void operator()(const api::TopStep& step) {
    for (const api::OrderBy& order : step.order_by) out.push_back(order.value);
  }
  void operator()(const api::LookupStep& step) { AddTexts(step.match, &out); }
  void operator()(const api::StateStep& step) {
    AddTexts(step.update, &out);
    AddTexts(step.output.fields, &out);
    out.push_back(step.output.when);
    AddText(step.remove_when, &out);
    AddText(step.order_expr, &out);
    if (step.timeout) AddText(step.timeout->at_expr, &out);
    if (!step.on_timeout) return;
    AddTexts(step.on_timeout->fields, &out);
    out.push_back(step.on_timeout->when);
  }
  void operator()(const api::DropStep&) {}
  void operator()(const api::UnionStep&) {}
  void operator()(const api::JoinStep&) {}
  void operator()(const api::DedupStep&) {}
  void operator()(const api::SampleStep&) {}
  void operator()(const api::RepartitionStep&) {}

  std::vector<std::string> out;
};

bool MentionsList(const api::StepKind& kind, const std::string& table) {
  const std::string needle = "tables." + table;
  const std::vector<std::string> texts = ExpressionsOf(kind);
  return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) {
    return text.find(needle) != std::string::npos;
  });
}

}  // namespace

std::vector<std::string> ExpressionsOf(const api::StepKind& kind) {
  Texts texts;
  std::visit(texts, kind);
  return std::move(texts.out);
}

std::vector<std::string> ExpressionsOf(const api::Sink& sink) {
  std::vector<std::string> out;
  if (const auto* file = std::get_if<api::FileSink>(&sink.kind)) AddText(file->path_expr, &out);
  if (const auto* kafka = std::get_if<api::KafkaSink>(&sink.kind)) {
    for (const auto* text : {&kafka->topic_expr, &kafka->key_expr, &kafka->timestamp_expr,
                             &kafka->partition_expr, &kafka->delete_when}) {
      AddText(*text, &out);
    }
    AddTexts(kafka->header_exprs, &out);
  }
  if (const auto* redis = std::get_if<api::RedisSink>(&sink.kind)) {
    out.push_back(redis->key_expr);
    for (const auto* text : {&redis->value_expr, &redis->score_expr, &redis->delete_when})
      AddText(*text, &out);
  }
  if (const auto* sql = std::get_if<api::SqlSink>(&sink.kind)) AddText(sql->delete_when, &out);
  if (const auto* search = std::get_if<api::ElasticsearchSink>(&sink.kind)) {
    for (const auto* text : {&search->index_expr, &search->id_expr, &search->delete_when})
      AddText(*text, &out);
  }
  return out;
}

std::vector<std::string> FieldsNamedBy(const api::StepKind& kind) {
  std::vector<std::string> names;
  if (const auto* step = std::get_if<api::DropStep>(&kind)) AddAll(step->fields, &names);
  if (const auto* step = std::get_if<api::AggregateStep>(&kind)) {
    AddAll(step->key, &names);
    AddAll(step->latest_by, &names);
  }
  if (const auto* step = std::get_if<api::TopStep>(&kind)) AddAll(step->key, &names);
  if (const auto* step = std::get_if<api::JoinStep>(&kind)) AddAll(step->key, &names);
  if (const auto* step = std::get_if<api::DedupStep>(&kind)) AddAll(step->key, &names);
  if (const auto* step = std::get_if<api::StateStep>(&kind)) AddAll(step->key, &names);
  if (const auto* step = std::get_if<api::RepartitionStep>(&kind)) AddAll(step->key, &names);
  return names;
}

bool ReadsTable(const api::StepKind& kind, const std::string& table) {
  if (const auto* step = std::get_if<api::LookupStep>(&kind);
      step != nullptr && step->table == table)
    return true;
  if (const auto* step = std::get_if<api::StateStep>(&kind);
      step != nullptr && step->initial == table)
    return true;
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
