#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "crds/base/clock.h"
#include "worker/client/http_client.h"
#include "worker/data/format.h"
#include "worker/sink/http/retry.h"
#include "worker/sink/projection.h"
#include "worker/sink/sink.h"

namespace millrace::worker {

struct HttpSinkOptions {
  std::string job_id;
  std::string name;
  std::string method = "POST";
  std::vector<std::pair<std::string, std::string>>
      headers;  // Authorization and Content-Type included
  int64_t rows_per_request = 1;
  BackoffPolicy backoff;
  Clock* clock = nullptr;  // outlives the sink
  std::stop_token stop;    // ends waits between attempts
};

// Sends the rows of each part in order, `rows_per_request` at a time, one request after the other.
// Every request carries an Idempotency-Key made of (job, sink, stage, unit, batch, index of its
// first row), which a replay repeats. Requests that succeeded or were rejected are remembered until
// the next batch, so a delivery repeated by this process sends only the rest; another process sends
// the whole batch again: at least once, or exactly once where the receiver honours the key. Rows
// removed from an updating stream are not sent. 408, 425, 429, 5xx, timeouts and lost connections
// are retried with growing waits, Retry-After honoured up to 30 s; after the last attempt
// kUnavailable. Other answers reject the rows of the request, with the first 200 bytes of the body.
// Thread-compatible. kAborted when stopped while waiting.
class HttpSink final : public Sink {
 public:
  HttpSink(HttpSinkOptions options, Projection projection, std::unique_ptr<Encoder> encoder,
           std::unique_ptr<HttpClient> client);

  Status Open(const SinkSeat&) override;
  Result<SinkLedger> ReadLedger() override { return SinkLedger{}; }
  Status Deliver(const SinkBatch& batch, const std::vector<SinkPart>& parts,
                 std::vector<RejectedRow>* rejected) override;
  Status Committed(int64_t) override { return OkStatus(); }

 private:
  struct Chunk {
    std::string key;   // of idempotency
    std::string body;  // encoded rows, each with its line break; empty when none could be encoded
    std::vector<std::pair<RecordBatch, size_t>> rows;  // those in `body`
  };

  Status DeliverPart(const SinkBatch& batch, const SinkPart& part,
                     std::vector<RejectedRow>* rejected);
  Status FlushChunk(Chunk* chunk, std::vector<RejectedRow>* rejected);
  // The reason when the receiver rejects the chunk, empty when it took it.
  Result<std::string> Send(const Chunk& chunk);
  std::string Body(const Chunk& chunk) const;

  HttpSinkOptions options_;
  Projection projection_;
  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<HttpClient> client_;
  int64_t batch_ = 0;
  std::string digest_;
  std::map<std::string, std::string> settled_;  // idempotency key -> rejection or ""
};

// Content-Type of requests in a format, by its file extension.
std::string ContentTypeOf(std::string_view extension, int64_t rows_per_request);

}  // namespace millrace::worker
