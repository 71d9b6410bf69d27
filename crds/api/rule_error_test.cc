#include <gtest/gtest.h>

#include "crds/api/job_text.h"

namespace millrace::api {
namespace {

// Rules between fields, streams and sinks.
const std::vector<BadJob> kCases{
    {"B17 no source and no sink",
     Whole("apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: "
           "j}\nspec:\n  workers: 1\n"),
     {"job.yaml:5:3: spec.sources: required and missing",
      "job.yaml:5:3: spec.sinks: required and missing"}},
    {"B18 two streams of a name",
     Spec("  streams: [{name: lines, from: lines}]"),
     {"job.yaml:7:20: spec.streams[0].name: the name \"lines\" is taken by spec.sources[0]"}},
    {"B18 unknown stream",
     Spec("  streams: [{name: s, from: lnes}]"),
     {"job.yaml:7:29: spec.streams[0].from: no source or stream \"lnes\"; did you mean "
      "\"lines\"?"}},
    {"B18 unknown table",
     Steps("- lookup: {table: t, match: {a: value}}"),
     {"job.yaml:11:27: spec.streams[0].steps[0].lookup.table: no table \"t\"; there is none"}},
    {"B18 two stateful steps of a kind",
     Steps("- dedup: {key: [value], within: 1s}\n- dedup: {key: [value], within: 2s}"),
     {"job.yaml:12:11: spec.streams[0].steps[1]: a second dedup in this stream needs a name, since "
      "steps[0] is called \"dedup\"; add name: ..."}},
    {"two file sinks in one folder",
     kHead + kSourceLine +
         "  sinks:\n    - {name: a, from: lines, file: {path: /data/out}, format: {json: {}}}\n"
         "    - {name: b, from: lines, file: {path: /data/.//out/}, format: {json: {}}}\n",
     {"job.yaml:8:43: spec.sinks[1].file.path: the sink \"a\" writes to this folder, and so does "
      "\"b\"; give each its own"}},
    {"sink in the folder of a source",
     kHead +
         "  sources: [{name: lines, file: {path: /data/in}, format: {text: {}}}]\n"
         "  sinks:\n    - {name: a, from: lines, file: {path: /data/in/}, format: {text: {}}}\n",
     {"job.yaml:7:43: spec.sinks[0].file.path: the source \"lines\" reads /data/in, so it would "
      "read what this sink writes; use another folder"}},
    {"sink in the folders of a glob",
     kHead +
         "  sources: [{name: lines, file: {path: '/data/*/*.txt'}, format: {text: {}}}]\n"
         "  sinks:\n    - {name: a, from: lines, file: {path: /data/out}, format: {text: {}}}\n",
     {"job.yaml:7:43: spec.sinks[0].file.path: the source \"lines\" reads /data/*/*.txt, so it "
      "would read what this sink writes; use another folder"}},
    {"folders of a pathExpr in the folder of a source",
     kHead + "  sources: [{name: lines, file: {path: /data/in}, format: {text: {}}}]\n"
             "  sinks:\n    - {name: a, from: lines, file: {path: /data, pathExpr: value}, format: "
             "{text: {}}}\n",
     {"job.yaml:7:43: spec.sinks[0].file.path: the source \"lines\" reads /data/in, so it would "
      "read what this sink writes; use another folder"}},
    {"sink beside what a source reads",
     kHead + "  sources: [{name: lines, file: {path: '/data/*.csv'}, format: {text: {}}}]\n"
             "  sinks:\n    - {name: a, from: lines, file: {path: /data}, format: {text: {}}}\n"
             "    - {name: b, from: lines, file: {path: /data/out}, format: {text: {}}}\n",
     {}},
    {"two http sources on one port",
     kHead + kSinkLine +
         "  sources:\n    - {name: lines, http: {port: 8080}, format: {text: {}}}\n"
         "    - {name: more, http: {port: 8080, path: /more}, format: {text: {}}}\n",
     {"job.yaml:8:33: spec.sources[1].http.port: the port 8080 is taken by the source \"lines\""}},
    {"B19 cycle",
     Spec("  streams:\n    - {name: a, from: c}\n    - {name: b, from: a}\n    - {name: c, from: "
          "b}"),
     {"job.yaml:8:7: spec.streams[0]: streams read each other in a circle: a -> b -> c -> a; break "
      "it with a stream table"}},
    {"B19 self edge",
     Spec("  streams: [{name: a, from: a}]"),
     {"job.yaml:7:13: spec.streams[0]: the stream \"a\" reads itself; keep what was before in a "
      "state step or a stream table"}},
    {"B21 slide above length",
     Steps("- aggregate: {key: [value], window: {sliding: {length: 10s, slide: 20s}}, values: "
           "{num: count()}}"),
     {"job.yaml:11:76: spec.streams[0].steps[0].aggregate.window.sliding.slide: must not exceed "
      "the length (10s), found 20s"}},
    {"B21 zero slide",
     Steps("- aggregate: {key: [value], window: {sliding: {length: 10s, slide: 0s}}, values: {num: "
           "count()}}"),
     {"job.yaml:11:76: spec.streams[0].steps[0].aggregate.window.sliding.slide: must be longer "
      "than 0s, found 0s"}},
    {"B21 negative lateness",
     WithSource(
         "stdin: {}\nformat: {text: {}}\neventTime: {timestampExpr: at, watermarkDelay: -1s}"),
     {"job.yaml:10:54: spec.sources[0].eventTime.watermarkDelay: must not be negative, found -1s"}},
    {"B21 no multiple of the batch",
     Steps("- aggregate: {window: {tumbling: {length: 1500ms}}, values: {num: count()}}"),
     {"job.yaml:11:51: spec.streams[0].steps[0].aggregate.window.tumbling.length: in processing "
      "time a length must be a multiple of batchInterval (1s), found 1.5s"}},
    {"B23 join without window",
     Steps("- join: {with: lines, key: [value]}"),
     {"job.yaml:11:17: spec.streams[0].steps[0].join.window: required and missing, for example "
      "{tumbling: {length: 1m}}"}},
    {"control character",
     Whole("a: \001\n"),
     {"job.yaml:1:4: control character \"\\u0001\" in the text; a manifest is UTF-8 text"}},
    {"text that is not UTF-8", Whole("a: 1\nb: \377\n"), {"job.yaml:2:1: the line is not UTF-8"}},
    {"enum in lower case",
     Spec("  onError: skip"),
     {"job.yaml:7:12: spec.onError: expected Fail, Skip or DeadLetter, found \"skip\"; did you "
      "mean \"Skip\"?"}},
    {"two kinds of source",
     WithSource("stdin: {}\nsocket: {host: h, port: 1}\nformat: {text: {}}"),
     {"job.yaml:7:7: spec.sources[0]: expected exactly one of file, socket, http, generator, "
      "stdin, kafka; found socket and stdin"}},
    {"format as a string",
     WithSource("stdin: {}\nformat: text"),
     {"job.yaml:9:15: spec.sources[0].format: expected an object with one of text, raw, json, csv, "
      "regex, avro, protobuf; found the string \"text\"; write {text: {}}"}},
    {"list for one",
     Steps("- dedup: {key: value, within: 1s}"),
     {"job.yaml:11:24: spec.streams[0].steps[0].dedup.key: expected a list of strings, found the "
      "string \"value\"; write [value]"}},
    {"reserved word as a field",
     Steps("- map: {in: value}"),
     {"job.yaml:11:17: spec.streams[0].steps[0].map.in: \"in\" is a reserved word of the "
      "expression language; choose another name"}},
    {"Final with global",
     Steps("- aggregate: {window: {global: {}}, values: {num: count()}, emit: Final}"),
     {"job.yaml:11:75: spec.streams[0].steps[0].aggregate.emit: a global window never closes, so "
      "nothing would be Final; use Changes or All"}},
    {"outer join with global",
     Steps("- join: {with: lines, key: [value], window: {global: {}}, type: Left}"),
     {"job.yaml:11:73: spec.streams[0].steps[0].join.type: an outer join needs a window that "
      "closes, so that a record is known to have no partner; with global only Inner works"}},
    {"Event without event time",
     Steps("- aggregate: {window: {tumbling: {length: 1s}}, values: {num: count()}, time: Event}"),
     {"job.yaml:11:87: spec.streams[0].steps[0].aggregate.time: the records have no event time "
      "here; give their source an eventTime, or use time: Processing"}},
    {"session window in a join",
     Steps("- join: {with: lines, key: [value], window: {session: {gap: 1s}}}"),
     {"job.yaml:11:53: spec.streams[0].steps[0].join.window: join takes no session window; it "
      "takes batch, global, tumbling, interval"}},
    {"aggregate behind an updating stream",
     Steps("- aggregate: {key: [value], window: {global: {}}, values: {num: count()}}\n- name: "
           "second\n  aggregate: {key: [num], window: {global: {}}, values: {rows: count()}}"),
     {"job.yaml:13:22: spec.streams[0].steps[1].aggregate: the records before it are an updating "
      "stream (rows replace earlier ones), which it would count twice; name the fields that "
      "identify a row with latestBy, or use emit: Final before it"}},
    {"dead letters without a sink",
     Spec("  onError: DeadLetter"),
     {"job.yaml:7:12: spec.onError: records go to deadLetters, but no sink writes them; add a sink "
      "with from: deadLetters"}},
    {"dead letters in what reads them",
     Whole("apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: "
           "j}\nspec:\n  sources: [{name: lines, stdin: {}, format: {text: {}}}]\n  onError: "
           "DeadLetter\n  sinks: [{name: out, from: deadLetters, console: {}}, {name: all, from: "
           "lines, console: {}}]\n"),
     {"job.yaml:7:11: spec.sinks[0]: reads deadLetters, so its own failures cannot go there too; "
      "set onError: Fail or onError: Skip"}},
    {"SetNull in filter",
     Steps("- filter: 'true'\n  onError: SetNull"),
     {"job.yaml:12:20: spec.streams[0].steps[0].onError: SetNull works only in map and set, not in "
      "filter"}},
    {"state field without init",
     Steps("- state: {key: [value], fields: {num: {type: int}}, update: {num: state.num + 1}}"),
     {"job.yaml:11:47: spec.streams[0].steps[0].state.fields.num: has no init, so it starts as "
      "null: give it one, or write the type \"int?\""}},
    {"update of an unknown state field",
     Steps("- state: {key: [value], fields: {num: {type: int, init: '0'}}, update: {nun: '1'}}"),
     {"job.yaml:11:87: spec.streams[0].steps[0].state.update.nun: no state field \"nun\"; did you "
      "mean \"num\"?"}},
    {"updating stream into a sink that adds",
     Whole("apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: "
           "j}\nspec:\n  sources: [{name: lines, stdin: {}, format: {text: {}}}]\n  streams: "
           "[{name: s, from: lines, steps: [{aggregate: {key: [value], window: {global: {}}, "
           "values: {num: count()}}}]}]\n  sinks: [{name: out, from: s, http: {url: "
           "\"http://h/\"}, format: {json: {}}}]\n"),
     {"job.yaml:7:11: spec.sinks[0]: \"s\" is an updating stream (rows replace earlier ones), but "
      "this sink only adds; use another sink, or use emit: Final"}},
    {"generator with a format",
     WithSource("generator: {preset: Ysb}\nformat: {text: {}}"),
     {"job.yaml:9:15: spec.sources[0].format: a generator makes records, not bytes; remove the "
      "format"}},
    {"csv without schema",
     WithSource("stdin: {}\nformat: {csv: {}}"),
     {"job.yaml:9:21: spec.sources[0].format.csv: reading needs a schema, for example {schema: "
      "{user: string, at: timestamp}}",
      "job.yaml:9:21: spec.sources[0].format.csv: reading needs header: true, or the order of the "
      "columns: columns: [user, at]"}},
    {"group without a type",
     WithSource("stdin: {}\nformat: {regex: {pattern: '(?P<a>.)(?P<b>.)', schema: {a: string}}}"),
     {"job.yaml:9:61: spec.sources[0].format.regex.schema: has no type for the group \"b\" of the "
      "pattern"}},
    {"B17 empty lists",
     kHead + "  sources: []\n  sinks: []\n",
     {"job.yaml:5:12: spec.sources: expected at least 1 item, found 0",
      "job.yaml:6:10: spec.sinks: expected at least 1 item, found 0"}},
    {"B17 no value",
     kHead + "  sources:\n  sinks: null\n",
     {"job.yaml:5:3: spec.sources: has no value; give one or leave the field out",
      "job.yaml:6:10: spec.sinks: has no value; give one or leave the field out"}},
    {"B17 no sink", kHead + kSourceLine, {"job.yaml:5:3: spec.sinks: required and missing"}},
    {"B18 two sources of a name",
     kHead +
         "  sources: [{name: lines, stdin: {}, format: {text: {}}}, {name: lines, generator: "
         "{preset: Ysb}}]\n" +
         kSinkLine,
     {"job.yaml:5:66: spec.sources[1].name: the name \"lines\" is taken by spec.sources[0]"}},
    {"B18 two sinks of a name",
     kHead + kSourceLine +
         "  sinks: [{name: out, from: lines, console: {}}, {name: out, from: lines, console: "
         "{}}]\n",
     {"job.yaml:6:57: spec.sinks[1].name: the name \"out\" is taken by spec.sinks[0]"}},
    {"B18 sink from nowhere",
     kHead + kSourceLine + "  sinks: [{name: out, from: lnes, console: {}}]\n",
     {"job.yaml:6:29: spec.sinks[0].from: no source or stream \"lnes\"; did you mean \"lines\"?"}},
    {"B21 zero length",
     Steps("- aggregate: {window: {tumbling: {length: 0s}}, values: {num: count()}}"),
     {"job.yaml:11:51: spec.streams[0].steps[0].aggregate.window.tumbling.length: must be longer "
      "than 0s, found 0s"}},
    {"B21 slide that is no part of the length",
     Steps("- aggregate: {window: {sliding: {length: 10s, slide: 3s}}, values: {num: count()}}"),
     {}},
    {"B21 negative time of a dedup",
     Steps("- dedup: {key: [value], within: -1s}"),
     {"job.yaml:11:41: spec.streams[0].steps[0].dedup.within: must be longer than 0s, found -1s"}},
    {"two sources of standard input",
     kHead +
         "  sources: [{name: lines, stdin: {}, format: {text: {}}}, {name: more, stdin: {}, "
         "format: {text: {}}}]\n" +
         kSinkLine,
     {"job.yaml:5:79: spec.sources[1].stdin: standard input can be read by one source only"}},
};

TEST(RuleErrorTest, NamesPlaceFoundAndExpected) {
  for (const BadJob& bad : kCases) EXPECT_EQ(Errors(bad.text), bad.errors) << bad.name;
}

// They do no harm, and a job that is being written has some.
TEST(RuleErrorTest, WarnsOfWhatNothingReads) {
  const JobDocument document =
      ParseJob(kHead + kSinkLine +
               "  sources: [{name: lines, stdin: {}, format: {text: {}}}, {name: more, generator: "
               "{preset: Ysb}}]\n  streams: [{name: alone, from: lines, steps: [{filter: "
               "'true'}]}]\n");
  std::vector<std::string> found;
  for (const Diagnostic& diagnostic : document.diagnostics)
    found.push_back(Render(diagnostic, "job.yaml", document.positions));
  EXPECT_EQ(found, (std::vector<std::string>{
                       "job.yaml:6:59: warning: spec.sources[1]: nothing reads the source "
                       "\"more\"; it does no work",
                       "job.yaml:7:13: warning: spec.streams[0]: nothing reads the stream "
                       "\"alone\"; it does no work"}));
}

}  // namespace
}  // namespace millrace::api
