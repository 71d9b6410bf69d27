#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "crds/api/spec.h"
#include "worker/data/record_batch.h"

namespace millrace::worker {

// The event numbers of a batch of generated rows: first, first + stride, ...
struct EventRun {
  uint64_t first = 0;
  uint64_t stride = 1;
  size_t rows = 0;
  int64_t rate = 1;  // events a second of event time

  uint64_t Event(size_t row) const { return first + stride * row; }
  // Event n happens n / rate seconds after kEventTimeBase.
  int64_t TimeMicros(uint64_t event) const;
};

// 2015-07-15T00:00:00Z, when event 0 of the presets happens.
inline constexpr int64_t kEventTimeBase = 1'436'918'400'000'000;

const Schema& NexmarkSchema();
const Schema& YsbSchema();

// The rows of a run with exactly the fields of `wanted`: a subset of the preset's schema, also
// inside its structs. Column by column, without allocation per row. Pure.
RecordBatch MakeNexmark(const EventRun& run, const SchemaRef& wanted);
RecordBatch MakeYsb(const EventRun& run, const SchemaRef& wanted);

}  // namespace millrace::worker
