#include <algorithm>
#include <cstdio>
#include <utility>

#include "crds/base/json_writer.h"
#include "crds/base/text.h"
#include "worker/runtime/state/job_view.h"

namespace millrace::worker {
namespace {

constexpr size_t kCursorBytes = 60;  // of opaque texts
constexpr size_t kHashDigits = 12;

std::string TimeText(TimePoint time) {
  return time == TimePoint::min() ? "-" : FormatRfc3339(time);
}
std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

using Row = std::vector<std::string>;

// Columns wide enough for their longest cell, two spaces apart, none behind the last.
std::string Columns(const std::vector<Row>& rows, const std::string& indent) {
  std::vector<size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    text += indent;
    for (size_t i = 0; i + 1 < row.size(); ++i)
      text += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    text += row.back() + "\n";
  }
  return text;
}

std::vector<Row> GenerationRows(const JobFacts& facts) {
  if (!facts.generation) return {{"generation", "-"}};
  const Generation& g = *facts.generation;
  return {{"generation", g.name + (g.open ? ", open" : ", fencing") + ", " +
                             std::to_string(g.slots()) + " seats (" + std::to_string(facts.slots) +
                             " at most so far), from batch " + std::to_string(g.first)}};
}

std::string LeaderText(const LeaseRecord& lease) {
  if (lease.released) return "none (term " + std::to_string(lease.lease.epoch) + " is over)";
  return lease.holder + " at " + lease.address + ", term " + std::to_string(lease.lease.epoch) +
         ", beat " + std::to_string(lease.beat);
}

std::vector<Row> HeadRows(const JobView& job) {
  const JobFacts& facts = job.facts;
  std::vector<Row> rows = {
      {"job", job.name},
      {"spec",
       facts.spec_hash.substr(0, kHashDigits) + ", generation " + std::to_string(facts.spec_gen)},
      {"commit", "batch " + std::to_string(facts.commit.batch) + " of " +
                     TimeText(job.commit.batch_time) + ", by generation " +
                     OrDash(facts.commit.generation) +
                     (job.commit.completed ? ", the last one" : "")},
      {"halt", OrDash(facts.halt)},
      {"suspect",
       facts.suspect ? "somebody knows batch " + std::to_string(facts.suspect->batch) : "-"},
      {"leader", LeaderText(facts.lease)}};
  const std::vector<Row> generation = GenerationRows(facts);
  rows.insert(rows.end(), generation.begin(), generation.end());
  rows.push_back({"state", std::to_string(job.bytes()) + " bytes"});
  return rows;
}

std::string Seats(const JobFacts& facts) {
  std::vector<Row> rows = {{"slot", "member", "address"}};
  if (facts.generation) {
    for (int slot = 0; slot < facts.generation->slots(); ++slot) {
      const Seat& seat = facts.generation->seats[slot];
      rows.push_back({std::to_string(slot), seat.member, seat.address});
    }
  }
  return "seats\n" + Columns(rows, "  ");
}

std::string Members(const JobFacts& facts) {
  std::vector<Row> rows = {{"member", "address", "beat", "spec", "leaving"}};
  for (const auto& [name, member] : facts.members)
    rows.push_back({name, member.address, std::to_string(member.beat),
                    member.spec_hash.substr(0, kHashDigits), member.leaving ? "yes" : "no"});
  return "members\n" + Columns(rows, "  ");
}

std::string Sources(const CommitPoint& commit) {
  std::vector<Row> rows = {{"source", "partition", "next"}};
  for (const auto& [name, source] : commit.sources) {
    if (!source.cursor.empty())
      rows.push_back({name, "cursor", Excerpt(source.cursor, kCursorBytes)});
    for (const auto& [partition, offset] : source.offsets)
      rows.push_back({name, std::to_string(partition), Excerpt(offset, kCursorBytes)});
  }
  return "sources\n" + Columns(rows, "  ");
}

std::string Plans(const std::vector<BatchPlan>& plans) {
  std::vector<Row> rows = {{"batch", "time", "ranges"}};
  for (const BatchPlan& plan : plans) {
    size_t ranges = 0;
    for (const PlannedSource& source : plan.sources) ranges += source.ranges.size();
    rows.push_back({std::to_string(plan.batch), TimeText(plan.batch_time), std::to_string(ranges)});
  }
  return "plans\n" + Columns(rows, "  ");
}

std::string Stages(const JobView& job) {
  std::vector<Row> rows = {{"stage", "units", "snapshots", "deltas", "bytes"}};
  for (const auto& [id, stage] : job.stages)
    rows.push_back({id, std::to_string(stage.units), std::to_string(stage.snapshots),
                    std::to_string(stage.deltas), std::to_string(stage.bytes)});
  return "stages\n" + Columns(rows, "  ");
}

void Field(JsonWriter* out, std::string_view name, const std::string& value) {
  out->Key(name);
  out->String(value);
}
void Field(JsonWriter* out, std::string_view name, int64_t value) {
  out->Key(name);
  out->Int(value);
}
void Flag(JsonWriter* out, std::string_view name, bool value) {
  out->Key(name);
  out->Bool(value);
}

// Fields that lists have too.
void WriteHead(JsonWriter* out, const JobView& job) {
  Field(out, "job", job.name);
  Field(out, "committedBatch", job.facts.commit.batch);
  Field(out, "generation", job.facts.generation ? job.facts.generation->name : "");
  Field(out, "members", static_cast<int64_t>(job.facts.members.size()));
  Field(out, "bytes", job.bytes());
  Field(out, "halt", job.facts.halt);
}

void WriteGeneration(JsonWriter* out, const JobFacts& facts) {
  out->Key("seats");
  out->BeginArray();
  for (const Seat& seat : facts.generation ? facts.generation->seats : std::vector<Seat>()) {
    out->BeginObject();
    Field(out, "member", seat.member);
    Field(out, "address", seat.address);
    out->EndObject();
  }
  out->EndArray();
  Flag(out, "open", facts.generation && facts.generation->open);
  Field(out, "mostSlots", facts.slots);
  out->Key("leader");
  out->BeginObject();
  Field(out, "member", facts.lease.released ? "" : facts.lease.holder);
  Field(out, "term", facts.lease.lease.epoch);
  Field(out, "beat", facts.lease.beat);
  out->EndObject();
}

void WriteMembers(JsonWriter* out, const JobFacts& facts) {
  out->Key("memberList");
  out->BeginArray();
  for (const auto& [name, member] : facts.members) {
    out->BeginObject();
    Field(out, "member", name);
    Field(out, "address", member.address);
    Field(out, "beat", member.beat);
    Flag(out, "leaving", member.leaving);
    out->EndObject();
  }
  out->EndArray();
}

void WriteSources(JsonWriter* out, const CommitPoint& commit) {
  out->Key("sources");
  out->BeginObject();
  for (const auto& [name, source] : commit.sources) {
    out->Key(name);
    out->BeginObject();
    Field(out, "cursor", source.cursor);
    out->Key("offsets");
    out->BeginObject();
    for (const auto& [partition, offset] : source.offsets)
      Field(out, std::to_string(partition), offset);
    out->EndObject();
    out->EndObject();
  }
  out->EndObject();
}

void WriteStages(JsonWriter* out, const JobView& job) {
  out->Key("stages");
  out->BeginObject();
  for (const auto& [id, stage] : job.stages) {
    out->Key(id);
    out->BeginObject();
    Field(out, "units", stage.units);
    Field(out, "snapshots", stage.snapshots);
    Field(out, "deltas", stage.deltas);
    Field(out, "bytes", stage.bytes);
    out->EndObject();
  }
  out->EndObject();
}

}  // namespace

std::string JobListAsText(const std::vector<JobView>& jobs) {
  std::vector<Row> rows = {{"job", "commit", "generation", "members", "bytes", "halt"}};
  for (const JobView& job : jobs) {
    rows.push_back({job.name, std::to_string(job.facts.commit.batch),
                    job.facts.generation ? job.facts.generation->name : "-",
                    std::to_string(job.facts.members.size()), std::to_string(job.bytes()),
                    OrDash(job.facts.halt)});
  }
  return Columns(rows, "");
}

std::string JobListAsJson(const std::vector<JobView>& jobs) {
  JsonWriter out;
  out.BeginArray();
  for (const JobView& job : jobs) {
    out.BeginObject();
    WriteHead(&out, job);
    out.EndObject();
  }
  out.EndArray();
  return out.Take() + "\n";
}

std::string JobAsText(const JobView& job) {
  return Columns(HeadRows(job), "") + Seats(job.facts) + Members(job.facts) + Sources(job.commit) +
         Plans(job.plans) + Stages(job);
}

std::string JobAsJson(const JobView& job) {
  JsonWriter out;
  out.BeginObject();
  WriteHead(&out, job);
  Field(&out, "specHash", job.facts.spec_hash);
  Field(&out, "specGeneration", job.facts.spec_gen);
  Field(&out, "batchTime", TimeText(job.commit.batch_time));
  Field(&out, "committedBy", job.facts.commit.generation);
  Flag(&out, "completed", job.commit.completed);
  Field(&out, "suspectBatch", job.facts.suspect ? job.facts.suspect->batch : 0);
  WriteGeneration(&out, job.facts);
  WriteMembers(&out, job.facts);
  WriteSources(&out, job.commit);
  out.Key("plans");
  out.BeginArray();
  for (const BatchPlan& plan : job.plans) {
    out.BeginObject();
    Field(&out, "batch", plan.batch);
    Field(&out, "batchTime", TimeText(plan.batch_time));
    out.EndObject();
  }
  out.EndArray();
  WriteStages(&out, job);
  out.EndObject();
  return out.Take() + "\n";
}

}  // namespace millrace::worker
