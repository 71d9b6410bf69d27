#include <gtest/gtest.h>

#include "crds/api/job_text.h"

namespace millrace::api {
namespace {

// What can be wrong with the text, its values and its field names, and the whole answer to each.
const std::vector<BadJob> kCases{
    {"B01 empty file", Whole(""), {"job.yaml: no job found: the text is empty"}},
    {"B01 only comments", Whole("# nothing\n"), {"job.yaml: no job found: the text is empty"}},
    {"B02 root is a list",
     Whole("- a\n"),
     {"job.yaml:1:1: expected a job, an object with apiVersion, kind, metadata and spec; found a "
      "list"}},
    {"B02 root is a scalar",
     Whole("job\n"),
     {"job.yaml:1:1: expected a job, an object with apiVersion, kind, metadata and spec; found the "
      "string \"job\""}},
    {"B02 root is null",
     Whole("null\n"),
     {"job.yaml:1:1: expected a job, an object with apiVersion, kind, metadata and spec; found "
      "null"}},
    {"B03 two documents",
     Whole("a: 1\n---\nb: 2\n"),
     {"job.yaml:2:1: found a second document; a manifest holds exactly one job, so put each into "
      "its own file"}},
    {"B04 duplicate key",
     Spec("  workers: 2\n  suspend: false\n  workers: 9"),
     {"job.yaml:9:3: spec.workers: duplicate key \"workers\"; first given on line 7"}},
    {"B05 tab indentation",
     Whole("spec:\n\tworkers: 1\n"),
     {"job.yaml:2:1: a tab indents this line; YAML allows only spaces there"}},
    {"B06 nesting of 600 levels",
     Whole("a: "
           "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
           "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
           "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
           "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
           "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
           "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
           "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]"
           "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
           "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
           "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
           "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
           "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
           "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
           "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n"),
     {"job.yaml:1:67: nested deeper than 64 levels"}},
    {"B07 alias bomb",
     Whole("a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c "
           "[*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e "
           "[*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"),
     {"job.yaml:5:29: more than 100000 values after aliases are replaced by what they stand for"}},
    {"B08 alias inside itself",
     Whole("a: &a [*a]\n"),
     {"job.yaml:1:8: the alias stands inside the value it names, which would never end"}},
    {"B09 undefined alias",
     Whole("a: *b\n"),
     {"job.yaml:1:4: the alias names an anchor that is not defined before it"}},
    {"B10 merge key",
     Spec("  metrics: &m {port: 9091}\n  logging: {<<: *m}"),
     {"job.yaml:8:13: spec.logging.<<: merge keys (<<) are not read; write the fields out"}},
    {"B11 boolean for a string",
     Steps("- filter: no"),
     {"job.yaml:11:19: spec.streams[0].steps[0].filter: expected a string, found the boolean no; "
      "write \"no\" with quotes"}},
    {"B11 boolean as a name",
     Steps("- map: {on: value}"),
     {"job.yaml:11:17: spec.streams[0].steps[0].map.on: YAML reads the bare name on as a boolean; "
      "write \"on\" with quotes"}},
    {"B11 null as a name",
     Steps("- map: {~: value}"),
     {"job.yaml:11:17: spec.streams[0].steps[0].map.~: YAML reads the bare name ~ as a null; write "
      "\"~\" with quotes"}},
    {"B11 name that is a boolean",
     WithSource("stdin: {}\nformat: {json: {schema: {y: int}}}"),
     {"job.yaml:9:32: spec.sources[0].format.json.schema.y: YAML reads the bare name y as a "
      "boolean; write \"y\" with quotes"}},
    {"B11 yes for a bool",
     Spec("  suspend: yes"),
     {"job.yaml:7:12: spec.suspend: expected true or false, found yes; write true"}},
    {"B12 B13 workers 010",
     Spec("  workers: 010"),
     {"job.yaml:7:12: spec.workers: expected an integer from 0 to 1000, found 010, which some "
      "readers take for 8 and others for 10; write 10"}},
    {"B12 B13 workers 0o10",
     Spec("  workers: 0o10"),
     {"job.yaml:7:12: spec.workers: expected an integer from 0 to 1000, found 0o10; write 8"}},
    {"B12 B13 workers 0x10",
     Spec("  workers: 0x10"),
     {"job.yaml:7:12: spec.workers: expected an integer from 0 to 1000, found 0x10; write 16"}},
    {"B12 B13 workers 1_000",
     Spec("  workers: 1_000"),
     {"job.yaml:7:12: spec.workers: expected an integer from 0 to 1000, found 1_000; write 1000"}},
    {"B12 B13 workers -1",
     Spec("  workers: -1"),
     {"job.yaml:7:12: spec.workers: expected an integer from 0 to 1000, found -1"}},
    {"B12 B13 workers 1e3",
     Spec("  workers: 1e3"),
     {"job.yaml:7:12: spec.workers: expected an integer from 0 to 1000, found 1e3; write 1000"}},
    {"B12 B13 workers 2.5",
     Spec("  workers: 2.5"),
     {"job.yaml:7:12: spec.workers: expected an integer from 0 to 1000, found 2.5"}},
    {"B12 B13 workers '2'",
     Spec("  workers: \"2\""),
     {"job.yaml:7:13: spec.workers: expected an integer from 0 to 1000, found the string \"2\"; "
      "write 2 without quotes"}},
    {"B12 B13 workers 99999999999",
     Spec("  workers: 99999999999"),
     {"job.yaml:7:12: spec.workers: expected an integer from 0 to 1000, found 99999999999"}},
    {"B12 B13 workers 99999999999999999999",
     Spec("  workers: 99999999999999999999"),
     {"job.yaml:7:12: spec.workers: expected an integer from 0 to 1000, found "
      "99999999999999999999"}},
    {"B12 B13 workers many",
     Spec("  workers: many"),
     {"job.yaml:7:12: spec.workers: expected an integer from 0 to 1000, found the string "
      "\"many\""}},
    {"B12 B13 workers [1]",
     Spec("  workers: [1]"),
     {"job.yaml:7:12: spec.workers: expected an integer from 0 to 1000, found a list"}},
    {"B14 batchInterval 0s",
     Spec("  batchInterval: 0s"),
     {"job.yaml:7:18: spec.batchInterval: must be at least 5ms, found 0s"}},
    {"B14 batchInterval -1s",
     Spec("  batchInterval: -1s"),
     {"job.yaml:7:18: spec.batchInterval: must be at least 5ms, found -1s"}},
    {"B14 batchInterval 1",
     Spec("  batchInterval: 1"),
     {"job.yaml:7:18: spec.batchInterval: \"1\" is not a duration: a unit is missing; write 1s for "
      "seconds or 1ms for milliseconds"}},
    {"B14 batchInterval 1 sec",
     Spec("  batchInterval: 1 sec"),
     {"job.yaml:7:18: spec.batchInterval: \"1 sec\" is not a duration: there is no unit \" sec\"; "
      "use units ms, s, m or h, for example 500ms, 1m30s or 24h"}},
    {"B14 batchInterval 1d1h",
     Spec("  batchInterval: 1d1h"),
     {"job.yaml:7:18: spec.batchInterval: \"1d1h\" is not a duration: there is no unit \"d\"; use "
      "units ms, s, m or h, for example 500ms, 1m30s or 24h"}},
    {"B14 batchInterval 1d",
     Spec("  batchInterval: 1d"),
     {"job.yaml:7:18: spec.batchInterval: \"1d\" is not a duration: there is no unit \"d\"; write "
      "24h"}},
    {"B14 batchInterval 9223372036854775807ms",
     Spec("  batchInterval: 9223372036854775807ms"),
     {"job.yaml:7:18: spec.batchInterval: \"9223372036854775807ms\" is longer than 10,000 years"}},
    {"B14 batchInterval 1ms",
     Spec("  batchInterval: 1ms"),
     {"job.yaml:7:18: spec.batchInterval: must be at least 5ms, found 1ms"}},
    {"B14 batchInterval 0",
     Spec("  batchInterval: 0"),
     {"job.yaml:7:18: spec.batchInterval: must be at least 5ms, found 0"}},
    {"B14 batchInterval no",
     Spec("  batchInterval: no"),
     {"job.yaml:7:18: spec.batchInterval: expected a string, found the boolean no; write \"no\" "
      "with quotes"}},
    {"B15 unknown field",
     Spec("  batchIntreval: 1s"),
     {"job.yaml:7:3: spec.batchIntreval: unknown field \"batchIntreval\"; did you mean "
      "\"batchInterval\"?"}},
    {"B15 unknown field far from all",
     WithSource("stdin: {}\nformat: {text: {}}\neventTime: {timestampExpr: at, lateness: 5s}"),
     {"job.yaml:10:38: spec.sources[0].eventTime.lateness: unknown field \"lateness\"; known: "
      "timestampExpr, watermarkDelay, idleTimeout, maxFuture"}},
    {"B15 unknown kind of source",
     WithSource("kafak: {}\nformat: {text: {}}"),
     {"job.yaml:8:7: spec.sources[0].kafak: unknown field \"kafak\"; did you mean \"kafka\"?"}},
    {"B16 unknown apiVersion",
     Whole("apiVersion: v2\nkind: StreamingJob\n"),
     {"job.yaml:1:13: apiVersion: \"v2\" is not known; this build knows "
      "\"streaming.millrace.io/v1alpha1\""}},
    {"B16 unknown kind",
     Whole("apiVersion: streaming.millrace.io/v1alpha1\nkind: Job\n"),
     {"job.yaml:2:7: kind: \"Job\" is not known; this build knows \"StreamingJob\""}},
};

TEST(ManifestErrorTest, NamesPlaceFoundAndExpected) {
  for (const BadJob& bad : kCases) EXPECT_EQ(Errors(bad.text), bad.errors) << bad.name;
}

}  // namespace
}  // namespace millrace::api
