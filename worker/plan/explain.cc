#include <algorithm>
#include <functional>

#include "crds/base/json_writer.h"
#include "crds/base/text.h"
#include "worker/plan/job_plan.h"

namespace millrace::worker {
namespace {

const Pipeline& PipelineOf(const StageSpec& stage) {
  if (const auto* input = dynamic_cast<const InputStage*>(stage.logic.get()))
    return input->pipeline();
  if (const auto* keyed = dynamic_cast<const KeyedStage*>(stage.logic.get()))
    return keyed->pipeline();
  return static_cast<const RelayStage&>(*stage.logic).pipeline();
}

std::string EndName(const api::StreamingJob& job, const PlanEnd& end) {
  return end.kind == PlanEnd::Kind::kSink ? "sink " + job.spec.sinks[end.index].name
                                          : "table " + job.spec.tables[end.index].name;
}

const PlanOperation* FindOperation(const JobPlan& plan, const std::string& id) {
  const auto it = std::find_if(plan.operations.begin(), plan.operations.end(),
                               [&](const PlanOperation& o) { return o.id == id; });
  return it == plan.operations.end() ? nullptr : &*it;
}

std::string UnitsText(const StageSpec& stage, bool input) {
  if (input && stage.units == 0) return "a unit each partition";
  if (input) return std::to_string(stage.units) + (stage.units == 1 ? " partition" : " partitions");
  return std::to_string(stage.units) + (stage.units == 1 ? " key group" : " key groups");
}

// "stage 1  counts.aggregate  tumbling 10s by word   [128 key groups]" with its pipeline below.
class TreeDrawing {
 public:
  TreeDrawing(const api::StreamingJob& job, const JobPlan& plan) : job_(job), plan_(plan) {}

  std::string Draw() {
    text_ = "job " + job_.metadata.name + ": batch interval " +
            FormatDuration(job_.spec.batch_interval) + ", " +
            std::to_string(job_.spec.max_parallelism) + " key groups\n";
    for (size_t i = 0; i < plan_.graph.stages.size(); ++i) DrawStage(i);
    return text_;
  }

 private:
  void DrawStage(size_t index) {
    const StageSpec& stage = plan_.graph.stages[index];
    const bool input = stage.input_edges.empty();
    text_ += "\nstage " + std::to_string(index) + ": " + stage.description + "  [" +
             UnitsText(stage, input) + "]\n";
    const Pipeline& pipeline = PipelineOf(stage);
    DrawNode(pipeline, 0, "");
  }

  std::string Label(const Pipeline::Node& node) const {
    const PlanOperation* operation = FindOperation(plan_, node.name);
    if (operation == nullptr) return node.name;
    std::string label = node.name;
    if (node.step != nullptr && !operation->description.empty() &&
        !label.ends_with(operation->description))
      label += " (" + operation->description + ")";
    return label + "  " + operation->schema.ToString();
  }

  void DrawNode(const Pipeline& pipeline, int index, const std::string& indent) {
    const Pipeline::Node& node = pipeline.nodes()[index];
    if (index == 0) text_ += indent + Label(node) + "\n";
    struct Line {
      std::string label;
      int child;
    };
    std::vector<Line> lines;
    for (const int child : node.children) lines.push_back({Label(pipeline.nodes()[child]), child});
    for (const Pipeline::Exchange& exchange : node.exchanges) {
      const EdgeSpec& edge = plan_.graph.edges[exchange.edge];
      lines.push_back({"=> exchange " + std::to_string(exchange.edge) + " to stage " +
                           std::to_string(edge.target_stage) + ": " + edge.description,
                       -1});
    }
    for (const int end : node.ends) lines.push_back({"-> " + EndName(job_, plan_.ends[end]), -1});
    for (size_t i = 0; i < lines.size(); ++i) {
      const bool last = i + 1 == lines.size();
      text_ += indent + (last ? "`- " : "|- ") + lines[i].label + "\n";
      if (lines[i].child >= 0) DrawNode(pipeline, lines[i].child, indent + (last ? "   " : "|  "));
    }
  }

  const api::StreamingJob& job_;
  const JobPlan& plan_;
  std::string text_;
};

// Nodes and arrows of the stage graph, for dot, mermaid and json.
struct Arrow {
  std::string from, to, label;
};

std::vector<Arrow> Arrows(const JobPlan& plan) {
  std::vector<Arrow> arrows;
  for (size_t i = 0; i < plan.graph.stages.size(); ++i) {
    const std::string from = "stage" + std::to_string(i);
    for (const Pipeline::Node& node : PipelineOf(plan.graph.stages[i]).nodes()) {
      for (const Pipeline::Exchange& exchange : node.exchanges) {
        const EdgeSpec& edge = plan.graph.edges[exchange.edge];
        arrows.push_back({from, "stage" + std::to_string(edge.target_stage), edge.description});
      }
      for (const int end : node.ends) {
        const PlanEnd& target = plan.ends[end];
        const std::string prefix = target.kind == PlanEnd::Kind::kSink ? "sink" : "table";
        arrows.push_back({from, prefix + std::to_string(target.index), target.stream});
      }
    }
  }
  return arrows;
}

std::vector<std::pair<std::string, std::string>> Nodes(const api::StreamingJob& job,
                                                       const JobPlan& plan) {
  std::vector<std::pair<std::string, std::string>> nodes;
  for (size_t i = 0; i < plan.graph.stages.size(); ++i) {
    const StageSpec& stage = plan.graph.stages[i];
    nodes.emplace_back("stage" + std::to_string(i),
                       stage.id + ": " + UnitsText(stage, stage.input_edges.empty()));
  }
  for (const PlanEnd& end : plan.ends) {
    const std::string prefix = end.kind == PlanEnd::Kind::kSink ? "sink" : "table";
    nodes.emplace_back(prefix + std::to_string(end.index), EndName(job, end));
  }
  return nodes;
}

std::string DrawDot(const api::StreamingJob& job, const JobPlan& plan) {
  std::string text =
      "digraph " + JsonQuote(job.metadata.name) + " {\n  rankdir=LR;\n  node [shape=box];\n";
  for (const auto& [id, label] : Nodes(job, plan))
    text += "  " + id + " [label=" + JsonQuote(label) + "];\n";
  for (const Arrow& arrow : Arrows(plan))
    text += "  " + arrow.from + " -> " + arrow.to + " [label=" + JsonQuote(arrow.label) + "];\n";
  return text + "}\n";
}

std::string MermaidText(std::string text) {
  for (char& c : text) {
    if (c == '"') c = '\'';
  }
  return "\"" + text + "\"";
}

std::string DrawMermaid(const api::StreamingJob& job, const JobPlan& plan) {
  std::string text = "flowchart LR\n";
  for (const auto& [id, label] : Nodes(job, plan))
    text += "  " + id + "[" + MermaidText(label) + "]\n";
  for (const Arrow& arrow : Arrows(plan))
    text += "  " + arrow.from + " -->|" + MermaidText(arrow.label) + "| " + arrow.to + "\n";
  return text;
}

void WriteSchema(const Schema& schema, JsonWriter* out) {
  out->BeginObject();
  for (const Field& field : schema.fields()) {
    if (Schema::IsHidden(field.name)) continue;
    out->Key(field.name);
    out->String(field.type.ToString());
  }
  out->EndObject();
}

std::string DrawJson(const api::StreamingJob& job, const JobPlan& plan) {
  JsonWriter out;
  out.BeginObject();
  out.Key("job");
  out.String(job.metadata.name);
  out.Key("stages");
  out.BeginArray();
  for (const StageSpec& stage : plan.graph.stages) {
    out.BeginObject();
    out.Key("id");
    out.String(stage.id);
    out.Key("description");
    out.String(stage.description);
    out.Key("units");
    out.Int(stage.units);
    out.Key("stateful");
    out.Bool(stage.logic->stateful());
    out.EndObject();
  }
  out.EndArray();
  out.Key("operations");
  out.BeginArray();
  for (const PlanOperation& operation : plan.operations) {
    out.BeginObject();
    out.Key("id");
    out.String(operation.id);
    out.Key("description");
    out.String(operation.description);
    out.Key("inputs");
    out.BeginArray();
    for (const std::string& input : operation.inputs) out.String(input);
    out.EndArray();
    out.Key("schema");
    WriteSchema(operation.schema, &out);
    out.EndObject();
  }
  out.EndArray();
  out.Key("arrows");
  out.BeginArray();
  for (const Arrow& arrow : Arrows(plan)) {
    out.BeginObject();
    out.Key("from");
    out.String(arrow.from);
    out.Key("to");
    out.String(arrow.to);
    out.Key("label");
    out.String(arrow.label);
    out.EndObject();
  }
  out.EndArray();
  out.EndObject();
  return out.Take() + "\n";
}

}  // namespace

std::string Explain(const api::StreamingJob& job, const JobPlan& plan, ExplainFormat format) {
  switch (format) {
    case ExplainFormat::kTree:
      return TreeDrawing(job, plan).Draw();
    case ExplainFormat::kDot:
      return DrawDot(job, plan);
    case ExplainFormat::kMermaid:
      return DrawMermaid(job, plan);
    case ExplainFormat::kJson:
      return DrawJson(job, plan);
  }
  return "";
}

}  // namespace millrace::worker
