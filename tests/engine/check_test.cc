#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "crds/api/codec.h"
#include "crds/api/findings.h"
#include "worker/plan/job_plan.h"

namespace millrace::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// Every error of a manifest, as `millrace check` prints them.
std::vector<std::string> Check(const std::string& text) {
  api::JobDocument document = api::ParseJob(text);
  if (document.readable) {
    const bool planned = BuildPlan(document.job, &document.diagnostics, document.shape_errors).ok();
    EXPECT_EQ(planned, !api::HasErrors(document.diagnostics));
    api::SortByPlace(document.positions, &document.diagnostics);
  }
  std::vector<std::string> errors;
  for (const api::Diagnostic& diagnostic : document.diagnostics) {
    if (!diagnostic.warning)
      errors.push_back(api::Render(diagnostic, "job.yaml", document.positions));
  }
  return errors;
}

std::string Job(const std::string& streams,
                const std::string& source = "{name: lines, stdin: {}, format: {text: {}}}") {
  return "apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: "
         "x}\nspec:\n"
         "  sources: [" +
         source + "]\n  streams:\n" + streams + "  sinks: [{name: o, from: s, console: {}}]\n";
}

std::string Steps(const std::string& steps) {
  return Job("    - {name: s, from: lines, steps: [" + steps + "]}\n");
}

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
    {"Circle",
     Job("    - {name: a, from: s, steps: [{filter: x > 1}]}\n    - {name: s, from: a, steps: "
         "[{filter: y > 1}]}\n"),
     "in a circle"},
};

INSTANTIATE_TEST_SUITE_P(Causes, CascadeTest, ::testing::ValuesIn(kCascades),
                         [](const auto& test) { return std::string(test.param.name); });

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
}  // namespace millrace::worker
