#include "crds/base/text.h"
#include "worker/data/civil_time.h"
#include "worker/data/format.h"
#include "worker/data/time_zone.h"
#include "worker/expr/evaluator.h"
#include "worker/expr/function_table.h"
#include "worker/expr/time_text.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

using Args = std::span<const Value>;

// "02:00" and "2:30" mean "+02:00" and "+02:30".
std::string NormalZone(std::string_view zone) {
  const bool digit = !zone.empty() && zone[0] >= '0' && zone[0] <= '9';
  return (digit ? "+" : "") + std::string(zone);
}

// The civil time of args[0] in the zone args[1], if given.
bool Civil(EvalContext& context, Args args, CivilTime* civil, Value* error) {
  if (!args[0].is_timestamp() || (args.size() > 1 && !args[1].is_string())) {
    *error = context.NoOverload(args);
    return false;
  }
  int64_t seconds = args[0].seconds();
  if (args.size() > 1) {
    const Result<ZoneOffset> offset =
        ZoneOffsetAt(NormalZone(args[1].text()), seconds * kMicrosPerSecond);
    if (!offset.ok()) {
      *error = context.Error(offset.status().message());
      return false;
    }
    seconds += offset->seconds;
  }
  *civil = ToCivil(seconds * kMicrosPerSecond);
  return true;
}

int64_t FullYear(const CivilTime& civil) { return civil.year; }
int64_t Month(const CivilTime& civil) { return civil.month - 1; }
int64_t Date(const CivilTime& civil) { return civil.day; }
int64_t DayOfMonth(const CivilTime& civil) { return civil.day - 1; }
int64_t DayOfWeek(const CivilTime& civil) { return civil.weekday; }
int64_t DayOfYear(const CivilTime& civil) { return civil.year_day - 1; }
int64_t Hour(const CivilTime& civil) { return civil.hour; }
int64_t Minute(const CivilTime& civil) { return civil.minute; }
int64_t Second(const CivilTime& civil) { return civil.second; }

template <int64_t (*kPart)(const CivilTime&)>
Value Part(EvalContext& context, Args args) {
  CivilTime civil;
  Value error;
  return Civil(context, args, &civil, &error) ? Value::Int(kPart(civil)) : error;
}

// Durations count whole units towards zero.
template <int64_t (*kPart)(const CivilTime&), int64_t kUnitSeconds>
Value PartOrTotal(EvalContext& context, Args args) {
  if (!args[0].is_duration() || args.size() > 1) return Part<kPart>(context, args);
  const int64_t whole = args[0].seconds() + (args[0].seconds() < 0 && args[0].nanos() > 0 ? 1 : 0);
  return Value::Int(whole / kUnitSeconds);
}

Value Milliseconds(EvalContext& context, Args args) {
  if (args[0].is_timestamp()) return Value::Int(args[0].nanos() / 1'000'000);
  if (!args[0].is_duration() || args.size() > 1) return context.NoOverload(args);
  const bool negative = args[0].seconds() < 0 && args[0].nanos() > 0;
  const int32_t nanos = negative ? args[0].nanos() - kNanosPerSecond : args[0].nanos();
  return Value::Int(nanos / 1'000'000);
}

Value InRange(EvalContext& context, int64_t micros) {
  const Value value = TimestampOfMicros(micros);
  const auto checked = TimestampInRange(value.seconds(), value.nanos());
  return checked ? *checked : context.Error("the timestamp is out of range");
}

Value ParseTimestamp(EvalContext& context, Args args) {
  if (!args[0].is_string() || !args[1].is_string()) return context.NoOverload(args);
  const Result<int64_t> micros = ParseTimeLayout(args[1].text(), args[0].text());
  return micros.ok() ? InRange(context, *micros) : context.Error(micros.status().message());
}

Value FormatTimestamp(EvalContext& context, Args args) {
  if (!args[0].is_timestamp() || !args[1].is_string() ||
      (args.size() > 2 && !args[2].is_string())) {
    return context.NoOverload(args);
  }
  int64_t micros = 0;
  ToMicros(args[0], &micros);
  const std::string zone = args.size() > 2 ? NormalZone(args[2].text()) : std::string();
  const Result<std::string> text = FormatTimeLayout(args[1].text(), micros, zone);
  return text.ok() ? context.String(*text) : context.Error(text.status().message());
}

Value FromUnixMillis(EvalContext& context, Args args) {
  if (!args[0].is_int()) return context.NoOverload(args);
  int64_t micros = 0;
  if (__builtin_mul_overflow(args[0].integer(), int64_t{1000}, &micros))
    return context.Error("the timestamp is out of range");
  return InRange(context, micros);
}

Value ToUnixMillis(EvalContext& context, Args args) {
  if (!args[0].is_timestamp()) return context.NoOverload(args);
  return Value::Int(args[0].seconds() * 1000 + args[0].nanos() / 1'000'000);
}

Value Tumble(EvalContext& context, Args args) {
  if (!args[0].is_timestamp() || !args[1].is_duration()) return context.NoOverload(args);
  int64_t micros = 0;
  int64_t length = 0;
  if (!ToMicros(args[0], &micros) || !ToMicros(args[1], &length) || length <= 0) {
    return context.Error("the length of tumble() must be at least a microsecond");
  }
  return InRange(context, FloorDivide(micros, length) * length);
}

void AddPart(FunctionTable* table, std::string_view name, FunctionBody body, bool of_duration) {
  std::vector<std::string_view> overloads = {"part: (timestamp) -> int",
                                             "part_zone: (timestamp, string) -> int"};
  if (of_duration) overloads.push_back("part_duration: (duration) -> int");
  table->Add(name, true, body, std::move(overloads));
}

}  // namespace

void AddTimeFunctions(FunctionTable* table) {
  AddPart(table, "getFullYear", Part<FullYear>, false);
  AddPart(table, "getMonth", Part<Month>, false);
  AddPart(table, "getDate", Part<Date>, false);
  AddPart(table, "getDayOfMonth", Part<DayOfMonth>, false);
  AddPart(table, "getDayOfWeek", Part<DayOfWeek>, false);
  AddPart(table, "getDayOfYear", Part<DayOfYear>, false);
  AddPart(table, "getHours", PartOrTotal<Hour, 3600>, true);
  AddPart(table, "getMinutes", PartOrTotal<Minute, 60>, true);
  AddPart(table, "getSeconds", PartOrTotal<Second, 1>, true);
  AddPart(table, "getMilliseconds", Milliseconds, true);
  table->Add("parseTimestamp", false, ParseTimestamp,
             {"parse_timestamp: (string, string) -> timestamp"});
  table->Add("formatTimestamp", false, FormatTimestamp,
             {"format_timestamp: (timestamp, string) -> string",
              "format_timestamp_zone: (timestamp, string, string) -> string"});
  table->Add("fromUnixMillis", false, FromUnixMillis, {"from_unix_millis: (int) -> timestamp"});
  table->Add("toUnixMillis", false, ToUnixMillis, {"to_unix_millis: (timestamp) -> int"});
  table->Add("tumble", false, Tumble, {"tumble: (timestamp, duration) -> timestamp"});
}

}  // namespace millrace::worker
