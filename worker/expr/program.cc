#include "worker/expr/program.h"

#include <algorithm>

#include "crds/base/text.h"
#include "worker/expr/checker.h"
#include "worker/expr/column_value.h"
#include "worker/expr/evaluator.h"
#include "worker/expr/field_use.h"
#include "worker/expr/kernel_merge.h"
#include "worker/expr/kernel_rows.h"
#include "worker/expr/parser.h"
#include "worker/expr/type_solver.h"

namespace millrace::worker {
namespace {

std::string Name(const Type& type) { return TypeText(type); }

// Whether a result of type `actual` can be stored as `expected`; `why` says what to do where it
// cannot.
bool Storable(const Type& expected, const Type& actual, std::string* why) {
  if (expected.kind() == Kind::kJson) return true;
  if (actual.kind() == Kind::kJson) {
    *why = "; wrap it in int(), double() or string()";
    return false;
  }
  if (actual.nullable() && !expected.nullable()) {
    *why = "; it may be null: use coalesce(x, y)";
    return false;
  }
  if (actual.kind() != expected.kind()) {
    if (actual.is_numeric() && expected.is_numeric())
      *why = "; convert it with " + Name(expected.AsRequired()) + "()";
    return false;
  }
  if (actual.kind() == Kind::kList) return Storable(expected.element(), actual.element(), why);
  if (actual.kind() == Kind::kMap) return Storable(expected.map_value(), actual.map_value(), why);
  if (actual.kind() != Kind::kStruct) return true;
  if (actual.fields().size() != expected.fields().size()) return false;
  return std::ranges::all_of(expected.fields(), [&](const Field& field) {
    const int index = actual.FindField(field.name);
    return index >= 0 &&
           Storable(field.type, actual.fields()[static_cast<size_t>(index)].type, why);
  });
}

// The column type of the result; an error at the root where there is none.
bool ResultType(const Expr& root, const Type* expected, Type* type,
                std::vector<ExprError>* errors) {
  if (!StorageType(root.type, type)) {
    errors->push_back(
        {root.begin, "a result of type " + Name(root.type) + " cannot be stored in a field"});
    return false;
  }
  std::string why;
  if (expected == nullptr) return true;
  if (root.type.kind() == Kind::kNull ? !expected->nullable() && expected->kind() != Kind::kJson
                                      : !Storable(*expected, *type, &why)) {
    errors->push_back(
        {root.begin, "expected " + Name(*expected) + ", found " + Name(root.type) + why});
    return false;
  }
  *type = *expected;
  return true;
}

const Expr* FindByOffset(const Expr& node, int offset) {
  for (const ExprPtr& arg : node.args) {
    if (const Expr* found = FindByOffset(*arg, offset); found != nullptr) return found;
  }
  return node.offset == offset ? &node : nullptr;
}

// "division by zero in \"a / b\"".
std::string DescribeError(const Ast& ast, const Value& error) {
  std::string message(error.text());
  const Expr* node = FindByOffset(*ast.root, error.error_offset());
  if (node == nullptr || node == ast.root.get()) return message;
  const std::string_view text = std::string_view(ast.text).substr(static_cast<size_t>(node->begin));
  return message + " in \"" +
         Excerpt(text.substr(0, static_cast<size_t>(node->end - node->begin)), 60) + "\"";
}

// One table as the list of its rows, in columns: the rows' structs share the table's columns.
std::shared_ptr<Column> TableColumn(const RecordBatch& rows) {
  auto structs = std::make_shared<Column>(rows.schema().AsStruct());
  for (size_t i = 0; i < rows.num_columns(); ++i)
    structs->children[i] = std::const_pointer_cast<Column>(rows.column_ref(i));
  structs->set_size(rows.num_rows());
  auto list = std::make_shared<Column>(Type::List(structs->type()));
  list->children[0] = std::move(structs);
  list->offsets = {0, static_cast<uint32_t>(rows.num_rows())};
  list->set_size(1);
  return list;
}

// The kernel, where it yields columns of the result's type.
std::unique_ptr<const Kernel> BuildKernel(const Ast& ast, const Type& type) {
  Evaluator evaluator(ast);
  EvaluatorRows constants(&evaluator, {}, {});
  std::unique_ptr<const Kernel> kernel = Kernel::Build(*ast.root, &constants);
  if (kernel == nullptr) return nullptr;
  const Type& made = kernel->type();
  const bool json = made.kind() == Kind::kDyn && type.kind() == Kind::kJson;
  return json || made.AsRequired() == type.AsRequired() ? std::move(kernel) : nullptr;
}

}  // namespace

struct Program::Impl {
  std::unique_ptr<Ast> ast;
  ExprEnv env;
  std::vector<int> fields;  // read by the expression
  std::vector<int> tables;
  std::unique_ptr<const Kernel> kernel;  // nullptr: every row goes through the evaluator
};

namespace {

// The sources of one Evaluate call: columns by field position, tables as lists.
class RowInputs {
 public:
  RowInputs(const ExprEnv& env, std::span<const int> fields, std::span<const int> tables,
            const RecordBatch& batch, const TableLists* lists)
      : columns_(env.fields.size(), nullptr),
        fields_(env.fields.size()),
        tables_(env.tables.size()) {
    for (int field : fields) {
      const auto i = static_cast<size_t>(field);
      const int column = batch.schema().Find(env.fields[i].name);
      CHECK(column >= 0);
      fields_[i] = batch.column_ref(static_cast<size_t>(column));
      columns_[i] = fields_[i].get();
    }
    for (int table : tables) {
      const auto i = static_cast<size_t>(table);
      CHECK(lists != nullptr);
      const auto found = std::ranges::find(lists->tables, env.tables[i].name,
                                           [](const auto& entry) { return entry.first; });
      CHECK(found != lists->tables.end());
      table_columns_.push_back(TableColumn(found->second));
      tables_[i] = Value::OfColumn(ValueKind::kList, table_columns_.back().get(), 0);
    }
  }

  EvalInput At(size_t row) const { return {columns_, row, {}, tables_}; }
  std::span<const ColumnRef> fields() const { return fields_; }
  EvaluatorRows Rows(Evaluator* evaluator) const { return {evaluator, columns_, tables_}; }

 private:
  std::vector<const Column*> columns_;
  std::vector<ColumnRef> fields_;  // the same, for kernels
  std::vector<Value> tables_;
  std::vector<std::shared_ptr<Column>> table_columns_;
};

}  // namespace

Program::Program(std::unique_ptr<Impl> impl, Type type, std::vector<FieldUse> uses)
    : impl_(std::move(impl)), type_(std::move(type)), uses_(std::move(uses)) {}
Program::~Program() = default;

Result<std::shared_ptr<const Program>> Program::Compile(std::string_view text, const ExprEnv& env,
                                                        std::vector<ExprError>* errors,
                                                        const Type* expected) {
  const size_t before = errors->size();
  const auto failed = [errors, before] {
    const ExprError& first = (*errors)[before];
    return InvalidError("expression, at offset " + std::to_string(first.offset) + ": " +
                        first.message);
  };
  auto impl = std::make_unique<Impl>();
  impl->ast = ParseExpr(text, errors);
  if (impl->ast == nullptr) return failed();
  impl->env = env;
  if (!CheckExpr(impl->ast.get(), impl->env, CheckMode::kStrict, expected, errors)) return failed();
  Type type;
  if (!ResultType(*impl->ast->root, expected, &type, errors)) return failed();
  impl->fields = UsedFields(*impl->ast->root);
  impl->tables = UsedTables(*impl->ast->root);
  std::vector<FieldUse> uses = CollectUses(*impl->ast->root);
  impl->kernel = BuildKernel(*impl->ast, type);
  return std::shared_ptr<const Program>(
      new Program(std::move(impl), std::move(type), std::move(uses)));
}

std::vector<std::string> Program::used_tables() const {
  std::vector<std::string> names;
  for (int table : impl_->tables)
    names.push_back(impl_->env.tables[static_cast<size_t>(table)].name);
  return names;
}

ColumnRef Program::Evaluate(const RecordBatch& batch, const TableLists* tables,
                            std::vector<BadRecord>* errors) const {
  const RowInputs inputs(impl_->env, impl_->fields, impl_->tables, batch, tables);
  Evaluator evaluator(*impl_->ast);
  ColumnWriter writer(type_);
  const auto evaluate = [&](size_t row) {
    const Value value = evaluator.Run(inputs.At(row));
    Status status;
    if (!value.is_error()) status = writer.Append(&evaluator.context().arena(), value);
    if (!value.is_error() && status.ok()) return;
    errors->push_back(
        {row, value.is_error() ? DescribeError(*impl_->ast, value) : status.message()});
    writer.AppendNull();
  };
  if (impl_->kernel == nullptr) {
    for (size_t row = 0; row < batch.num_rows(); ++row) evaluate(row);
    return writer.Take();
  }
  EvaluatorRows rows = inputs.Rows(&evaluator);
  KernelResult result = impl_->kernel->Run(batch.num_rows(), inputs.fields(), &rows);
  AddDoubtfulRows(type_, &result);
  if (result.slow_rows.empty()) return AsType(std::move(result.column), type_);
  for (const uint32_t row : result.slow_rows) evaluate(row);
  return MergeSlowRows(result, *writer.Take());
}

void Program::Select(const RecordBatch& batch, const TableLists* tables,
                     std::vector<uint32_t>* rows, std::vector<BadRecord>* errors) const {
  const RowInputs inputs(impl_->env, impl_->fields, impl_->tables, batch, tables);
  Evaluator evaluator(*impl_->ast);
  const auto is_true = [&](size_t row) {
    const Value value = evaluator.Run(inputs.At(row));
    if (value.is_error()) {
      errors->push_back({row, DescribeError(*impl_->ast, value)});
    } else if (!value.is_bool() && !value.is_null()) {
      errors->push_back({row, "the condition is " + std::string(TypeNameOf(value)) + ", not bool"});
    }
    return value.is_true();
  };
  if (impl_->kernel == nullptr || impl_->kernel->type().kind() != Kind::kBool) {
    for (size_t row = 0; row < batch.num_rows(); ++row) {
      if (is_true(row)) rows->push_back(static_cast<uint32_t>(row));
    }
    return;
  }
  EvaluatorRows row_evaluator = inputs.Rows(&evaluator);
  const KernelResult result = impl_->kernel->Run(batch.num_rows(), inputs.fields(), &row_evaluator);
  const std::vector<uint32_t> fast = TrueRows(result);
  std::vector<uint32_t> slow;
  for (const uint32_t row : result.slow_rows) {
    if (is_true(row)) slow.push_back(row);
  }
  std::ranges::merge(fast, slow, std::back_inserter(*rows));
}

}  // namespace millrace::worker
