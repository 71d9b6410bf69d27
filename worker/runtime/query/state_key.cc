#include "worker/runtime/query/state_key.h"

#include <numeric>
#include <utility>

#include "crds/base/text.h"
#include "worker/data/format.h"

namespace millrace::worker {
namespace {

// Numbers and booleans are bare in JSON, everything else is quoted.
bool IsBare(const Type& type) { return type.is_numeric() || type.kind() == Kind::kBool; }

// Nothing but one number or word.
bool IsPlain(std::string_view text) {
  return text.find_first_not_of("+-.0123456789abcdefghijklmnopqrstuvwxyzE") == text.npos;
}

std::string ObjectOf(const std::vector<std::string>& names, const std::vector<Type>& types,
                     const std::string& text) {
  if (text.starts_with('{')) return text;
  const std::string value = IsBare(types[0]) ? text : JsonQuote(text);
  return "{" + JsonQuote(names[0]) + ":" + value + "}";
}

}  // namespace

Result<std::string> ParseStateKey(const std::vector<std::string>& names,
                                  const std::vector<Type>& types, const std::string& text) {
  if (names.empty()) return InvalidError("the step has no key: ask without one");
  if (names.size() > 1 && !text.starts_with('{')) {
    return InvalidError("the key has the fields " + Join(names, ", ") +
                        ": give a JSON object with all of them");
  }
  if (IsBare(types[0]) && !text.starts_with('{') && !IsPlain(text))
    return InvalidError("key: " + names[0] + " is " + types[0].ToString() + ", found " + text);
  Schema schema;
  api::JsonFormat json;
  json.schema.emplace();
  for (size_t i = 0; i < names.size(); ++i) {
    schema.Set({names[i], types[i]});
    json.schema->emplace(names[i], types[i].ToString());
  }
  json.unknown_fields = api::JsonFormat::UnknownFields::kError;
  ASSIGN_OR_RETURN(const std::unique_ptr<Decoder> decoder,
                   MakeDecoder(api::Format{json}, std::make_shared<Schema>(std::move(schema))));
  std::string object = ObjectOf(names, types, text);
  const size_t size = object.size();
  object.append(Arena::kPadding, '\0');
  RawRecords raw;
  raw.payloads.push_back(std::string_view(object).substr(0, size));
  const DecodeResult decoded = decoder->Decode(raw);
  if (!decoded.bad.empty()) return InvalidError("key: " + decoded.bad[0].message);
  if (decoded.batch.num_rows() != 1) return InvalidError("key: expected one JSON object");
  std::vector<int> columns(names.size());
  std::iota(columns.begin(), columns.end(), 0);
  Arena arena;
  std::vector<std::string_view> keys;
  KeyEncoder(std::move(columns)).Encode(decoded.batch, &arena, &keys);
  return std::string(keys[0]);
}

}  // namespace millrace::worker
