// Runs files of CEL test vectors: `cel_conformance --vectors FILE`. Prints each vector that fails
// and, last, a line "N passed, M failed, K skipped"; exits with 0 only when none failed.

#include <cmath>
#include <iostream>

#include "tests/conformance/cel_vectors.h"
#include "worker/expr/checker.h"
#include "worker/expr/evaluator.h"
#include "worker/expr/json_value.h"
#include "worker/expr/parser.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

// Strict comparison: kinds count, and NaN is NaN.
bool Same(ValueArena* arena, const Value& want, const Value& got) {
  if (want.kind() != got.kind()) return false;
  if (want.is_double() && std::isnan(want.real())) return std::isnan(got.real());
  return ValuesEqual(arena, want, got);
}

std::string Text(ValueArena* arena, const Value& value) {
  std::string text(TypeNameOf(value));
  text += " ";
  if (value.is_error() || value.kind() == ValueKind::kType) return text + std::string(value.text());
  const Status status = WriteJson(arena, value, &text);
  return status.ok() ? text : text + "(" + status.message() + ")";
}

ExprEnv EnvOf(const CelVector& vector) {
  std::vector<Field> fields;
  for (const CelBinding& binding : vector.bindings)
    fields.push_back({binding.name, Type(Kind::kDyn)});
  return {Schema(std::move(fields)), {}};
}

// Empty when the vector holds, else what went wrong.
std::string Check(const CelVector& vector) {
  const ExprEnv env = EnvOf(vector);
  std::vector<ExprError> errors;
  const std::unique_ptr<Ast> ast = ParseExpr(vector.expr, &errors);
  const CheckMode mode = vector.unchecked ? CheckMode::kDynamic : CheckMode::kStrict;
  if (ast == nullptr || !CheckExpr(ast.get(), env, mode, nullptr, &errors)) {
    return vector.fails ? "" : "does not compile: " + errors[0].message;
  }
  std::vector<Value> values;
  for (const CelBinding& binding : vector.bindings) values.push_back(binding.value);
  Evaluator evaluator(*ast);
  const Value got = evaluator.Run({{}, 0, values, {}});
  ValueArena* arena = &evaluator.context().arena();
  if (vector.fails) return got.is_error() ? "" : "want an error, got " + Text(arena, got);
  if (Same(arena, vector.value, got)) return "";
  return "want " + Text(arena, vector.value) + ", got " + Text(arena, got);
}

int Run(const std::string& path) {
  const Result<CelVectors> vectors = CelVectors::Read(path);
  if (!vectors.ok()) {
    std::cerr << vectors.status().message() << "\n";
    return 2;
  }
  size_t failed = 0;
  for (const CelVector& vector : vectors->all()) {
    const std::string problem = Check(vector);
    if (problem.empty()) continue;
    ++failed;
    std::cout << vector.id << ": " << vector.expr << ": " << problem << "\n";
  }
  std::cout << vectors->all().size() - failed << " passed, " << failed << " failed, 0 skipped\n";
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace millrace::worker

int main(int argc, char** argv) {
  if (argc != 3 || std::string_view(argv[1]) != "--vectors") {
    std::cerr << "usage: cel_conformance --vectors FILE\n";
    return 2;
  }
  return millrace::worker::Run(argv[2]);
}
