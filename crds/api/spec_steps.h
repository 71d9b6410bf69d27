#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "crds/api/spec_formats.h"
#include "crds/base/clock.h"

// What happens to records: windows, steps, streams. Values.
namespace millrace::api {

struct BatchWindow {};
struct GlobalWindow {
  std::optional<Duration> ttl;
};
struct TumblingWindow {
  Duration length{0};
  Duration offset{0};
};
struct SlidingWindow {
  Duration length{0};
  Duration slide{0};
};
struct SessionWindow {
  Duration gap{0};
  Duration max_length = std::chrono::hours(24);
};
struct CountWindow {
  int64_t length = 0;
  std::optional<int64_t> slide;  // default: length
};
struct IntervalWindow {
  Duration before{0};
  Duration after{0};
};
using Window = std::variant<BatchWindow, GlobalWindow, TumblingWindow, SlidingWindow, SessionWindow,
                            CountWindow, IntervalWindow>;

enum class TimeDomain { kEvent, kProcessing };
enum class Emit { kFinal, kChanges, kAll };
enum class OnLate { kDrop, kDeadLetter };

struct MapStep {
  ExpressionMap fields;
};
struct SetStep {
  ExpressionMap fields;
};
struct DropStep {
  std::vector<std::string> fields;
};
struct FlatMapStep {
  std::string field;
  Expression list;
};
struct FilterStep {
  Expression condition;
};
struct UnionStep {
  std::vector<std::string> streams;
};
struct AggregateStep {
  std::vector<std::string> key;
  Window window;
  ExpressionMap values;  // field -> aggregate expression
  std::optional<TimeDomain> time;
  std::optional<Emit> emit;
  std::vector<std::string> latest_by;
  std::optional<Expression> delete_when;
  OnLate on_late = OnLate::kDrop;
};
struct OrderBy {
  Expression value;
  enum class Direction { kAscending, kDescending } direction = Direction::kDescending;
};
struct TopStep {
  int64_t limit = 0;
  std::vector<OrderBy> order_by;
  std::vector<std::string> key;
  Window window;
  bool ties = false;
  std::optional<TimeDomain> time;
  std::optional<Emit> emit;
  OnLate on_late = OnLate::kDrop;
};
struct JoinStep {
  std::string with;
  std::vector<std::string> key;
  std::vector<std::string> with_key;  // filled with `key` when not given
  Window window;
  enum class Type { kInner, kLeft, kRight, kFull } type = Type::kInner;
  std::string as;  // filled with `with` when not given
  std::optional<TimeDomain> time;
};
struct LookupStep {
  std::string table;
  ExpressionMap match;  // table key field -> expression
  enum class Type { kInner, kLeft } type = Type::kLeft;
  std::string as;  // filled with `table` when not given
};
struct DedupStep {
  std::vector<std::string> key;
  Duration within{0};
  std::optional<TimeDomain> time;
};
struct StateField {
  TypeText type;
  std::optional<Expression> init;
};
struct StateOutput {
  Expression when = "true";
  ExpressionMap fields;  // empty: the record itself
};
struct StateTimeout {
  std::optional<Duration> idle;       // one of idle,
  std::optional<Expression> at_expr;  // at_expr
};
struct StateOnTimeout {
  Expression when = "true";
  ExpressionMap fields;
};
struct StateStep {
  std::vector<std::string> key;
  std::map<std::string, StateField> fields;
  ExpressionMap update;
  StateOutput output;
  std::optional<Expression> remove_when;
  std::optional<StateTimeout> timeout;
  std::optional<TimeDomain> time;
  std::optional<StateOnTimeout> on_timeout;
  std::optional<Expression> order_expr;
  std::optional<std::string> initial;  // table
};
struct SampleStep {
  double fraction = 0;
  int64_t seed = 0;
};
struct RepartitionStep {
  std::vector<std::string> key;   // one of key,
  std::optional<int> partitions;  // partitions
};
using StepKind =
    std::variant<MapStep, SetStep, DropStep, FlatMapStep, FilterStep, UnionStep, AggregateStep,
                 TopStep, JoinStep, LookupStep, DedupStep, StateStep, SampleStep, RepartitionStep>;

struct Step {
  std::string name;  // filled with the kind when not given
  StepKind kind;
  std::optional<ErrorPolicy> on_error;
};
// "map", "flatMap", ... as in the manifest.
const char* StepKindName(const StepKind& kind);

struct Stream {
  std::string name;
  std::string from;
  std::vector<Step> steps;
};

}  // namespace millrace::api
