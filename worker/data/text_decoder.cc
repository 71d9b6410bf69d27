#include <simdjson.h>

#include "worker/data/codecs.h"
#include "worker/data/decode_limits.h"
#include "worker/data/row_collector.h"
#include "worker/data/utf8.h"

namespace millrace::worker {
namespace {

// Longest line break between two payloads of one block.
constexpr ptrdiff_t kMaxGap = 2;

// First payload behind `begin` that does not follow its predecessor in memory.
size_t EndOfRun(const std::vector<std::string_view>& payloads, size_t begin) {
  size_t end = begin + 1;
  while (end < payloads.size()) {
    const char* const last = payloads[end - 1].data() + payloads[end - 1].size();
    const char* const next = payloads[end].data();
    if (next <= last || next - last > kMaxGap) break;
    ++end;
  }
  return end;
}

// Decodes `text` (valid UTF-8 is checked) and `raw` (it is not): the payload is the value, never
// copied.
class PlainDecoder final : public Decoder {
 public:
  PlainDecoder(SchemaRef wanted, bool utf8) : schema_(std::move(wanted)), utf8_(utf8) {}

  const SchemaRef& schema() const override { return schema_; }

  DecodeResult Decode(const RawRecords& raw) override {
    RowCollector rows(schema_, raw);
    for (size_t begin = 0; begin < raw.payloads.size();) {
      const size_t end = EndOfRun(raw.payloads, begin);
      const std::string_view last = raw.payloads[end - 1];
      const char* const from = raw.payloads[begin].data();
      const auto bytes = static_cast<size_t>(last.data() + last.size() - from);
      // Lines of one block are judged together: a line break never stands inside a character.
      const bool valid = !utf8_ || schema_->size() == 0 || simdjson::validate_utf8(from, bytes);
      for (size_t i = begin; i < end; ++i) Add(raw, i, valid, &rows);
      begin = end;
    }
    return rows.Finish();
  }

 private:
  void Add(const RawRecords& raw, size_t i, bool valid, RowCollector* rows) {
    const std::string_view payload = raw.payloads[i];
    if (IsNullRecord(raw, i)) return rows->AcceptNull(i);
    if (payload.size() > kMaxDecodedBytes) return rows->Refuse(i, TooLargeMessage(payload.size()));
    if (!valid) {
      const size_t bad = FindInvalidUtf8(payload);
      if (bad != std::string_view::npos) {
        return rows->Refuse(i, InvalidUtf8Message(bad) + "; use format raw for bytes");
      }
    }
    if (schema_->size() > 0) {
      Column* const column = rows->column(0);
      Push(column, &column->strings, payload);
    }
    rows->Accept(i);
  }

  SchemaRef schema_;
  bool utf8_;
};

}  // namespace

Result<std::unique_ptr<Decoder>> MakeTextDecoder(SchemaRef wanted) {
  return std::unique_ptr<Decoder>(std::make_unique<PlainDecoder>(std::move(wanted), true));
}

Result<std::unique_ptr<Decoder>> MakeRawDecoder(SchemaRef wanted) {
  return std::unique_ptr<Decoder>(std::make_unique<PlainDecoder>(std::move(wanted), false));
}

}  // namespace millrace::worker
