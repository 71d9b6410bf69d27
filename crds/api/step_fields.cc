#include "crds/api/slots.h"

namespace millrace::api {
namespace {

void DescribeTime(Fields& fields, std::optional<TimeDomain>& target) {
  Enum(fields,
       Optional("time", "Clock of the windows: the records' or the batches'.",
                "Event where the stream has event time, else Processing"),
       target, {"Event", "Processing"});
}

void DescribeEmit(Fields& fields, std::optional<Emit>& target) {
  Enum(
      fields,
      Optional("emit", "When rows leave: once at the end, when they change, or all in every batch.",
               "Final; Changes for global"),
      target, {"Final", "Changes", "All"});
}

void DescribeOnLate(Fields& fields, OnLate& target) {
  Enum(fields, Optional("onLate", "What records behind the watermark do."), target,
       {"Drop", "DeadLetter"});
}

void DescribeKey(Fields& fields, std::vector<std::string>& target, bool required,
                 std::string_view meaning, size_t min) {
  const Field field =
      required ? Required("key", meaning, "[user]") : Optional("key", meaning, "[]", "[user]");
  Strings(fields, field, target, kFieldReference, min, kMaxObjects);
}

void DescribeExpressions(Fields& fields, const Field& field, ExpressionMap& target,
                         size_t min = 1) {
  StringMap(fields, field, target, kName, kExpressionText, min);
}

}  // namespace

void Describe(Fields& fields, MapStep& value) {
  DescribeExpressions(fields,
                      Required("", "Field -> expression: the new record.",
                               "{user: user, total: price * double(count)}"),
                      value.fields);
}

void Describe(Fields& fields, SetStep& value) {
  DescribeExpressions(fields,
                      Required("", "Field -> expression: fields added or replaced.",
                               "{total: price * double(count)}"),
                      value.fields);
}

void Describe(Fields& fields, DropStep& value) {
  Strings(fields, Required("", "Fields to remove.", "[password]"), value.fields, kFieldReference,
          1);
}

void Describe(Fields& fields, FlatMapStep& value) {
  using Map = std::map<std::string, std::string>;
  fields.OnStringMap(
      Required("", "One field -> list expression: one record an element, other fields kept.",
               "{word: 'value.split(\" \")'}"),
      {.key = &kName,
       .value = &kExpressionText,
       .min = 1,
       .max = 1,
       .get = [&]() -> std::optional<Map> {
         return Map{{value.field, value.list}};
       },
       .set =
           [&](const Map& map) {
             value.field = map.begin()->first;
             value.list = map.begin()->second;
           }});
}

void Describe(Fields& fields, FilterStep& value) {
  Text(fields,
       Required("", "Records for which the expression is true stay; null is false.",
                "'word != \"\"'"),
       value.condition, kExpressionText);
}

void Describe(Fields& fields, UnionStep& value) {
  Strings(fields, Required("", "Streams with the same schema whose records are added.", "[limits]"),
          value.streams, kReference, 1, kMaxObjects);
}

void Describe(Fields& fields, AggregateStep& value) {
  DescribeKey(fields, value.key, false, "Fields that form the groups.", 0);
  DescribeWindow(fields, value.window);
  DescribeExpressions(fields,
                      Required("values", "Field -> aggregate expression.", "{views: count()}"),
                      value.values);
  DescribeTime(fields, value.time);
  DescribeEmit(fields, value.emit);
  Strings(fields,
          Optional("latestBy",
                   "Each record replaces the earlier one with the same values of these fields.",
                   "none", "[id]"),
          value.latest_by, kFieldReference, 1, kMaxObjects);
  Text(fields,
       Optional("deleteWhen", "Removes the contribution of the latestBy key.", "none",
                "'op == \"d\"'"),
       value.delete_when, kExpressionText);
  DescribeOnLate(fields, value.on_late);
}

void Describe(Fields& fields, OrderBy& value) {
  Text(fields, Required("value", "What to sort by.", "count"), value.value, kExpressionText);
  Enum(fields, Optional("direction", "Which end comes first."), value.direction,
       {"Ascending", "Descending"});
}

void Describe(Fields& fields, TopStep& value) {
  Int(fields, Required("limit", "Rows kept of each group.", "10"), value.limit, 1, 1'000'000);
  List(fields, Required("orderBy", "Order of the rows.", "[{value: count}]"), value.order_by, 1);
  DescribeKey(fields, value.key, false, "Fields that form the groups.", 0);
  DescribeWindow(fields, value.window);
  Bool(fields, Optional("ties", "Keeps all rows equal to the last."), value.ties);
  DescribeTime(fields, value.time);
  DescribeEmit(fields, value.emit);
  DescribeOnLate(fields, value.on_late);
}

void Describe(Fields& fields, JoinStep& value) {
  Text(fields, Required("with", "Stream to join with.", "clicks"), value.with, kReference);
  DescribeKey(fields, value.key, true, "Fields of this stream that must equal those of the other.",
              1);
  Strings(fields,
          Optional("withKey", "Fields of the other stream, in the order of key.", "key",
                   "[impression]"),
          value.with_key, kFieldReference, 1, kMaxObjects);
  DescribeWindow(fields, value.window);
  Enum(fields, Optional("type", "Which records without partner stay."), value.type,
       {"Inner", "Left", "Right", "Full"});
  Text(fields, Optional("as", "Field that holds the other record.", "with", "click"), value.as,
       kName);
  DescribeTime(fields, value.time);
}

void Describe(Fields& fields, LookupStep& value) {
  Text(fields, Required("table", "Table to look in.", "customers"), value.table, kReference);
  DescribeExpressions(fields,
                      Required("match", "Key field of the table -> expression.", "{id: customer}"),
                      value.match);
  Enum(fields, Optional("type", "Whether records without a row stay."), value.type,
       {"Inner", "Left"});
  Text(fields, Optional("as", "Field that holds the row.", "table"), value.as, kName);
}

void Describe(Fields& fields, DedupStep& value) {
  DescribeKey(fields, value.key, true, "Fields that make records equal.", 1);
  Interval(fields, Required("within", "How long a record suppresses its equals.", "1h"),
           value.within);
  DescribeTime(fields, value.time);
}

void Describe(Fields& fields, StateField& value) {
  Text(fields, Required("type", "Type of the field.", "int"), value.type, kTypeText);
  Text(fields,
       Optional("init", "First value; without it the type must be nullable and starts null.",
                "null", "\"0\""),
       value.init, kExpressionText);
}

void Describe(Fields& fields, StateOutput& value) {
  Text(fields, Optional("when", "Whether the record leaves."), value.when, kExpressionText);
  DescribeExpressions(
      fields,
      Optional("fields", "Field -> expression: the record that leaves.", "the record itself"),
      value.fields);
}

void Describe(Fields& fields, StateOnTimeout& value) {
  Text(fields, Optional("when", "Whether a record leaves."), value.when, kExpressionText);
  DescribeExpressions(fields,
                      Required("fields", "Field -> expression; the same fields as output.fields.",
                               "{user: user, visits: state.visits}"),
                      value.fields);
}

void Describe(Fields& fields, StateTimeout& value) {
  Interval(fields, Optional("idle", "After so long without a record.", "none", "30m"), value.idle);
  Text(fields, Optional("atExpr", "At a time computed from state.", "none", "state.due"),
       value.at_expr, kExpressionText);
  fields.OneOf({"idle", "atExpr"}, true);
}

void Describe(Fields& fields, StateStep& value) {
  DescribeKey(fields, value.key, true, "Fields of the key; [] is one state for the stream.", 0);
  fields.OnObjectMap(Required("fields", "Field of the state -> its type and first value.",
                              "{visits: {type: int, init: \"0\"}}"),
                     {.key = &kName,
                      .keys =
                          [&] {
                            std::vector<std::string> names;
                            for (const auto& entry : value.fields) names.push_back(entry.first);
                            return names;
                          },
                      .describe = [&](const std::string& name,
                                      Fields& inner) { Describe(inner, value.fields[name]); }});
  DescribeExpressions(fields,
                      Required("update", "Field of the state -> expression, for each record.",
                               "{visits: state.visits + 1}"),
                      value.update);
  Object(fields, Optional("output", "What leaves for each record.", "{}"), value.output);
  Text(fields, Optional("removeWhen", "Drops the key behind the output.", "none"),
       value.remove_when, kExpressionText);
  Object(fields, Optional("timeout", "When a key without records ends.", "none"), value.timeout);
  DescribeTime(fields, value.time);
  Object(fields, Optional("onTimeout", "What leaves when a key ends.", "none"), value.on_timeout);
  Text(fields, Optional("orderExpr", "Order of a key's records inside a batch.", "source position"),
       value.order_expr, kExpressionText);
  Text(fields, Optional("initial", "Table with the state of the first start.", "none"),
       value.initial, kReference);
}

void Describe(Fields& fields, SampleStep& value) {
  Double(fields, Required("fraction", "Share of the records kept, 0 to 1.", "0.1"), value.fraction,
         0, 1);
  Int(fields, Optional("seed", "Another seed gives another sample."), value.seed, 0);
}

void Describe(Fields& fields, RepartitionStep& value) {
  Strings(
      fields,
      Optional("key", "Records with equal values of these fields go together.", "none", "[user]"),
      value.key, kFieldReference, 1, kMaxObjects);
  Int(fields, Optional("partitions", "Number of partitions, filled evenly.", "none"),
      value.partitions, 1, 4096);
  fields.OneOf({"key", "partitions"}, true);
}

void Describe(Fields& fields, Step& value) {
  Text(fields, Optional("name", "Identity of the step's state across edits.", "the kind"),
       value.name, kName);
  Union(fields, Required("", ""), value.kind,
        {{"map", "Makes a new record."},
         {"set", "Adds or replaces fields."},
         {"drop", "Removes fields."},
         {"flatMap", "Makes one record of each element of a list."},
         {"filter", "Keeps some records."},
         {"union", "Adds the records of other streams."},
         {"aggregate", "Computes values of groups of records."},
         {"top", "Keeps the first rows of an order."},
         {"join", "Pairs records of two streams."},
         {"lookup", "Adds a row of a table."},
         {"dedup", "Drops repeated records."},
         {"state", "Keeps own state by key."},
         {"sample", "Keeps a share of the records."},
         {"repartition", "Spreads the records anew."}});
  DescribeOnError(fields, value.on_error, true,
                  "What a record whose expression fails does; SetNull only in map and set.");
}

void Describe(Fields& fields, Stream& value) {
  Text(fields,
       Required("name", "Name of the stream, unique among sources, streams and tables.", "counts"),
       value.name, kName);
  Text(fields, Required("from", "Source or stream it reads.", "lines"), value.from, kReference);
  List(fields, Optional("steps", "What happens to the records, in order.", "[]"), value.steps);
}

const char* StepKindName(const StepKind& kind) {
  static constexpr const char* kNames[] = {"map",   "set",       "drop",   "flatMap",    "filter",
                                           "union", "aggregate", "top",    "join",       "lookup",
                                           "dedup", "state",     "sample", "repartition"};
  static_assert(std::size(kNames) == std::variant_size_v<StepKind>);
  return kNames[kind.index()];
}

}  // namespace millrace::api
