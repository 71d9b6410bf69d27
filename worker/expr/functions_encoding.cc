#include "crds/base/text.h"
#include "worker/expr/evaluator.h"
#include "worker/expr/function_table.h"

namespace millrace::worker {
namespace {

using Args = std::span<const Value>;

Value Encode(EvalContext& context, Args args) {
  return args[0].is_bytes() ? context.String(Base64Encode(args[0].text()))
                            : context.NoOverload(args);
}

// Padding may be missing.
Value Decode(EvalContext& context, Args args) {
  if (!args[0].is_string()) return context.NoOverload(args);
  std::string text(args[0].text());
  while (text.size() % 4 != 0) text.push_back('=');
  const Result<std::string> bytes = Base64Decode(text);
  return bytes.ok() ? context.Bytes(*bytes) : context.Error("the text is not base64");
}

}  // namespace

void AddEncodingFunctions(FunctionTable* table) {
  table->Add("base64.encode", false, Encode, {"base64_encode: (bytes) -> string"});
  table->Add("base64.decode", false, Decode, {"base64_decode: (string) -> bytes"});
}

}  // namespace millrace::worker
