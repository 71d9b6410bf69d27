#include <algorithm>
#include <optional>
#include <utility>

#include "crds/base/text.h"
#include "worker/step/column_tools.h"
#include "worker/step/field_expressions.h"
#include "worker/step/step.h"

namespace millrace::worker {
namespace {

struct LookupPlan {
  std::string origin;
  api::ErrorPolicy on_error = api::ErrorPolicy::kFail;
  std::string table;
  bool inner = false;
  std::string as;
  Type row_type;                    // struct of the table's fields
  std::vector<Field> key;           // the table's key fields, in its key order
  std::vector<ProgramRef> matches;  // one per key field
  SchemaRef schema;
};

class LookupStep final : public NarrowStep {
 public:
  explicit LookupStep(LookupPlan plan) : plan_(std::move(plan)) {}

  const SchemaRef& output_schema() const override { return plan_.schema; }
  std::vector<FieldUse> uses() const override {
    std::vector<FieldUse> uses;
    for (const ProgramRef& match : plan_.matches) {
      uses.insert(uses.end(), match->uses().begin(), match->uses().end());
    }
    return uses;
  }

  Result<RecordBatch> Apply(const RecordBatch& in, TaskRun* run) const override {
    const auto table = run->tables->find(plan_.table);
    if (table == run->tables->end() || table->second == nullptr) {
      return InternalError(plan_.origin + ": the plan names no version of table \"" + plan_.table +
                           "\"");
    }
    std::vector<BadRecord> errors;
    const std::vector<uint32_t> found = Find(in, *table->second, *run, &errors);
    std::vector<uint32_t> keep;
    bool all = true;
    RETURN_IF_ERROR(
        HandleRowErrors(plan_.on_error, plan_.origin, in, std::move(errors), run, &keep, &all));
    if (plan_.inner) KeepFound(found, &keep, &all);
    if (all) return Attach(in, found, table->second->rows());
    std::vector<uint32_t> kept_found;
    for (const uint32_t row : keep) kept_found.push_back(found[row]);
    return Attach(in.Gather(keep), kept_found, table->second->rows());
  }

 private:
  // Table row of each row of `in`, kNoRow where there is none.
  std::vector<uint32_t> Find(const RecordBatch& in, const TableVersion& table, const TaskRun& run,
                             std::vector<BadRecord>* errors) const {
    std::vector<ColumnRef> columns;
    std::vector<int> indexes;
    for (size_t i = 0; i < plan_.key.size(); ++i) {
      columns.push_back(plan_.matches[i]->Evaluate(in, run.table_lists, errors));
      indexes.push_back(static_cast<int>(i));
    }
    const std::vector<uint32_t> probes = RowsToProbe(columns, in.num_rows());
    for (size_t i = 0; i < columns.size(); ++i) {
      if (probes.size() < in.num_rows()) columns[i] = Gather(*columns[i], probes);
      columns[i] = AsRequired(columns[i], plan_.key[i].type);
    }
    const RecordBatch keys(std::make_shared<Schema>(plan_.key), std::move(columns), probes.size());
    Arena arena;
    std::vector<std::string_view> encoded;
    KeyEncoder(indexes).Encode(keys, &arena, &encoded);
    std::vector<int64_t> rows;
    table.Find(encoded, &rows);
    std::vector<uint32_t> found(in.num_rows(), kNoRow);
    for (size_t i = 0; i < probes.size(); ++i) {
      if (rows[i] >= 0) found[probes[i]] = static_cast<uint32_t>(rows[i]);
    }
    return found;
  }

  // Rows whose key has no null: a null matches nothing.
  static std::vector<uint32_t> RowsToProbe(const std::vector<ColumnRef>& columns, size_t num_rows) {
    std::vector<uint32_t> rows;
    rows.reserve(num_rows);
    for (size_t row = 0; row < num_rows; ++row) {
      const auto is_null = [row](const ColumnRef& column) { return column->IsNull(row); };
      if (std::none_of(columns.begin(), columns.end(), is_null)) {
        rows.push_back(static_cast<uint32_t>(row));
      }
    }
    return rows;
  }

  static void KeepFound(const std::vector<uint32_t>& found, std::vector<uint32_t>* keep,
                        bool* all) {
    if (*all) {
      if (std::find(found.begin(), found.end(), kNoRow) == found.end()) return;
      for (size_t row = 0; row < found.size(); ++row) {
        if (found[row] != kNoRow) keep->push_back(static_cast<uint32_t>(row));
      }
    } else {
      std::erase_if(*keep, [&](uint32_t row) { return found[row] == kNoRow; });
    }
    *all = false;
  }

  RecordBatch Attach(const RecordBatch& in, std::span<const uint32_t> found,
                     const RecordBatch& table) const {
    std::vector<ColumnRef> members;
    for (const Field& field : plan_.row_type.fields()) {
      const Column& column = table.column(table.schema().Find(field.name));
      members.push_back(GatherOrBlank(column, found));
    }
    ColumnRef looked_up = StructOf(plan_.row_type, std::move(members), found);
    std::vector<ColumnRef> columns;
    for (const Field& field : plan_.schema->fields()) {
      columns.push_back(field.name == plan_.as ? looked_up
                                               : in.column_ref(in.schema().Find(field.name)));
    }
    return RecordBatch(plan_.schema, std::move(columns), in.num_rows());
  }

  LookupPlan plan_;
};

const TableDeclaration* FindTable(const StepEnv& env, const std::string& name) {
  std::vector<std::string> known;
  for (const TableDeclaration& table : env.tables) {
    if (table.name == name) return &table;
    known.push_back(table.name);
  }
  std::string message = "no table \"" + name + "\"; there is: " + Join(known, ", ") + ".";
  if (known.empty()) message = "no table \"" + name + "\"; spec.tables is empty.";
  if (const auto near = ClosestName(name, known)) message += " Did you mean \"" + *near + "\"?";
  AddErrorOnce(env, env.path + ".table", std::move(message));
  return nullptr;
}

// match must name the key fields of the table, all of them and nothing else.
bool CheckMatch(const StepEnv& env, const api::LookupStep& spec,
                const std::vector<std::string>& key) {
  bool good = true;
  for (const auto& [name, text] : spec.match) {
    if (std::find(key.begin(), key.end(), name) != key.end()) continue;
    std::string message = "\"" + name + "\" is no key field of table \"" + spec.table +
                          "\"; its key is: " + Join(key, ", ") + ".";
    if (const auto near = ClosestName(name, key)) message += " Did you mean \"" + *near + "\"?";
    api::AddError(env.diagnostics, env.path + ".match." + name, std::move(message));
    good = false;
  }
  for (const std::string& name : key) {
    if (spec.match.contains(name)) continue;
    api::AddError(env.diagnostics, env.path + ".match",
                  "key field \"" + name + "\" of table \"" + spec.table + "\" is missing");
    good = false;
  }
  return good;
}

}  // namespace

std::unique_ptr<NarrowStep> MakeLookupStep(const api::LookupStep& spec, const StepEnv& env) {
  RefuseSetNull(env);
  const TableDeclaration* table = FindTable(env, spec.table);
  const auto key = env.table_keys.find(spec.table);
  if (table == nullptr || key == env.table_keys.end()) return nullptr;
  bool good = CheckMatch(env, spec, key->second) && env.on_error != api::ErrorPolicy::kSetNull;
  LookupPlan plan;
  plan.origin = env.origin;
  plan.on_error = env.on_error;
  plan.table = spec.table;
  plan.inner = spec.type == api::LookupStep::Type::kInner;
  for (const std::string& name : key->second) {
    const auto match = spec.match.find(name);
    const int column = table->schema.Find(name);
    if (match == spec.match.end() || column < 0) continue;
    const Type expected = table->schema[column].type.AsNullable();
    plan.key.push_back(table->schema[column]);
    plan.matches.push_back(CompileExpression(env, InputNames(env), match->second,
                                             env.path + ".match." + name, &expected));
    good &= plan.matches.back() != nullptr;
  }
  plan.as = spec.as.empty() ? spec.table : spec.as;
  good &= CheckNewField(env, env.input.schema, plan.as, env.path + ".as");
  if (!good) return nullptr;
  plan.row_type = table->schema.AsStruct();
  if (!plan.inner) plan.row_type = plan.row_type.AsNullable();
  Schema schema = env.input.schema;
  schema.Set({plan.as, plan.row_type});
  plan.schema = std::make_shared<Schema>(std::move(schema));
  return std::make_unique<LookupStep>(std::move(plan));
}

}  // namespace millrace::worker
