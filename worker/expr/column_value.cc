#include "worker/expr/column_value.h"

#include "worker/expr/json_value.h"
#include "worker/expr/time_text.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

const Type& StructTypeOf(const Value& value) {
  return value.form() == Value::Form::kPlain ? *value.struct_data().type : value.column().type();
}

// Appends values to columns; strings go into `bytes`.
class Appender {
 public:
  Appender(ValueArena* arena, Arena* bytes) : arena_(arena), bytes_(bytes) {}

  // True when `value` can be stored in a column of this type.
  bool Fits(const Type& type, const Value& given) const {
    const Value value = Unwrap(given);
    if (type.kind() == Kind::kJson) {
      std::string text;
      return WriteJson(arena_, value, &text).ok();
    }
    if (value.is_null()) return type.nullable();
    int64_t micros = 0;
    switch (type.kind()) {
      case Kind::kBool:
        return value.is_bool();
      case Kind::kInt:
        return value.is_int();
      case Kind::kUint:
        return value.is_uint();
      case Kind::kDouble:
        return value.is_double();
      case Kind::kString:
        return value.is_string();
      case Kind::kBytes:
        return value.is_bytes();
      case Kind::kTimestamp:
        return value.is_timestamp() && ToMicros(value, &micros);
      case Kind::kDuration:
        return value.is_duration() && ToMicros(value, &micros);
      case Kind::kList:
        return value.is_list() && ElementsFit(type.element(), value);
      case Kind::kMap:
        return value.is_map() && EntriesFit(type, value);
      case Kind::kStruct:
        return value.is_struct() && MembersFit(type, value);
      case Kind::kJson:
      case Kind::kNull:
      case Kind::kDyn:
      case Kind::kOptional:
      case Kind::kTypeType:
      case Kind::kTypeParam:
        return false;
    }
    return false;
  }

  // Requires: Fits.
  Status Append(Column* column, const Value& given) {
    const Value value = Unwrap(given);
    if (column->kind() == Kind::kJson) return AppendJson(column, value);
    if (value.is_null()) {
      column->AppendNull();
      return OkStatus();
    }
    if (column->kind() == Kind::kList) {
      const ListView items(arena_, value);
      for (size_t i = 0; i < items.size(); ++i)
        RETURN_IF_ERROR(Append(column->children[0].get(), items[i]));
      column->FinishList();
    } else if (column->kind() == Kind::kMap) {
      for (const MapEntry& entry : MapOf(arena_, value).all()) {
        RETURN_IF_ERROR(Append(column->children[0].get(), entry.key));
        RETURN_IF_ERROR(Append(column->children[1].get(), entry.value));
      }
      column->FinishList();
    } else if (column->kind() == Kind::kStruct) {
      const std::vector<Field>& fields = column->type().fields();
      for (size_t i = 0; i < fields.size(); ++i) {
        const int member = FindStructField(value, fields[i].name);
        RETURN_IF_ERROR(Append(column->children[i].get(),
                               StructMember(arena_, value, static_cast<size_t>(member))));
      }
      column->FinishStruct();
    } else {
      AppendScalar(column, value);
    }
    return OkStatus();
  }

 private:
  static Value Unwrap(const Value& value) {
    if (!value.is_optional()) return value;
    return value.optional_value() == nullptr ? Value() : Unwrap(*value.optional_value());
  }

  bool ElementsFit(const Type& type, const Value& list) const {
    const ListView items(arena_, list);
    for (size_t i = 0; i < items.size(); ++i) {
      if (!Fits(type, items[i])) return false;
    }
    return true;
  }
  bool EntriesFit(const Type& type, const Value& map) const {
    for (const MapEntry& entry : MapOf(arena_, map).all()) {
      if (!Fits(type.map_key(), entry.key) || !Fits(type.map_value(), entry.value)) return false;
    }
    return true;
  }
  bool MembersFit(const Type& type, const Value& value) const {
    if (value.form() == Value::Form::kColumn && value.column().type() == type) return true;
    for (const Field& field : type.fields()) {
      const int member = FindStructField(value, field.name);
      if (member < 0 || !Fits(field.type, StructMember(arena_, value, static_cast<size_t>(member))))
        return false;
    }
    return true;
  }

  Status AppendJson(Column* column, const Value& value) {
    if (value.is_null() && column->type().nullable()) {
      column->AppendNull();
      return OkStatus();
    }
    std::string text;
    if (Status written = WriteJson(arena_, value, &text); !written.ok()) return written;
    column->AppendView(bytes_->Copy(text));
    return OkStatus();
  }

  void AppendScalar(Column* column, const Value& value) {
    int64_t micros = 0;
    if (value.is_bool()) {
      column->AppendBool(value.boolean());
    } else if (value.is_int()) {
      column->AppendInt(value.integer());
    } else if (value.is_uint()) {
      column->AppendUint(value.unsigned_integer());
    } else if (value.is_double()) {
      column->AppendDouble(value.real());
    } else if (value.is_string() || value.is_bytes()) {
      column->AppendView(bytes_->Copy(value.text()));
    } else if (ToMicros(value, &micros)) {
      column->AppendInt(micros);
    }
  }

  ValueArena* arena_;
  Arena* bytes_;
};

// Gives every string column below `column` a share in the bytes.
void Own(Column* column, const Owner& bytes) {
  if (!column->strings.empty()) column->AddOwner(bytes);
  for (const auto& child : column->children) Own(child.get(), bytes);
}

}  // namespace

Value ColumnValue(ValueArena* arena, const Column& column, size_t row) {
  if (column.IsNull(row)) return {};
  switch (column.kind()) {
    case Kind::kBool:
      return Value::Bool(column.bools[row] != 0);
    case Kind::kInt:
      return Value::Int(column.ints[row]);
    case Kind::kUint:
      return Value::Uint(column.uints[row]);
    case Kind::kDouble:
      return Value::Double(column.doubles[row]);
    case Kind::kString:
      return Value::String(column.strings[row]);
    case Kind::kBytes:
      return Value::Bytes(column.strings[row]);
    case Kind::kTimestamp:
      return TimestampOfMicros(column.ints[row]);
    case Kind::kDuration:
      return DurationOfMicros(column.ints[row]);
    case Kind::kJson:
      return JsonValue(arena, column.strings[row]);
    case Kind::kList:
      return Value::OfColumn(ValueKind::kList, &column, row);
    case Kind::kMap:
      return Value::OfColumn(ValueKind::kMap, &column, row);
    case Kind::kStruct:
      return Value::OfColumn(ValueKind::kStruct, &column, row);
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      return {};
  }
  return {};
}

Value StructMember(ValueArena* arena, const Value& value, size_t index) {
  if (value.form() == Value::Form::kPlain) return value.struct_data().members[index];
  return ColumnValue(arena, *value.column().children[index], value.row());
}

int FindStructField(const Value& value, std::string_view name) {
  return StructTypeOf(value).FindField(name);
}

ColumnWriter::ColumnWriter(Type type) : column_(std::make_shared<Column>(std::move(type))) {}

Status ColumnWriter::Append(ValueArena* arena, const Value& value) {
  Appender appender(arena, bytes_.get());
  if (column_->kind() != Kind::kJson && !appender.Fits(column_->type(), value)) {
    if (value.is_null()) return InvalidError("the result is null");
    return InvalidError("the result is " + std::string(TypeNameOf(value)) + ", not " +
                        column_->type().ToString());
  }
  return appender.Append(column_.get(), value);
}

std::shared_ptr<Column> ColumnWriter::Take() {
  Own(column_.get(), bytes_);
  return std::move(column_);
}

}  // namespace millrace::worker
