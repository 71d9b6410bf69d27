#include <charconv>
#include <cmath>

#include "worker/data/json_value.h"
#include "worker/expr/kernel_node.h"
#include "worker/expr/kernel_time.h"
#include "worker/expr/number_text.h"

namespace millrace::worker {
namespace {

// convert(from, &to) is false where the evaluator must decide.
template <typename From, typename To, typename Convert>
StrictBody ConvertBody(std::vector<To> Column::*member, Convert convert) {
  return [member, convert](const StrictCall& call, Column* out) {
    std::vector<To>& values = out->*member;
    values.resize(call.rows);
    const From* from = ValuesOf<From>(*call[0].column);
    const size_t step = call[0].constant ? 0 : 1;
    for (size_t i = 0; i < call.rows; ++i) {
      if (!convert(from[i * step], &values[i])) call.MarkSlow(i);
    }
  };
}

// Plain digits with an optional minus; the evaluator knows the other forms.
template <typename T>
bool ParseWhole(std::string_view text, T* value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return code == std::errc() && end == text.data() + text.size();
}

bool ParseReal(std::string_view text, double* value) {
  const size_t digits = text.starts_with('-') ? 1 : 0;
  if (digits == text.size() || text[digits] < '0' || text[digits] > '9') return false;
  return ParseWhole(text, value);
}

bool ToMicrosExactly(const std::optional<Value>& time, int64_t* micros) {
  return time.has_value() && time->nanos() % 1000 == 0 && ToMicros(*time, micros);
}

bool SecondsToTimestamp(int64_t seconds, int64_t* micros) {
  if (seconds < kMinTimestampSeconds || seconds > kMaxTimestampSeconds) return false;
  *micros = seconds * 1'000'000;
  return true;
}

StrictBody IntBody(Kind from) {
  const auto member = &Column::ints;
  if (from == Kind::kUint) {
    return ConvertBody<uint64_t>(member, [](uint64_t value, int64_t* out) {
      *out = static_cast<int64_t>(value);
      return value <= static_cast<uint64_t>(INT64_MAX);
    });
  }
  if (from == Kind::kDouble) {
    return ConvertBody<double>(member, [](double value, int64_t* out) {
      if (!(value > -0x1p63 && value < 0x1p63)) return false;
      *out = static_cast<int64_t>(value);
      return true;
    });
  }
  if (from == Kind::kString) return ConvertBody<std::string_view>(member, ParseWhole<int64_t>);
  if (from != Kind::kTimestamp) return nullptr;
  return ConvertBody<int64_t>(member, [](int64_t micros, int64_t* out) {
    *out = micros / 1'000'000 - (micros % 1'000'000 < 0 ? 1 : 0);
    return true;
  });
}

StrictBody UintBody(Kind from) {
  const auto member = &Column::uints;
  if (from == Kind::kInt) {
    return ConvertBody<int64_t>(member, [](int64_t value, uint64_t* out) {
      *out = static_cast<uint64_t>(value);
      return value >= 0;
    });
  }
  if (from == Kind::kString) return ConvertBody<std::string_view>(member, ParseWhole<uint64_t>);
  if (from != Kind::kDouble) return nullptr;
  return ConvertBody<double>(member, [](double value, uint64_t* out) {
    if (!(value > -1 && value < 0x1p64)) return false;
    *out = static_cast<uint64_t>(value);
    return true;
  });
}

StrictBody DoubleBody(Kind from) {
  const auto member = &Column::doubles;
  const auto cast = [](auto value, double* out) {
    *out = static_cast<double>(value);
    return true;
  };
  if (from == Kind::kInt) return ConvertBody<int64_t>(member, cast);
  if (from == Kind::kUint) return ConvertBody<uint64_t>(member, cast);
  return from == Kind::kString ? ConvertBody<std::string_view>(member, ParseReal) : nullptr;
}

// Texts of values, one behind the other in an arena. `append` adds one text to a scratch string.
template <typename From, typename Append>
StrictBody TextBody(Append append) {
  return [append](const StrictCall& call, Column* out) {
    auto arena = std::make_shared<Arena>();
    out->strings.resize(call.rows);
    const From* from = ValuesOf<From>(*call[0].column);
    const size_t step = call[0].constant ? 0 : 1;
    std::string scratch;
    for (size_t i = 0; i < call.rows; ++i) {
      if (call.IsSlow(i)) continue;
      scratch.clear();
      append(from[i * step], &scratch);
      out->strings[i] = arena->Copy(scratch);
    }
    out->AddOwner(std::move(arena));
  };
}

StrictBody StringBody(Kind from) {
  if (from == Kind::kInt) return TextBody<int64_t>(AppendJsonInt);
  if (from == Kind::kUint) return TextBody<uint64_t>(AppendJsonUint);
  if (from == Kind::kBool)
    return TextBody<uint8_t>(
        [](uint8_t value, std::string* out) { *out = value != 0 ? "true" : "false"; });
  if (from == Kind::kDouble)
    return TextBody<double>([](double value, std::string* out) { *out = DoubleText(value); });
  if (from == Kind::kTimestamp) {
    return TextBody<int64_t>(
        [](int64_t value, std::string* out) { *out = TimestampText(TimestampOfMicros(value)); });
  }
  return from == Kind::kDuration ? TextBody<int64_t>(AppendDurationSeconds) : nullptr;
}

StrictBody TimestampBody(Kind from) {
  if (from == Kind::kInt) return ConvertBody<int64_t>(&Column::ints, SecondsToTimestamp);
  if (from != Kind::kString) return nullptr;
  return ConvertBody<std::string_view>(&Column::ints, [](std::string_view text, int64_t* micros) {
    return ToMicrosExactly(ParseTimestampText(text), micros);
  });
}

StrictBody DurationBody(Kind from) {
  if (from != Kind::kString) return nullptr;
  return ConvertBody<std::string_view>(&Column::ints, [](std::string_view text, int64_t* micros) {
    return ToMicrosExactly(ParseDurationText(text), micros);
  });
}

StrictBody BodyOf(std::string_view name, Kind from) {
  if (name == "int") return IntBody(from);
  if (name == "uint") return UintBody(from);
  if (name == "double") return DoubleBody(from);
  if (name == "string") return StringBody(from);
  if (name == "timestamp") return TimestampBody(from);
  return name == "duration" ? DurationBody(from) : nullptr;
}

}  // namespace

KernelNodePtr MakeConversionCall(const Expr& call, Nodes* args) {
  if (args->size() != 1 || call.method) return nullptr;
  const Kind from = (*args)[0]->kind();
  StrictBody body = BodyOf(call.name, from);
  return body == nullptr ? nullptr : MakeStrict(call.type, std::move(*args), std::move(body));
}

}  // namespace millrace::worker
