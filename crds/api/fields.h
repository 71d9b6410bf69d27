#pragma once

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "crds/api/spec.h"
#include "crds/api/text_rule.h"
#include "crds/base/status.h"

namespace millrace::api {

class Fields;
using Describer = std::function<void(Fields&)>;

// One member of an object: its name in the manifest and what the reference says about it. An empty
// name stands for the value itself, for steps such as `filter` whose value is no object.
struct Field {
  std::string_view name;
  std::string_view meaning;
  bool required = false;
  std::string_view default_text = {};  // where the value itself does not show it
  std::string_view example = {};
};
constexpr Field Required(std::string_view name, std::string_view meaning,
                         std::string_view example = {}) {
  return {.name = name, .meaning = meaning, .required = true, .example = example};
}
constexpr Field Optional(std::string_view name, std::string_view meaning,
                         std::string_view default_text = {}, std::string_view example = {}) {
  return {.name = name, .meaning = meaning, .default_text = default_text, .example = example};
}

// One alternative of a union, or one value of an enumeration.
struct Choice {
  std::string_view name;
  std::string_view meaning;
};

// Access to one value, whatever its type; every slot refers to the object being described and dies
// with the call.
struct TextSlot {
  std::string_view type;
  std::vector<std::string> choices;  // of an enumeration
  TextRule::Plain plain = TextRule::Plain::kStringOnly;
  std::function<std::optional<std::string>()> get;
  std::function<Status(const std::string&)> set;
  TextShape shape = {};
  std::optional<Duration> least = {};  // of a duration
};
struct IntSlot {
  int64_t min, max;
  std::function<std::optional<int64_t>()> get;
  std::function<void(int64_t)> set;
};
struct DoubleSlot {
  double min, max;
  std::function<std::optional<double>()> get;
  std::function<void(double)> set;
};
struct BoolSlot {
  bool* value;
};
struct StringsSlot {
  const TextRule* rule;
  size_t min, max;
  std::function<std::optional<std::vector<std::string>>()> get;
  std::function<void(std::vector<std::string>)> set;
};
struct StringMapSlot {
  const TextRule *key, *value;
  size_t min, max;
  std::function<std::optional<std::map<std::string, std::string>>()> get;
  std::function<void(std::map<std::string, std::string>)> set;
};
struct ObjectSlot {
  std::function<bool()> has;
  std::function<void()> create;
  Describer describe;
  std::vector<std::string> ignored = {};  // members that others write and this build does not read
};
struct ListSlot {
  size_t min, max;
  std::function<size_t()> size;
  std::function<void()> add;
  std::function<void(size_t, Fields&)> describe;
};
struct ObjectMapSlot {
  const TextRule* key;
  std::function<std::vector<std::string>()> keys;
  std::function<void(const std::string&, Fields&)> describe;  // creates the entry
};
struct UnionSlot {
  std::vector<Choice> choices;
  std::function<std::optional<size_t>()> selected;
  std::function<void(size_t)> select;
  Describer describe;  // the selected alternative
};

// One pass over the members of an object: reading it, writing it or listing its documentation. Each
// type of spec.h has one Describe that names its members in the order of the reference, so that all
// passes agree. Thread-compatible.
class Fields {
 public:
  virtual ~Fields() = default;
  virtual void OnText(const Field& field, TextSlot slot) = 0;
  virtual void OnInt(const Field& field, IntSlot slot) = 0;
  virtual void OnDouble(const Field& field, DoubleSlot slot) = 0;
  virtual void OnBool(const Field& field, BoolSlot slot) = 0;
  virtual void OnStrings(const Field& field, StringsSlot slot) = 0;
  virtual void OnStringMap(const Field& field, StringMapSlot slot) = 0;
  virtual void OnObject(const Field& field, ObjectSlot slot) = 0;
  virtual void OnList(const Field& field, ListSlot slot) = 0;
  virtual void OnObjectMap(const Field& field, ObjectMapSlot slot) = 0;
  // Without a field name the alternatives stand beside the other members of the object.
  virtual void OnUnion(const Field& field, UnionSlot slot) = 0;
  // At most one of the named members; exactly one where required.
  virtual void OneOf(std::vector<std::string> names, bool required) = 0;
};

// ---- Describe: the members of each type of spec.h
// ------------------------------------------------------------

#define MILLRACE_DESCRIBE(Type) void Describe(Fields& fields, Type& value)
MILLRACE_DESCRIBE(TimePoint);
MILLRACE_DESCRIBE(Auth);
MILLRACE_DESCRIBE(Sasl);
MILLRACE_DESCRIBE(Tls);
MILLRACE_DESCRIBE(ConfigMapKeyRef);
MILLRACE_DESCRIBE(FileRef);
MILLRACE_DESCRIBE(Registry);
MILLRACE_DESCRIBE(TextFormat);
MILLRACE_DESCRIBE(RawFormat);
MILLRACE_DESCRIBE(JsonFormat);
MILLRACE_DESCRIBE(CsvFormat);
MILLRACE_DESCRIBE(RegexFormat);
MILLRACE_DESCRIBE(AvroFormat);
MILLRACE_DESCRIBE(ProtobufFormat);
MILLRACE_DESCRIBE(StartFromEarliest);
MILLRACE_DESCRIBE(StartFromLatest);
MILLRACE_DESCRIBE(StartFromOffsets);
MILLRACE_DESCRIBE(KafkaSource);
MILLRACE_DESCRIBE(FileSource);
MILLRACE_DESCRIBE(SocketSource);
MILLRACE_DESCRIBE(HttpSource);
MILLRACE_DESCRIBE(GeneratorSource);
MILLRACE_DESCRIBE(StdinSource);
MILLRACE_DESCRIBE(EventTime);
MILLRACE_DESCRIBE(Source);
MILLRACE_DESCRIBE(BatchWindow);
MILLRACE_DESCRIBE(GlobalWindow);
MILLRACE_DESCRIBE(TumblingWindow);
MILLRACE_DESCRIBE(SlidingWindow);
MILLRACE_DESCRIBE(SessionWindow);
MILLRACE_DESCRIBE(CountWindow);
MILLRACE_DESCRIBE(IntervalWindow);
MILLRACE_DESCRIBE(MapStep);
MILLRACE_DESCRIBE(SetStep);
MILLRACE_DESCRIBE(DropStep);
MILLRACE_DESCRIBE(FlatMapStep);
MILLRACE_DESCRIBE(FilterStep);
MILLRACE_DESCRIBE(UnionStep);
MILLRACE_DESCRIBE(AggregateStep);
MILLRACE_DESCRIBE(OrderBy);
MILLRACE_DESCRIBE(TopStep);
MILLRACE_DESCRIBE(JoinStep);
MILLRACE_DESCRIBE(LookupStep);
MILLRACE_DESCRIBE(DedupStep);
MILLRACE_DESCRIBE(StateField);
MILLRACE_DESCRIBE(StateOutput);
MILLRACE_DESCRIBE(StateTimeout);
MILLRACE_DESCRIBE(StateOnTimeout);
MILLRACE_DESCRIBE(StateStep);
MILLRACE_DESCRIBE(SampleStep);
MILLRACE_DESCRIBE(RepartitionStep);
MILLRACE_DESCRIBE(Step);
MILLRACE_DESCRIBE(Stream);
MILLRACE_DESCRIBE(FileTable);
MILLRACE_DESCRIBE(HttpTable);
MILLRACE_DESCRIBE(SqlTable);
MILLRACE_DESCRIBE(RedisTable);
MILLRACE_DESCRIBE(KafkaTable);
MILLRACE_DESCRIBE(StreamTable);
MILLRACE_DESCRIBE(Table);
MILLRACE_DESCRIBE(JsonModel);
MILLRACE_DESCRIBE(OnnxModel);
MILLRACE_DESCRIBE(LinearRegressionModel);
MILLRACE_DESCRIBE(LogisticRegressionModel);
MILLRACE_DESCRIBE(KMeansModel);
MILLRACE_DESCRIBE(Model);
MILLRACE_DESCRIBE(ConsoleSink);
MILLRACE_DESCRIBE(FileSink);
MILLRACE_DESCRIBE(KafkaTopicCreation);
MILLRACE_DESCRIBE(KafkaSink);
MILLRACE_DESCRIBE(HttpSink);
MILLRACE_DESCRIBE(RedisSink);
MILLRACE_DESCRIBE(SqlSink);
MILLRACE_DESCRIBE(ElasticsearchSink);
MILLRACE_DESCRIBE(Sink);
MILLRACE_DESCRIBE(RedisState);
MILLRACE_DESCRIBE(DirectoryState);
MILLRACE_DESCRIBE(MemoryState);
MILLRACE_DESCRIBE(State);
MILLRACE_DESCRIBE(Autoscaling);
MILLRACE_DESCRIBE(Pid);
MILLRACE_DESCRIBE(Backpressure);
MILLRACE_DESCRIBE(RestartPolicy);
MILLRACE_DESCRIBE(PoisonBatch);
MILLRACE_DESCRIBE(HealthCheck);
MILLRACE_DESCRIBE(Rollback);
MILLRACE_DESCRIBE(Upgrade);
MILLRACE_DESCRIBE(Reset);
MILLRACE_DESCRIBE(Deletion);
MILLRACE_DESCRIBE(Resources);
MILLRACE_DESCRIBE(Toleration);
MILLRACE_DESCRIBE(EnvVar);
MILLRACE_DESCRIBE(PersistentVolumeClaimVolume);
MILLRACE_DESCRIBE(ConfigMapVolume);
MILLRACE_DESCRIBE(SecretVolume);
MILLRACE_DESCRIBE(EmptyDirVolume);
MILLRACE_DESCRIBE(Volume);
MILLRACE_DESCRIBE(Pod);
MILLRACE_DESCRIBE(Metrics);
MILLRACE_DESCRIBE(Logging);
MILLRACE_DESCRIBE(StreamingJobSpec);
MILLRACE_DESCRIBE(ObjectMeta);
MILLRACE_DESCRIBE(StreamingJob);
#undef MILLRACE_DESCRIBE

}  // namespace millrace::api
