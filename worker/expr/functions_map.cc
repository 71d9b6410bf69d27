#include "crds/base/text.h"
#include "worker/data/key_format.h"
#include "worker/data/record_batch.h"
#include "worker/expr/evaluator.h"
#include "worker/expr/function_table.h"
#include "worker/expr/json_value.h"
#include "worker/expr/time_text.h"
#include "worker/expr/typed_json.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

using Args = std::span<const Value>;

Value Put(EvalContext& context, Args args) {
  if (!args[0].is_map() || !IsMapKey(args[1])) return context.NoOverload(args);
  std::vector<MapEntry> entries;
  bool replaced = false;
  for (const MapEntry& entry : MapOf(&context.arena(), args[0]).all()) {
    const bool same = ValuesEqual(&context.arena(), entry.key, args[1]);
    entries.push_back(same ? MapEntry{entry.key, args[2]} : entry);
    replaced = replaced || same;
  }
  if (!replaced) entries.push_back({args[1], args[2]});
  if (entries.size() > kMaxListElements)
    return context.Error("the map has more than 1,000,000 entries");
  return MakeMap(&context.arena(), entries).value_or(Value());
}

Value Without(EvalContext& context, Args args) {
  if (!args[0].is_map()) return context.NoOverload(args);
  std::vector<MapEntry> entries;
  for (const MapEntry& entry : MapOf(&context.arena(), args[0]).all()) {
    if (!ValuesEqual(&context.arena(), entry.key, args[1])) entries.push_back(entry);
  }
  return MakeMap(&context.arena(), entries).value_or(Value());
}

Value Coalesce(EvalContext&, Args args) {
  for (const Value& arg : args) {
    if (!arg.is_null()) return arg;
  }
  return {};
}

void AppendOrdered(uint64_t ordered, std::string* out) {
  char raw[8];
  key_format::PutBigEndian(ordered, raw);
  out->append(raw, sizeof raw);
}

// The bytes that hash() hashes: what KeyEncoder writes for a column of non-null values of this
// kind. Elements of lists and maps carry a presence byte, since they may be null.
void AppendHashed(ValueArena* arena, const Value& value, bool bare, std::string* out) {
  int64_t micros = 0;
  if (value.is_bool()) {
    out->push_back(value.boolean() ? '\x01' : '\x00');
  } else if (value.is_int()) {
    AppendOrdered(key_format::OrderedInt(value.integer()), out);
  } else if (value.is_uint()) {
    AppendOrdered(value.unsigned_integer(), out);
  } else if (value.is_double()) {
    AppendOrdered(key_format::OrderedDouble(value.real()), out);
  } else if ((value.is_timestamp() || value.is_duration()) && ToMicros(value, &micros)) {
    AppendOrdered(key_format::OrderedInt(micros), out);
  } else if (value.is_string() || value.is_bytes()) {
    out->append(value.text());
    if (!bare) out->append(2, '\0');
  } else if (value.is_list()) {
    const ListView items(arena, value);
    for (size_t i = 0; i < items.size(); ++i) {
      out->push_back('\x01');
      AppendHashed(arena, items[i], false, out);
    }
    out->push_back('\x00');
  } else if (value.is_map() || value.is_struct()) {
    uint64_t sum = 0;  // entries have no order
    for (const MapEntry& entry : MapOf(arena, value).all()) {
      std::string bytes;
      AppendHashed(arena, entry.key, false, &bytes);
      AppendHashed(arena, entry.value, false, &bytes);
      sum += HashKey(bytes);
    }
    AppendOrdered(sum, out);
  } else if (value.is_optional() && value.optional_value() != nullptr) {
    AppendHashed(arena, *value.optional_value(), bare, out);
  }
}

Value Hash(EvalContext& context, Args args) {
  std::string bytes;
  std::string_view hashed = bytes;
  if (args[0].is_string() || args[0].is_bytes()) {
    hashed = args[0].text();
  } else {
    AppendHashed(&context.arena(), args[0], true, &bytes);
    hashed = bytes;
  }
  return Value::Int(static_cast<int64_t>(HashKey(hashed) & static_cast<uint64_t>(INT64_MAX)));
}

Value ParseJson(EvalContext& context, Args args) {
  if (!(args[0].is_string() || args[0].is_bytes()) || (args.size() > 1 && !args[1].is_string())) {
    return context.NoOverload(args);
  }
  const Value value = JsonValue(&context.arena(), args[0].text());
  if (value.is_error()) return context.Error(value.text());
  if (args.size() == 1) return value;
  std::string problem;
  const Value typed = JsonAsType(&context.arena(), value, context.node_type(), &problem);
  return problem.empty() ? typed : context.Error("parseJson(): " + problem);
}

Value ToJson(EvalContext& context, Args args) {
  std::string text;
  const Status status = WriteJson(&context.arena(), args[0], &text);
  return status.ok() ? context.String(text) : context.Error("toJson(): " + status.message());
}

}  // namespace

void AddMapFunctions(FunctionTable* table) {
  table->Add("put", true, Put, {"put: (map<K,V>, K, V) -> map<K,V>"});
  table->Add("without", true, Without, {"without: (map<K,V>, K) -> map<K,V>"});
  table->Add("coalesce", false, Coalesce, {"coalesce: (A, A...) -> A"});
  table->Add("hash", false, Hash, {"hash: (A) -> int"});
  table->Add("parseJson", false, ParseJson,
             {"parse_json: (string) -> dyn", "parse_json_bytes: (bytes) -> dyn",
              "parse_json_type: (string, string) -> dyn",
              "parse_json_type_bytes: (bytes, string) -> dyn"});
  table->Add("toJson", false, ToJson, {"to_json: (A) -> string"});
}

}  // namespace millrace::worker
