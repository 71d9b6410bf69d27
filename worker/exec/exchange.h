#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"
#include "worker/exec/chunk.h"

namespace millrace::worker {

// A chunk on its way between the workers of a batch. (source_stage, source_unit, sequence) places
// it among all that its target unit gets over the edge, whoever sent it.
struct RemoteChunk {
  int edge = 0;
  int target_stage = 0;  // where the edge ends
  int target_unit = 0;
  int source_stage = 0;
  int source_unit = 0;
  int sequence = 0;   // of this chunk among all that its task sent
  std::string bytes;  // Chunk::Encode
};

// One worker's way to the others for one batch: which units it runs, and what crosses to units that
// others run. Every worker of the batch has the same graph and the same number of units in each
// stage. Owns, Send and slot are thread-safe; Finish and Receive are for the thread that runs the
// stages. Send and Receive may block; whoever made the port can end that. Errors: kUnavailable when
// another worker cannot be reached, kAborted when stopped.
class ExchangePort {
 public:
  virtual ~ExchangePort() = default;
  // This worker's number; at most one worker has it.
  virtual int slot() const = 0;
  virtual bool Owns(int stage, int unit) const = 0;
  // Requires: the target is not owned, and Finish(chunk.target_stage) was not called.
  virtual Status Send(RemoteChunk chunk) = 0;
  // Says to all others that nothing more of this worker goes to units of `stage`.
  virtual Status Finish(int stage) = 0;
  // All that others sent to owned units of `stage`, in any order, once all of them have said
  // Finish.
  virtual Result<std::vector<RemoteChunk>> Receive(int stage) = 0;
};

// Makes a chunk of `edge` from its encoded form, which may be damaged. Thread-safe.
using ChunkDecoder = std::function<Result<ChunkRef>(int edge, std::string_view bytes)>;

}  // namespace millrace::worker
