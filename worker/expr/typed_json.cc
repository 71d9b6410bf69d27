#include "worker/expr/typed_json.h"

#include "crds/base/text.h"
#include "worker/expr/time_text.h"
#include "worker/expr/type_solver.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

class JsonTyper {
 public:
  JsonTyper(ValueArena* arena, std::string* problem) : arena_(arena), problem_(problem) {}

  Value Convert(const Value& json, const Type& type) {
    if (type.kind() == Kind::kJson || type.kind() == Kind::kDyn) return json;
    if (json.is_null()) return type.nullable() ? json : Fail(json, type);
    if (type.kind() == Kind::kList && json.is_list()) return List(json, type);
    if (type.kind() == Kind::kMap && json.is_map()) return Map(json, type);
    if (type.kind() == Kind::kStruct && json.is_map()) return Struct(json, type);
    return Scalar(json, type);
  }

 private:
  Value Fail(const Value& json, const Type& type) {
    if (problem_->empty()) {
      *problem_ = (where_.empty() ? "" : "\"" + where_ + "\": ") + "expected " + TypeText(type) +
                  ", found " + std::string(TypeNameOf(json));
    }
    return {};
  }

  Value Scalar(const Value& json, const Type& type) {
    const Kind kind = type.kind();
    if ((kind == Kind::kBool && json.is_bool()) || (kind == Kind::kInt && json.is_int()) ||
        (kind == Kind::kUint && json.is_uint()) || (kind == Kind::kDouble && json.is_double()) ||
        (kind == Kind::kString && json.is_string())) {
      return json;
    }
    if (kind == Kind::kUint && json.is_int() && json.integer() >= 0)
      return Value::Uint(static_cast<uint64_t>(json.integer()));
    if (kind == Kind::kDouble && json.is_int())
      return Value::Double(static_cast<double>(json.integer()));
    if (kind == Kind::kDouble && json.is_uint())
      return Value::Double(static_cast<double>(json.unsigned_integer()));
    if (!json.is_string()) return Fail(json, type);
    if (kind == Kind::kBytes) {
      const Result<std::string> bytes = Base64Decode(json.text());
      return bytes.ok() ? MakeBytes(arena_, *bytes) : Fail(json, type);
    }
    std::optional<Value> time;
    if (kind == Kind::kTimestamp) time = ParseTimestampText(json.text());
    if (kind == Kind::kDuration) time = ParseDurationText(json.text());
    return time ? *time : Fail(json, type);
  }

  Value List(const Value& json, const Type& type) {
    const ListView items(arena_, json);
    Value* converted = arena_->NewArray<Value>(items.size());
    for (size_t i = 0; i < items.size() && problem_->empty(); ++i)
      converted[i] = Convert(items[i], type.element());
    return Value::List(converted, items.size());
  }

  Value Map(const Value& json, const Type& type) {
    std::vector<MapEntry> entries;
    for (const MapEntry& entry : MapOf(arena_, json).all())
      entries.push_back({entry.key, Convert(entry.value, type.map_value())});
    return MakeMap(arena_, entries).value_or(Value());
  }

  Value Struct(const Value& json, const Type& type) {
    Value* members = arena_->NewArray<Value>(type.fields().size());
    const std::string outer = where_;
    for (size_t i = 0; i < type.fields().size() && problem_->empty(); ++i) {
      const Field& field = type.fields()[i];
      Value member;
      FindKey(arena_, json, Value::String(field.name), &member);
      where_ = outer.empty() ? field.name : outer + "." + field.name;
      members[i] = Convert(member, field.type);
    }
    where_ = outer;
    StructData* data = arena_->NewArray<StructData>(1);
    *data = {&type, members};
    return Value::Struct(data);
  }

  ValueArena* arena_;
  std::string* problem_;
  std::string where_;
};

}  // namespace

Value JsonAsType(ValueArena* arena, const Value& json, const Type& type, std::string* problem) {
  return JsonTyper(arena, problem).Convert(json, type);
}

}  // namespace millrace::worker
