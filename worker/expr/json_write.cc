#include <charconv>
#include <cmath>

#include "crds/base/text.h"
#include "worker/data/json_value.h"
#include "worker/expr/json_value.h"
#include "worker/expr/time_text.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

class JsonTextWriter {
 public:
  JsonTextWriter(ValueArena* arena, std::string* out) : arena_(arena), out_(out) {}

  Status Write(const Value& value) {
    if ((value.is_list() || value.is_map()) && value.form() == Value::Form::kJson) {
      out_->append(value.text());
      return OkStatus();
    }
    if (value.is_list()) return WriteList(value);
    if (value.is_map() || value.is_struct()) return WriteMap(value);
    if (value.is_optional())
      return Write(value.optional_value() == nullptr ? Value() : *value.optional_value());
    return WriteScalar(value);
  }

 private:
  Status WriteList(const Value& value) {
    const ListView items(arena_, value);
    out_->push_back('[');
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_->push_back(',');
      RETURN_IF_ERROR(Write(items[i]));
    }
    out_->push_back(']');
    return OkStatus();
  }

  Status WriteMap(const Value& value) {
    out_->push_back('{');
    bool first = true;
    for (const MapEntry& entry : MapOf(arena_, value).all()) {
      if (!first) out_->push_back(',');
      first = false;
      if (entry.key.is_string()) {
        AppendJsonQuoted(entry.key.text(), out_);
      } else {
        out_->push_back('"');
        RETURN_IF_ERROR(WriteScalar(entry.key));
        out_->push_back('"');
      }
      out_->push_back(':');
      RETURN_IF_ERROR(Write(entry.value));
    }
    out_->push_back('}');
    return OkStatus();
  }

  Status WriteScalar(const Value& value) {
    switch (value.kind()) {
      case ValueKind::kNull:
        out_->append("null");
        return OkStatus();
      case ValueKind::kBool:
        out_->append(value.boolean() ? "true" : "false");
        return OkStatus();
      case ValueKind::kInt:
        AppendJsonInt(value.integer(), out_);
        return OkStatus();
      case ValueKind::kUint:
        AppendJsonUint(value.unsigned_integer(), out_);
        return OkStatus();
      case ValueKind::kDouble:
        if (!std::isfinite(value.real())) return InvalidError("JSON has no NaN and no infinity");
        AppendJsonDouble(value.real(), out_);
        return OkStatus();
      case ValueKind::kString:
        AppendJsonQuoted(value.text(), out_);
        return OkStatus();
      case ValueKind::kBytes:
        AppendJsonQuoted(Base64Encode(value.text()), out_);
        return OkStatus();
      case ValueKind::kTimestamp:
        AppendJsonQuoted(TimestampText(value), out_);
        return OkStatus();
      case ValueKind::kDuration:
        AppendJsonQuoted(DurationText(value), out_);
        return OkStatus();
      case ValueKind::kList:
      case ValueKind::kMap:
      case ValueKind::kStruct:
      case ValueKind::kOptional:
      case ValueKind::kType:
      case ValueKind::kError:
        break;
    }
    return InvalidError("a value of type " + std::string(TypeNameOf(value)) +
                        " cannot be written as JSON");
  }

  ValueArena* arena_;
  std::string* out_;
};

}  // namespace

Status WriteJson(ValueArena* arena, const Value& value, std::string* out) {
  return JsonTextWriter(arena, out).Write(value);
}

}  // namespace millrace::worker
