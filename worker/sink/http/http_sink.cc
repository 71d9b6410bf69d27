#include "worker/sink/http/http_sink.h"

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

constexpr size_t kBodyExcerptBytes = 200;
constexpr size_t kKeyDigits = 32;

// Fields are length-prefixed, so that no two lists of parts read the same.
std::string IdempotencyKey(const HttpSinkOptions& options, const SinkBatch& batch,
                           const SinkPart& part, size_t row) {
  std::string text;
  for (const std::string& field :
       {options.job_id, options.name, part.stage, std::to_string(part.unit),
        std::to_string(batch.batch), std::to_string(row)}) {
    text += std::to_string(field.size()) + ":" + field;
  }
  return HexEncode(Sha256(text)).substr(0, kKeyDigits);
}

}  // namespace

std::string ContentTypeOf(std::string_view extension, int64_t rows_per_request) {
  if (extension == "json")
    return rows_per_request == 1 ? "application/json" : "application/x-ndjson";
  if (extension == "csv") return "text/csv; charset=utf-8";
  return "text/plain; charset=utf-8";
}

HttpSink::HttpSink(HttpSinkOptions options, Projection projection, std::unique_ptr<Encoder> encoder,
                   std::unique_ptr<HttpClient> client)
    : options_(std::move(options)),
      projection_(std::move(projection)),
      encoder_(std::move(encoder)),
      client_(std::move(client)) {}

Status HttpSink::Open(const SinkSeat&) {
  settled_.clear();
  return OkStatus();
}

Status HttpSink::Deliver(const SinkBatch& batch, const std::vector<SinkPart>& parts,
                         std::vector<RejectedRow>* rejected) {
  if (batch.batch != batch_ || batch.digest != digest_) settled_.clear();
  batch_ = batch.batch;
  digest_ = batch.digest;
  for (const SinkPart& part : parts) RETURN_IF_ERROR(DeliverPart(batch, part, rejected));
  return OkStatus();
}

// Requests are cut by position among the part's rows, encodable or not, so that a replay cuts them
// alike.
Status HttpSink::DeliverPart(const SinkBatch& batch, const SinkPart& part,
                             std::vector<RejectedRow>* rejected) {
  const auto per_request = static_cast<size_t>(options_.rows_per_request);
  size_t index = 0;
  Chunk chunk;
  for (const RecordBatch& all : part.rows) {
    const RecordBatch rows = Keep(projection_.Apply(all), LiveRows(all));
    std::string bytes;
    std::vector<size_t> ends;
    std::vector<BadRecord> bad;
    encoder_->Encode(rows, &bytes, &ends, &bad);
    RejectRows(rows, bad, "", rejected);
    size_t begin = 0;
    for (size_t row = 0; row < rows.num_rows(); ++row, ++index) {
      if (index % per_request == 0) {
        RETURN_IF_ERROR(FlushChunk(&chunk, rejected));
        chunk.key = IdempotencyKey(options_, batch, part, index);
      }
      if (ends[row] > begin) {
        chunk.body.append(bytes, begin, ends[row] - begin);
        chunk.rows.emplace_back(rows, row);
      }
      begin = ends[row];
    }
  }
  return FlushChunk(&chunk, rejected);
}

Status HttpSink::FlushChunk(Chunk* chunk, std::vector<RejectedRow>* rejected) {
  const Chunk full = std::exchange(*chunk, Chunk{});
  if (full.rows.empty()) return OkStatus();
  auto settled = settled_.find(full.key);
  if (settled == settled_.end()) {
    ASSIGN_OR_RETURN(std::string reason, Send(full));
    settled = settled_.emplace(full.key, std::move(reason)).first;
  }
  if (settled->second.empty()) return OkStatus();
  for (const auto& [rows, row] : full.rows)
    rejected->push_back({"Rejected", settled->second, RowToJson(rows, row)});
  return OkStatus();
}

std::string HttpSink::Body(const Chunk& chunk) const {
  const std::string header = encoder_->Header();
  if (options_.rows_per_request > 1 || !header.empty()) return header + chunk.body;
  return chunk.body.substr(0, chunk.body.size() - 1);
}

Result<std::string> HttpSink::Send(const Chunk& chunk) {
  HttpRequest request{options_.method, options_.headers, Body(chunk)};
  request.headers.emplace_back("Idempotency-Key", chunk.key);
  const std::string what = "http sink " + options_.name + ": ";
  std::string last;
  for (int attempt = 0; attempt < options_.backoff.attempts; ++attempt) {
    std::optional<Duration> asked;
    const Result<HttpResponse> response = client_->Send(request);
    if (response.ok()) {
      last = client_->url().Origin() + " answers " + std::to_string(response->status);
      if (!response->body.empty()) last += ": " + Excerpt(response->body, kBodyExcerptBytes);
      const HttpOutcome outcome = OutcomeOf(response->status);
      if (outcome == HttpOutcome::kDelivered) return std::string();
      if (outcome == HttpOutcome::kRejected) return last;
      asked = RetryAfter(*response, options_.clock->Now());
    } else if (!response.status().retryable()) {
      return response.status().WithContext("http sink " + options_.name);
    } else {
      last = response.status().message();
    }
    if (attempt + 1 == options_.backoff.attempts) break;
    const Duration wait = options_.backoff.Wait(attempt, HashKey(chunk.key), asked);
    if (!options_.clock->SleepFor(wait, options_.stop))
      return AbortedError(what + "stopped while " + last);
  }
  return UnavailableError(what + "gave up after " + std::to_string(options_.backoff.attempts) +
                          " attempts; " + last);
}

}  // namespace millrace::worker
