#include "worker/window/aggregate_function.h"

#include <array>
#include <charconv>
#include <string>

namespace millrace::worker {
namespace {

struct Entry {
  std::string_view name;
  AggregateKind kind;
  size_t expressions;
  size_t literals;
};

constexpr std::array kEntries = {
    Entry{"count", AggregateKind::kCount, 0, 0},
    Entry{"sum", AggregateKind::kSum, 1, 0},
    Entry{"avg", AggregateKind::kAvg, 1, 0},
    Entry{"variance", AggregateKind::kVariance, 1, 0},
    Entry{"stddev", AggregateKind::kStddev, 1, 0},
    Entry{"min", AggregateKind::kMin, 1, 0},
    Entry{"max", AggregateKind::kMax, 1, 0},
    Entry{"first", AggregateKind::kFirst, 1, 0},
    Entry{"last", AggregateKind::kLast, 1, 0},
    Entry{"argMin", AggregateKind::kArgMin, 2, 0},
    Entry{"argMax", AggregateKind::kArgMax, 2, 0},
    Entry{"countDistinct", AggregateKind::kCountDistinct, 1, 0},
    Entry{"approxCountDistinct", AggregateKind::kApproxCountDistinct, 1, 0},
    Entry{"quantile", AggregateKind::kQuantile, 1, 1},
    Entry{"collect", AggregateKind::kCollect, 1, 0},
    Entry{"collectSet", AggregateKind::kCollectSet, 1, 0},
    Entry{"counts", AggregateKind::kCounts, 1, 0},
    Entry{"topK", AggregateKind::kTopK, 1, 1},
};
constexpr std::array<std::string_view, kEntries.size() + 2> kNames = [] {
  std::array<std::string_view, kEntries.size() + 2> names{};
  for (size_t i = 0; i < kEntries.size(); ++i) names[i] = kEntries[i].name;
  names[kEntries.size()] = "reduce";
  names[kEntries.size() + 1] = "components";
  return names;
}();

const Entry* FindEntry(std::string_view name) {
  for (const Entry& entry : kEntries) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

bool IsScalar(Kind kind) { return kind <= Kind::kDuration; }
bool IsOrdered(Kind kind) { return IsScalar(kind); }
bool IsSummable(Kind kind) {
  return kind == Kind::kInt || kind == Kind::kUint || kind == Kind::kDouble ||
         kind == Kind::kDuration;
}
bool IsNumber(Kind kind) { return IsSummable(kind) && kind != Kind::kDuration; }

std::string Quoted(std::string_view name) { return std::string(name) + "()"; }

Status WrongType(std::string_view name, const Type& found, std::string_view expected) {
  return InvalidError(Quoted(name) + " takes " + std::string(expected) + ", found " +
                      found.ToString());
}

Status CheckStorable(std::string_view name, const Type& type) {
  if (type.kind() == Kind::kJson || type.kind() == Kind::kDyn) {
    return InvalidError(Quoted(name) +
                        " does not take json: wrap it in int(), double() or string()");
  }
  if (type.kind() > Kind::kStruct) return WrongType(name, type, "a value");
  return OkStatus();
}

Type Of(Kind kind) { return Type(kind); }

// Fills result, partials and inverses for numbers.
Status ResolveNumeric(std::string_view name, bool nullable, AggregateFunction* out) {
  const Kind kind = out->argument.kind();
  const Type dbl = Type(Kind::kDouble, nullable);
  const bool moment = out->kind == AggregateKind::kVariance || out->kind == AggregateKind::kStddev;
  if (moment) {
    if (!IsNumber(kind)) return WrongType(name, out->argument, "int, uint or double");
    out->partials = {Of(Kind::kInt), Of(Kind::kDouble), Of(Kind::kDouble)};
    out->result = dbl;
  } else {
    if (!IsSummable(kind)) return WrongType(name, out->argument, "int, uint, double or duration");
    out->partials = {Of(kind), Of(Kind::kInt)};
    out->result = out->kind == AggregateKind::kAvg ? dbl : Type(kind, nullable);
  }
  out->invertible = true;
  out->exact = !moment && kind != Kind::kDouble;
  return OkStatus();
}

Status ResolveValue(std::string_view name, bool nullable, AggregateFunction* out) {
  const Type value = out->argument.AsRequired();
  out->result = nullable ? value.AsNullable() : value;
  out->partials = {value.AsNullable()};
  if (out->kind == AggregateKind::kMin || out->kind == AggregateKind::kMax) {
    if (!IsOrdered(value.kind())) return WrongType(name, value, "an ordered type");
    return OkStatus();
  }
  out->ordered = true;
  if (out->kind == AggregateKind::kArgMin || out->kind == AggregateKind::kArgMax) {
    RETURN_IF_ERROR(CheckStorable(name, out->by));
    if (!IsOrdered(out->by.kind())) return WrongType(name, out->by, "an ordered type second");
    out->partials.push_back(out->by.AsNullable());
  }
  out->partials.push_back(Of(Kind::kInt));
  return OkStatus();
}

Status ResolveSet(std::string_view name, AggregateFunction* out) {
  const Type value = out->argument.AsRequired();
  if (!IsScalar(value.kind())) return WrongType(name, value, "a scalar");
  out->partials = {Type::List(Of(Kind::kBytes))};
  if (out->kind == AggregateKind::kCountDistinct) {
    out->result = Of(Kind::kInt);
  } else if (out->kind == AggregateKind::kCollectSet) {
    out->result = Type::List(value);
  } else {
    out->partials.push_back(Type::List(Of(Kind::kInt)));
    if (out->kind == AggregateKind::kTopK) {
      out->result = Type::List(Type::Struct({{"value", value}, {"count", Of(Kind::kInt)}}));
      return OkStatus();
    }
    if (value.kind() != Kind::kString)
      return WrongType(name, value, "a string: wrap it in string()");
    out->result = Type::Map(Of(Kind::kString), Of(Kind::kInt));
    out->invertible = true;
    out->exact = true;
  }
  return OkStatus();
}

Status ParseLiteral(std::string_view name, std::string_view text, AggregateFunction* out) {
  const char* end = text.data() + text.size();
  if (out->kind == AggregateKind::kQuantile) {
    const auto [rest, error] = std::from_chars(text.data(), end, out->q);
    if (error != std::errc() || rest != end || !(out->q >= 0 && out->q <= 1)) {
      return InvalidError(Quoted(name) + " takes a literal from 0.0 to 1.0 second, found \"" +
                          std::string(text) + "\"");
    }
    return OkStatus();
  }
  const auto [rest, error] = std::from_chars(text.data(), end, out->k);
  if (error != std::errc() || rest != end || out->k < 1 || out->k > kMaxTopK) {
    return InvalidError(Quoted(name) + " takes a literal from 1 to " + std::to_string(kMaxTopK) +
                        " second, found \"" + std::string(text) + "\"");
  }
  return OkStatus();
}

Status ResolveKind(std::string_view name, bool nullable, AggregateFunction* out) {
  switch (out->kind) {
    case AggregateKind::kCount:
      out->result = Of(Kind::kInt);
      out->partials = {Of(Kind::kInt)};
      out->invertible = out->exact = true;
      return OkStatus();
    case AggregateKind::kSum:
    case AggregateKind::kAvg:
    case AggregateKind::kVariance:
    case AggregateKind::kStddev:
      return ResolveNumeric(name, nullable, out);
    case AggregateKind::kMin:
    case AggregateKind::kMax:
    case AggregateKind::kFirst:
    case AggregateKind::kLast:
    case AggregateKind::kArgMin:
    case AggregateKind::kArgMax:
      return ResolveValue(name, nullable, out);
    case AggregateKind::kApproxCountDistinct:
      if (!IsScalar(out->argument.kind())) return WrongType(name, out->argument, "a scalar");
      out->result = Of(Kind::kInt);
      out->partials = {Type(Kind::kBytes, true)};
      return OkStatus();
    case AggregateKind::kQuantile:
      if (!IsNumber(out->argument.kind()))
        return WrongType(name, out->argument, "int, uint or double");
      out->result = Type(Kind::kDouble, nullable);
      out->partials = {Type(Kind::kBytes, true)};
      return OkStatus();
    case AggregateKind::kCollect:
      out->result = Type::List(out->argument.AsRequired());
      out->partials = {out->result, Type::List(Of(Kind::kInt))};
      out->ordered = true;
      return OkStatus();
    case AggregateKind::kCountDistinct:
    case AggregateKind::kCollectSet:
    case AggregateKind::kCounts:
    case AggregateKind::kTopK:
      return ResolveSet(name, out);
  }
  return InternalError("unknown aggregate");
}

}  // namespace

std::span<const std::string_view> AggregateNames() { return kNames; }

size_t ExpressionArguments(std::string_view name) {
  const Entry* entry = FindEntry(name);
  return entry == nullptr ? 0 : entry->expressions;
}

Result<AggregateFunction> ResolveAggregate(std::string_view name, const AggregateContext& context,
                                           std::span<const Type> types,
                                           std::span<const std::string> literals) {
  const Entry* entry = FindEntry(name);
  if (entry == nullptr) return InvalidError(Quoted(name) + " is not supported yet");
  if (types.size() != entry->expressions || literals.size() != entry->literals) {
    return InvalidError(Quoted(name) + " takes " +
                        std::to_string(entry->expressions + entry->literals) +
                        " argument(s), found " + std::to_string(types.size() + literals.size()));
  }
  AggregateFunction function;
  function.kind = entry->kind;
  bool nullable = context.keyless || context.has_filter;
  if (!types.empty()) {
    RETURN_IF_ERROR(CheckStorable(name, types[0]));
    function.argument = types[0];
    nullable = nullable || types[0].nullable();
  }
  if (types.size() > 1) {
    function.by = types[1];
    nullable = nullable || types[1].nullable();
  }
  if (!literals.empty()) RETURN_IF_ERROR(ParseLiteral(name, literals[0], &function));
  RETURN_IF_ERROR(ResolveKind(name, nullable, &function));
  return function;
}

}  // namespace millrace::worker
