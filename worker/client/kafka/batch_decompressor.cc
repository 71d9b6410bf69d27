#include "worker/client/kafka/batch_decompressor.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "worker/client/kafka/records.h"
#include "worker/client/kafka/wire.h"

namespace millrace::worker {
namespace {

constexpr uint64_t kMinOutputLimit = 64ull << 20;
constexpr uint64_t kMaxOutputLimit = 1ull << 30;
constexpr uint64_t kMaxRatio = 250;
constexpr size_t kFirstGuess = 4;  // times the input
// Frames of snappy-java: magic, version i32, compatible version i32, then chunks of length i32 and
// a snappy block each.
constexpr std::string_view kSnappyMagic("\x82SNAPPY\0", 8);
constexpr size_t kSnappyHeader = 16;

Status Damaged(std::string_view codec, std::string_view what) {
  return InternalError("cannot unpack " + std::string(codec) + ": " + std::string(what));
}

// Output that grows in the pool's buffers up to the limit for its input.
class Output {
 public:
  Output(BufferPool* pool, size_t input_bytes, size_t guess)
      : pool_(pool),
        limit_(std::min(kMaxOutputLimit, std::max(kMinOutputLimit, kMaxRatio * input_bytes))),
        buffer_(pool->Take(std::min<uint64_t>(limit_, std::max<size_t>(guess, 1)))) {}

  char* end() const { return buffer_.data.get() + used_; }
  size_t room() const { return buffer_.size - used_; }
  void Advance(size_t bytes) { used_ += bytes; }
  // Makes room for `bytes` more, at least doubling.
  Status Grow(size_t bytes) {
    if (bytes <= room()) return OkStatus();
    const uint64_t needed = used_ + static_cast<uint64_t>(bytes);
    if (needed > limit_)
      return Damaged("a record batch", "it holds more than " + std::to_string(limit_) + " bytes");
    KafkaBuffer larger =
        pool_->Take(std::min<uint64_t>(limit_, std::max<uint64_t>(needed, 2 * buffer_.size)));
    std::memcpy(larger.data.get(), buffer_.data.get(), used_);
    buffer_ = std::move(larger);
    return OkStatus();
  }
  KafkaBuffer Finish() {
    buffer_.size = used_;
    std::memset(end(), 0, kKafkaPadding);
    return std::move(buffer_);
  }

 private:
  BufferPool* pool_;
  uint64_t limit_;
  KafkaBuffer buffer_;
  size_t used_ = 0;
};

Status SnappyBlock(std::string_view block, Output* out) {
  size_t size = 0;
  if (snappy_uncompressed_length(block.data(), block.size(), &size) != SNAPPY_OK) {
    return Damaged("snappy", "no length at its start");
  }
  RETURN_IF_ERROR(out->Grow(size));
  if (snappy_uncompress(block.data(), block.size(), out->end(), &size) != SNAPPY_OK) {
    return Damaged("snappy", "damaged data");
  }
  out->Advance(size);
  return OkStatus();
}

Status Snappy(std::string_view input, Output* out) {
  if (!input.starts_with(kSnappyMagic)) return SnappyBlock(input, out);
  if (input.size() < kSnappyHeader) return Damaged("snappy", "cut inside its header");
  KafkaReader reader(input.substr(kSnappyHeader));
  while (reader.remaining() > 0) {
    const auto size = static_cast<uint32_t>(reader.I32());
    const std::string_view block = reader.Raw(size);
    if (!reader.ok()) return Damaged("snappy", "cut inside a chunk");
    RETURN_IF_ERROR(SnappyBlock(block, out));
  }
  return OkStatus();
}

struct FreeZstd {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
struct FreeLz4 {
  void operator()(LZ4F_dctx* context) const { LZ4F_freeDecompressionContext(context); }
};
struct FreeGzip {
  void operator()(z_stream* stream) const {
    inflateEnd(stream);
    delete stream;
  }
};

}  // namespace

// One context per codec, made when first needed.
class BatchDecompressor::Contexts {
 public:
  Status Gzip(std::string_view input, Output* out);
  Status Lz4(std::string_view input, Output* out);
  Status Zstd(std::string_view input, Output* out);

 private:
  std::unique_ptr<z_stream, FreeGzip> gzip_;
  std::unique_ptr<LZ4F_dctx, FreeLz4> lz4_;
  std::unique_ptr<ZSTD_DCtx, FreeZstd> zstd_;
};

Status BatchDecompressor::Contexts::Gzip(std::string_view input, Output* out) {
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  if (gzip_ == nullptr) {
    auto stream = std::make_unique<z_stream>();
    *stream = {};
    if (inflateInit2(stream.get(), kGzipOnly) != Z_OK) return Damaged("gzip", "out of memory");
    gzip_.reset(stream.release());
  }
  inflateReset(gzip_.get());
  gzip_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
  gzip_->avail_in = static_cast<uInt>(input.size());
  while (true) {
    RETURN_IF_ERROR(out->Grow(1));
    const auto room = static_cast<uInt>(out->room());
    gzip_->next_out = reinterpret_cast<Bytef*>(out->end());
    gzip_->avail_out = room;
    const int code = inflate(gzip_.get(), Z_NO_FLUSH);
    out->Advance(room - gzip_->avail_out);
    if (code == Z_STREAM_END) {
      if (gzip_->avail_in == 0) return OkStatus();
      inflateReset(gzip_.get());  // another member follows
    } else if (code != Z_OK && !(code == Z_BUF_ERROR && gzip_->avail_out == 0)) {
      return Damaged("gzip", code == Z_BUF_ERROR ? "cut short" : "damaged data");
    }
  }
}

Status BatchDecompressor::Contexts::Lz4(std::string_view input, Output* out) {
  if (lz4_ == nullptr) {
    LZ4F_dctx* context = nullptr;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
      return Damaged("lz4", "out of memory");
    lz4_.reset(context);
  }
  LZ4F_resetDecompressionContext(lz4_.get());
  size_t hint = 1;
  while (!input.empty()) {
    RETURN_IF_ERROR(out->Grow(1));
    size_t written = out->room();
    size_t consumed = input.size();
    hint = LZ4F_decompress(lz4_.get(), out->end(), &written, input.data(), &consumed, nullptr);
    if (LZ4F_isError(hint)) return Damaged("lz4", LZ4F_getErrorName(hint));
    if (written == 0 && consumed == 0) return Damaged("lz4", "no progress");
    out->Advance(written);
    input.remove_prefix(consumed);
  }
  // All input is taken, yet output may wait for room.
  while (hint != 0) {
    RETURN_IF_ERROR(out->Grow(1));
    size_t written = out->room();
    size_t consumed = 0;
    hint = LZ4F_decompress(lz4_.get(), out->end(), &written, nullptr, &consumed, nullptr);
    if (LZ4F_isError(hint) || (hint != 0 && written == 0)) return Damaged("lz4", "cut short");
    out->Advance(written);
  }
  return OkStatus();
}

Status BatchDecompressor::Contexts::Zstd(std::string_view input, Output* out) {
  if (zstd_ == nullptr) zstd_.reset(ZSTD_createDCtx());
  if (zstd_ == nullptr) return Damaged("zstd", "out of memory");
  ZSTD_DCtx_reset(zstd_.get(), ZSTD_reset_session_only);
  ZSTD_inBuffer in{input.data(), input.size(), 0};
  while (true) {
    RETURN_IF_ERROR(out->Grow(1));
    ZSTD_outBuffer to{out->end(), out->room(), 0};
    const size_t consumed_before = in.pos;
    const size_t code = ZSTD_decompressStream(zstd_.get(), &to, &in);
    if (ZSTD_isError(code)) return Damaged("zstd", ZSTD_getErrorName(code));
    out->Advance(to.pos);
    if (code == 0 && in.pos == in.size) return OkStatus();
    if (to.pos == 0 && in.pos == consumed_before) return Damaged("zstd", "cut short");
  }
}

BatchDecompressor::BatchDecompressor(std::shared_ptr<BufferPool> pool)
    : pool_(std::move(pool)), contexts_(std::make_unique<Contexts>()) {}

BatchDecompressor::~BatchDecompressor() = default;

Result<KafkaBuffer> BatchDecompressor::Decompress(int codec, std::string_view input) {
  Output out(pool_.get(), input.size(), kFirstGuess * input.size());
  Status status;
  switch (codec) {
    case static_cast<int>(KafkaCodec::kGzip):
      status = contexts_->Gzip(input, &out);
      break;
    case static_cast<int>(KafkaCodec::kSnappy):
      status = Snappy(input, &out);
      break;
    case static_cast<int>(KafkaCodec::kLz4):
      status = contexts_->Lz4(input, &out);
      break;
    case static_cast<int>(KafkaCodec::kZstd):
      status = contexts_->Zstd(input, &out);
      break;
    default:
      status = InternalError("unknown compression " + std::to_string(codec) + " of a record batch");
  }
  if (!status.ok()) return status;
  return out.Finish();
}

}  // namespace millrace::worker
