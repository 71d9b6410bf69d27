#include "tests/engine/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace millrace::worker::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

TEST(CheckTest, GoesOnBehindAWrongFilter) {
  EXPECT_THAT(Check(Steps("{filter: valu != \"\"}, {set: {length: value.sizes()}}")),
              ElementsAre(HasSubstr("steps[0].filter: no field \"valu\""),
                          HasSubstr("steps[1].set.length: ")));
}

TEST(CheckTest, NamesTheFieldOfEveryExpression) {
  EXPECT_THAT(Check(Steps("{map: {a: foo, b: bar}}")),
              ElementsAre(HasSubstr("spec.streams[0].steps[0].map.a: no field"),
                          HasSubstr("spec.streams[0].steps[0].map.b: no field")));
  EXPECT_THAT(
      Check(Steps("{aggregate: {key: [value], window: {batch: {}}, values: {total: sum(size)}}}")),
      ElementsAre(HasSubstr("spec.streams[0].steps[0].aggregate.values.total: no field \"size\"")));
}

TEST(CheckTest, ShowsShapeRulesAndTypesInOnePass) {
  const std::vector<std::string> errors = Check(
      "apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: x}\nspec:\n"
      "  batchInterval: 1 sec\n"
      "  sources: [{name: lines, stdin: {}, format: {text: {}}, colour: red}]\n"
      "  streams:\n    - name: s\n      from: lines\n      steps: [{filter: valu != \"\"}]\n"
      "  sinks: [{name: o, from: t, console: {}}]\n");
  EXPECT_THAT(errors, ElementsAre(StartsWith("job.yaml:5:18: spec.batchInterval: "),
                                  HasSubstr("spec.sources[0].colour: unknown field"),
                                  HasSubstr("steps[0].filter: no field \"valu\""),
                                  HasSubstr("spec.sinks[0].from: no source or stream \"t\"")));
}

struct Absorbed {
  const char* name;
  std::string text;
  std::string only;  // the one message
};

class CascadeTest : public ::testing::TestWithParam<Absorbed> {};

TEST_P(CascadeTest, BlamesOnlyTheCause) {
  EXPECT_THAT(Check(GetParam().text), ElementsAre(HasSubstr(GetParam().only)));
}

const Absorbed kCascades[] = {
    {"MapThenUse",
     Steps("{map: {a: wrng}}, {filter: a > 3}, {set: {b: 'a.upperAscii()'}}, {filter: b != \"\"}"),
     "map.a: no field \"wrng\""},
    {"SetThenKey",
     Steps("{set: {a: wrng}}, {aggregate: {key: [a], window: {batch: {}}, values: {num: sum(a)}}}, "
           "{filter: num > 3}"),
     "set.a: no field"},
    {"AggregateThenTop",
     Steps("{aggregate: {key: [value], window: {batch: {}}, values: {num: sum(x)}}}, {top: {limit: "
           "3, window: {batch: {}}, orderBy: [{value: num}]}}, "
           "{map: {value: value, num: num + 1, rank: rank}}"),
     "aggregate.values.num: no field \"x\""},
    {"AggregateWithWrongKey",
     Steps("{aggregate: {key: [vlue], window: {batch: {}}, values: {num: count()}}}, {filter: vlue "
           "!= \"\" && num > 1}"),
     "aggregate.key[0]: no field \"vlue\""},
    {"UnknownStepKind",
     Steps("{mapp: {a: value}}, {filter: a != \"\"}, {aggregate: {key: [b], window: {batch: {}}, "
           "values: {num: max(c)}}}"),
     "steps[0].mapp: unknown field"},
    {"StepWithoutKind", Steps("{name: x}, {filter: a != \"\"}"),
     "steps[0]: expected exactly one of"},
    {"UnknownMember",
     Steps("{aggregate: {key: [value], window: {batch: {}}, values: {num: count()}, colour: red}}, "
           "{filter: num > 1}"),
     "aggregate.colour: unknown field"},
    {"BooleanForExpression", Steps("{map: {a: no}}, {filter: a != \"\"}"),
     "map.a: expected a string"},
    {"BadDuration",
     Steps("{aggregate: {key: [value], window: {tumbling: {length: 5}}, values: {num: count()}}}, "
           "{filter: num > 1 && windowEnd > windowStart}"),
     "window.tumbling.length: "},
    {"KeyIsNoList",
     Steps("{aggregate: {key: value, window: {batch: {}}, values: {num: count()}}}, {filter: value "
           "!= \"\"}"),
     "aggregate.key: expected a list"},
    {"UnknownFrom",
     Job("    - {name: s, from: lins, steps: [{filter: a > 1}, {aggregate: {key: [b], window: "
         "{batch: {}}, values: {num: sum(c)}}}]}\n"),
     "streams[0].from: no source or stream \"lins\""},
    {"BadSchema",
     Job("    - {name: s, from: lines, steps: [{filter: a > 1}, {dedup: {key: [b], within: "
         "1m}}]}\n",
         "{name: lines, stdin: {}, format: {json: {schema: {a: integer, b: string}}}}"),
     "json.schema.a: "},
    {"FormatMisspelt",
     Job("    - {name: s, from: lines, steps: [{filter: a > 1}, {set: {b: a + c}}]}\n",
         "{name: lines, stdin: {}, format: {jsn: {}}}"),
     "format.jsn: unknown field"},
    {"SchemaMisspelt",
     Job("    - {name: s, from: lines, steps: [{filter: a > 1}]}\n",
         "{name: lines, stdin: {}, format: {json: {schem: {a: int}}}}"),
     "format.json.schem: unknown field"},
    {"JoinOverUnknown",
     Job("    - {name: t, from: lines, steps: [{map: {k: wrng}}]}\n"
         "    - {name: s, from: lines, steps: [{join: {with: t, key: [value], withKey: [k], "
         "window: {batch: {}}}}, {map: {a: t.k}}]}\n"),
     "streams[0].steps[0].map.k: no field"},
    {"UnionOverUnknown",
     Job("    - {name: t, from: lines, steps: [{set: {value: wrng}}]}\n    - {name: s, from: "
         "lines, steps: [{union: [t]}, {filter: value != \"\"}]}\n"),
     "set.value: no field"},
    {"UnknownTable", Steps("{lookup: {table: t, match: {id: value}}}, {filter: t.x > 3}"),
     "lookup.table: no table \"t\""},
    {"StateFieldWrong",
     Steps("{state: {key: [value], fields: {num: {type: integer, init: \"0\"}}, update: {num: "
           "state.num + 1}, output: {fields: {num: state.num}}}}, {filter: num > 3}"),
     "state.fields.num.type: "},
    {"EventTimeMisspelt",
     Job("    - {name: s, from: lines, steps: [{aggregate: {key: [k], window: {tumbling: {length: "
         "1m}}, time: Event, values: {num: count()}}}]}\n",
         "{name: lines, stdin: {}, format: {json: {schema: {k: string, at: timestamp}}}, evenTime: "
         "{timestampExpr: at}}"),
     "sources[0].evenTime: unknown field \"evenTime\"; did you mean \"eventTime\"?"},
    {"RequiredFieldMisspelt",
     Steps("{aggregate: {key: [value], windw: {batch: {}}, values: {num: count()}}}, {filter: num "
           "> 1}"),
     "aggregate.windw: unknown field \"windw\"; did you mean \"window\"?"},
    {"LateRecordsOfABatch",
     Steps("{aggregate: {key: [value], window: {batch: {}}, values: {num: count()}, onLate: "
           "DeadLetter}}"),
     "aggregate.onLate: no record is late for a batch window; remove it"},
    {"OneOfSeveralMisspelt",
     Job("    - {name: s, from: lines, steps: [{filter: a > 1}]}\n",
         "{name: lines, generator: {feilds: {a: seq}}}"),
     "generator.feilds: unknown field \"feilds\"; did you mean \"fields\"?"},
    {"FormatFieldMisspelt",
     Job("    - {name: s, from: lines, steps: [{filter: a > 1}]}\n",
         "{name: lines, stdin: {}, fromat: {json: {schema: {a: int}}}}"),
     "sources[0].fromat: unknown field \"fromat\"; did you mean \"format\"?"},
    {"MisspeltFieldOfAnotherType",
     Steps("{aggregate: {key: [value], window: {batch: {}}, valuess: 5}}"),
     "aggregate.valuess: unknown field \"valuess\"; did you mean \"values\"?"},
    {"FormatThatOnlyReads",
     "apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: x}\nspec:\n"
     "  sources: [{name: lines, stdin: {}, format: {text: {}}}]\n"
     "  sinks: [{name: o, from: lines, file: {path: /tmp/o}, format: {regex: {pattern: "
     "\"(?P<value>.*)\", schema: {value: string}}}}]\n",
     "sinks[0].format.regex: a regular expression reads lines, it cannot write them"},
    {"ValueNamedLikeItsKey",
     Steps("{aggregate: {key: [value], window: {batch: {}}, values: {value: count()}}}"),
     "aggregate.values.value: the name \"value\" is a key field of the result already"},
    {"TopOfAnUpdatingStream",
     Steps(
         "{aggregate: {key: [value], window: {global: {}}, values: {num: count()}}}, {top: {limit: "
         "2, window: {global: {}}, orderBy: [{value: num}]}}"),
     "steps[1].top: the records before it are an updating stream"},
    {"OtherFieldsOnTimeout",
     Steps("{state: {key: [value], fields: {num: {type: int, init: \"0\"}}, update: {num: "
           "state.num + "
           "1}, timeout: {idle: 5s}, output: {fields: {num: state.num}}, onTimeout: {fields: {x: "
           "state.num}}}}, {filter: num > 3}"),
     "onTimeout.fields: must have the fields of output.fields: num"},
    {"NoOutputForTimeouts",
     Steps("{state: {key: [value], fields: {num: {type: int, init: \"0\"}}, update: {num: "
           "state.num + "
           "1}, timeout: {idle: 5s}, onTimeout: {fields: {x: state.num}}}}"),
     "onTimeout.fields: needs output.fields with the same fields"},
    {"NameThatYamlTakesForABoolean",
     Steps(
         "{state: {key: [value], fields: {\"n\": {type: int, init: \"0\"}}, update: {n: state.n + "
         "1}, output: {fields: {num: state.n}}}}, {filter: num > 3}"),
     "state.update.n: YAML reads the bare name n as a boolean; write \"n\" with quotes"},
    {"FieldThatYamlTakesForABoolean",
     Steps(
         "{state: {key: [value], fields: {n: {type: int, init: \"0\"}}, update: {\"n\": state.n + "
         "1}, output: {fields: {num: state.n}}}}, {filter: num > 3}"),
     "state.fields.n: YAML reads the bare name n as a boolean; write \"n\" with quotes"},
    {"UnknownAggregate",
     Steps("{aggregate: {key: [value], window: {batch: {}}, values: {num: summ(size(value))}}}, "
           "{filter: num > 1}"),
     "values.num: no aggregate or function summ(). Did you mean \"sum\"?"},
    {"UnknownFunctionOfAnAggregate",
     Steps("{aggregate: {key: [value], window: {batch: {}}, values: {num: duble(count())}}}"),
     "values.num: no aggregate or function duble(). Did you mean \"double\"?"},
    {"Circle",
     Job("    - {name: a, from: s, steps: [{filter: x > 1}]}\n    - {name: s, from: a, steps: "
         "[{filter: y > 1}]}\n"),
     "in a circle"},
};

INSTANTIATE_TEST_SUITE_P(Causes, CascadeTest, ::testing::ValuesIn(kCascades),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(CheckTest, HiddenFieldsAreNeitherDroppedNorKeysOfAResult) {
  EXPECT_THAT(Check(Steps("{drop: [__batchTime]}")),
              ElementsAre(HasSubstr("steps[0].drop[0]: field \"__batchTime\" is hidden: it stays "
                                    "with every record and is never written")));
  EXPECT_THAT(Check(Steps("{aggregate: {key: [__source], window: {batch: {}}, values: {num: "
                          "count()}}}")),
              ElementsAre(HasSubstr("aggregate.key[0]: field \"__source\" is hidden and would not "
                                    "be in the result; copy it to a field of your own")));
  EXPECT_THAT(Check(Steps("{set: {from: __source}}, {aggregate: {key: [from], window: {batch: {}}, "
                          "values: {num: count()}}}")),
              IsEmpty());
}

TEST(CheckTest, NobodyReadsTheEnginesOwnPosition) {
  EXPECT_THAT(Check(Steps("{set: {a: __position}}, {sample: {fraction: 0.5}}")),
              ElementsAre(HasSubstr("set.a: no field \"__position\" in this record; it has: value, "
                                    "__batchTime, __source, __eventTime.")));
  EXPECT_THAT(Check(Steps("{dedup: {key: [__position], within: 1s}}")),
              ElementsAre(HasSubstr("dedup.key[0]: no field \"__position\"")));
}

TEST(CheckTest, UnionNamesBothSchemasWhenTheyDiffer) {
  const auto united = [](const std::string& step) {
    return Check(Job("    - {name: t, from: lines, steps: [" + step + "]}\n" +
                         "    - {name: s, from: lines, steps: [{union: [t]}]}\n",
                     "{name: lines, stdin: {}, format: {json: {schema: {k: string, v: int}}}}"));
  };
  const std::string path = "job.yaml:8:47: spec.streams[1].steps[0].union[0]: ";
  EXPECT_THAT(united("{map: {v: v * 2, k: k}}"), IsEmpty()) << "the order does not matter";
  EXPECT_THAT(united("{map: {k: k, v: string(v)}}"),
              ElementsAre(path + "union needs equal schemas: this stream has {k: string, v: int}, "
                                 "\"t\" has {k: string, v: string}"));
  EXPECT_THAT(united("{drop: [v]}"),
              ElementsAre(path + "union needs equal schemas: this stream has {k: string, v: int}, "
                                 "\"t\" has {k: string}"));
  EXPECT_THAT(united("{set: {v: 'v > 3 ? null : v'}}"),
              ElementsAre(path + "union needs equal schemas: this stream has {k: string, v: int}, "
                                 "\"t\" has {k: string, v: int?}"));
}

TEST(CheckTest, LooksIntoAMisspeltField) {
  const std::string job =
      Job("    - {name: s, from: lines}\n",
          "{name: lines, stdin: {}, format: {json: {schema: {at: timestamp}}}, evenTime: "
          "{timestampExpr: att, watermarkDelay: 5}}");
  EXPECT_THAT(Check(job),
              ElementsAre(StartsWith("job.yaml:5:81: spec.sources[0].evenTime: unknown field"),
                          StartsWith("job.yaml:5:107: spec.sources[0].eventTime.timestampExpr: no "
                                     "field \"att\""),
                          StartsWith("job.yaml:5:128: spec.sources[0].eventTime.watermarkDelay: "
                                     "\"5\" is not a duration")));
}

// A place of one manifest that is right or wrong, whatever the other places are.
struct Plant {
  std::string good;
  std::string bad;
};

const std::vector<Plant> kPlants{
    {"batchInterval: 1s", "batchInterval: 1 sec"},
    {"maxParallelism: 16", "maxParallelism: many"},
    {"workers: 2", "wrkers: 2"},
    {"maxRatePerPartition: 5", "maxRatePerPartition: -5"},
    {"rate: 10", "rat: 10"},
    {"odd: seq % 2 == 1", "odd: seq % nothing == 1"},
    {"filter: seq > 3", "filter: sec > 3"},
    {"text: string(seq)", "text: strng(seq)"},
    {"twice: seq * 2", "twice: seq * \"x\""},
    {"flag: odd", "flag: odd &&"},
    {"key: [text]", "key: [txt]"},
    {"length: 10s", "length: 10 s"},
    {"total: sum(twice)", "total: sum(nothing)"},
    {"longest: max(text)", "longest: max(texts)"},
    {"limit: 3", "limit: 0"},
    {"value: total", "value: 1 + \"a\""},
    {"from: ranked", "from: rankd"},
    {"rows: 5", "rows: five"},
};

// Each @ is a place, in the order of kPlants.
constexpr std::string_view kField = R"(apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: x}
spec:
  @
  @
  @
  sources:
    - name: numbers
      @
      generator:
        @
        fields:
          seq: seq
          @
  streams:
    - name: totals
      from: numbers
      steps:
        - @
        - map:
            @
            @
            @
        - aggregate:
            @
            window:
              tumbling:
                @
            values:
              @
              @
    - name: ranked
      from: totals
      steps:
        - top:
            @
            window: {batch: {}}
            orderBy:
              - @
  sinks:
    - name: out
      @
      console:
        @
)";

std::string Planted(const std::vector<bool>& wrong) {
  std::string text;
  size_t next = 0;
  for (const char c : kField) {
    if (c != '@') {
      text += c;
      continue;
    }
    text += wrong[next] ? kPlants[next].bad : kPlants[next].good;
    ++next;
  }
  return text;
}

TEST(CheckPropertyTest, AJobWithoutPlantedErrorsIsValid) {
  EXPECT_THAT(Check(Planted(std::vector<bool>(kPlants.size()))), IsEmpty());
}

TEST(CheckPropertyTest, MendingOneErrorLeavesTheOtherMessagesAsTheyAre) {
  constexpr unsigned kSeed = 17;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 60; ++round) {
    std::vector<bool> wrong(kPlants.size());
    for (size_t i = 0; i < wrong.size(); ++i) wrong[i] = random() % 3 == 0;
    const std::vector<std::string> all = Check(Planted(wrong));
    EXPECT_GE(all.size(), static_cast<size_t>(std::count(wrong.begin(), wrong.end(), true)))
        << Planted(wrong);
    for (size_t i = 0; i < wrong.size(); ++i) {
      if (!wrong[i]) continue;
      std::vector<bool> mended = wrong;
      mended[i] = false;
      for (const std::string& message : Check(Planted(mended))) {
        EXPECT_THAT(all, ::testing::Contains(message))
            << "seed " << kSeed << ", mended " << kPlants[i].bad << " of\n"
            << Planted(wrong);
      }
    }
  }
}

}  // namespace
}  // namespace millrace::worker::testing
