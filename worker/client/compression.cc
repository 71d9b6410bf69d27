#include "worker/client/compression.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace millrace::worker {
namespace {

constexpr size_t kPackChunkBytes = 64 << 10;
constexpr int kGzipWindowBits = 15 + 16;  // 32 KiB window, gzip frame
constexpr int kGzipMemoryLevel = 8;       // zlib's default
constexpr int kZstdMaxWindowLog = 27;     // 128 MiB, what the zstd tool reads without --long

// zlib counts in unsigned int.
uInt Clamp(size_t bytes) {
  return static_cast<uInt>(std::min<size_t>(bytes, std::numeric_limits<uInt>::max()));
}

// Counts both sides of a stream against its OutputLimit.
class Budget {
 public:
  explicit Budget(OutputLimit limit) : limit_(limit) {}
  Status Add(size_t in, size_t out) {
    in_ += in;
    out_ += out;
    if (out_ <= limit_.min_bytes || out_ / limit_.max_ratio <= in_) return OkStatus();
    return InvalidError("unpack: " + std::to_string(in_) + " bytes hold more than " +
                        std::to_string(out_) + "; data that unpacks to over " +
                        std::to_string(limit_.max_ratio) + " times its size is refused");
  }

 private:
  OutputLimit limit_;
  uint64_t in_ = 0;
  uint64_t out_ = 0;
};

class PlainDecompressor final : public Decompressor {
 public:
  Result<size_t> Read(std::string_view* input, char* out, size_t capacity) override {
    const size_t n = std::min(input->size(), capacity);
    if (n > 0) std::memcpy(out, input->data(), n);
    input->remove_prefix(n);
    return n;
  }
  bool complete() const override { return true; }
};

class GzipDecompressor final : public Decompressor {
 public:
  explicit GzipDecompressor(OutputLimit limit) : budget_(limit) {}
  ~GzipDecompressor() override { inflateEnd(&stream_); }
  bool Open() { return inflateInit2(&stream_, kGzipWindowBits) == Z_OK; }

  Result<size_t> Read(std::string_view* input, char* out, size_t capacity) override {
    size_t written = 0;
    while (written == 0 && (!input->empty() || !complete_)) {
      if (complete_ && !BeginMember(input)) return size_t{0};
      ASSIGN_OR_RETURN(const Step step, Inflate(input, out, capacity));
      written = step.written;
      if (written == 0 && step.consumed == 0 && !complete_) break;
    }
    return written;
  }
  bool complete() const override { return complete_; }

 private:
  struct Step {
    size_t consumed = 0;
    size_t written = 0;
  };

  // False when only zero padding (as tape blocks leave it) follows a member.
  bool BeginMember(std::string_view* input) {
    while (members_ > 0 && !input->empty() && input->front() == '\0') input->remove_prefix(1);
    if (input->empty()) return false;
    inflateReset(&stream_);
    complete_ = false;
    return true;
  }

  Result<Step> Inflate(std::string_view* input, char* out, size_t capacity) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input->data()));
    stream_.avail_in = Clamp(input->size());
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = Clamp(capacity);
    const uInt in_before = stream_.avail_in, out_before = stream_.avail_out;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    const Step step{in_before - stream_.avail_in, out_before - stream_.avail_out};
    input->remove_prefix(step.consumed);
    if (code == Z_STREAM_END) {
      complete_ = true;
      ++members_;
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      return InvalidError(std::string("unpack gzip: ") +
                          (stream_.msg != nullptr ? stream_.msg : "damaged data"));
    }
    RETURN_IF_ERROR(budget_.Add(step.consumed, step.written));
    return step;
  }

  z_stream stream_{};
  Budget budget_;
  bool complete_ = true;
  int64_t members_ = 0;
};

class ZstdDecompressor final : public Decompressor {
 public:
  explicit ZstdDecompressor(OutputLimit limit) : context_(ZSTD_createDCtx()), budget_(limit) {}
  bool Open() {
    return context_ != nullptr && !ZSTD_isError(ZSTD_DCtx_setParameter(
                                      context_.get(), ZSTD_d_windowLogMax, kZstdMaxWindowLog));
  }

  Result<size_t> Read(std::string_view* input, char* out, size_t capacity) override {
    ZSTD_outBuffer target{out, capacity, 0};
    while (target.pos == 0 && (!input->empty() || !complete_)) {
      ZSTD_inBuffer source{input->data(), input->size(), 0};
      const size_t code = ZSTD_decompressStream(context_.get(), &target, &source);
      if (ZSTD_isError(code)) {
        return InvalidError(std::string("unpack zstd: ") + ZSTD_getErrorName(code));
      }
      input->remove_prefix(source.pos);
      complete_ = code == 0;
      RETURN_IF_ERROR(budget_.Add(source.pos, target.pos));
      if (source.pos == 0 && target.pos == 0) break;
    }
    return target.pos;
  }
  bool complete() const override { return complete_; }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context_;
  Budget budget_;
  bool complete_ = true;
};

class PlainCompressor final : public Compressor {
 public:
  Status Write(std::string_view input, std::string* out) override {
    out->append(input);
    return OkStatus();
  }
  Status Finish(std::string*) override { return OkStatus(); }
};

class GzipCompressor final : public Compressor {
 public:
  ~GzipCompressor() override { deflateEnd(&stream_); }
  bool Open(int level) {
    return deflateInit2(&stream_, level == 0 ? Z_DEFAULT_COMPRESSION : level, Z_DEFLATED,
                        kGzipWindowBits, kGzipMemoryLevel, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  Status Write(std::string_view input, std::string* out) override {
    while (!input.empty()) {
      const std::string_view piece = input.substr(0, Clamp(input.size()));
      RETURN_IF_ERROR(Deflate(piece, Z_NO_FLUSH, out));
      input.remove_prefix(piece.size());
    }
    return OkStatus();
  }
  Status Finish(std::string* out) override { return Deflate({}, Z_FINISH, out); }

 private:
  Status Deflate(std::string_view input, int flush, std::string* out) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream_.avail_in = Clamp(input.size());
    char chunk[kPackChunkBytes];
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(chunk);
      stream_.avail_out = sizeof(chunk);
      if (deflate(&stream_, flush) == Z_STREAM_ERROR) return InternalError("pack gzip failed");
      out->append(chunk, sizeof(chunk) - stream_.avail_out);
    } while (stream_.avail_out == 0);
    return OkStatus();
  }

  z_stream stream_{};
};

class ZstdCompressor final : public Compressor {
 public:
  ZstdCompressor() : context_(ZSTD_createCCtx()) {}
  bool Open(int level) {
    return context_ != nullptr &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level));
  }
  Status Write(std::string_view input, std::string* out) override {
    ZSTD_inBuffer source{input.data(), input.size(), 0};
    while (source.pos < source.size) {
      ASSIGN_OR_RETURN(const size_t left, Step(&source, ZSTD_e_continue, out));
      (void)left;
    }
    return OkStatus();
  }
  Status Finish(std::string* out) override {
    ZSTD_inBuffer source{nullptr, 0, 0};
    for (size_t left = 1; left > 0;) {
      ASSIGN_OR_RETURN(left, Step(&source, ZSTD_e_end, out));
    }
    return OkStatus();
  }

 private:
  Result<size_t> Step(ZSTD_inBuffer* source, ZSTD_EndDirective directive, std::string* out) {
    char chunk[kPackChunkBytes];
    ZSTD_outBuffer target{chunk, sizeof(chunk), 0};
    const size_t left = ZSTD_compressStream2(context_.get(), &target, source, directive);
    if (ZSTD_isError(left)) {
      return InternalError(std::string("pack zstd: ") + ZSTD_getErrorName(left));
    }
    out->append(chunk, target.pos);
    return left;
  }

  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  std::unique_ptr<ZSTD_CCtx, Free> context_;
};

template <typename Interface, typename T, typename... Args>
Result<std::unique_ptr<Interface>> Opened(std::unique_ptr<T> object, Args... args) {
  if (!object->Open(args...)) return InternalError("out of memory for a compression context");
  return std::unique_ptr<Interface>(std::move(object));
}

}  // namespace

Codec DetectCodec(std::string_view head) {
  if (head.starts_with("\x1f\x8b")) return Codec::kGzip;
  if (head.starts_with("\x28\xb5\x2f\xfd")) return Codec::kZstd;
  return Codec::kNone;
}

std::string_view CodecSuffix(Codec codec) {
  switch (codec) {
    case Codec::kNone:
      return "";
    case Codec::kGzip:
      return ".gz";
    case Codec::kZstd:
      return ".zst";
  }
  return "";
}

Result<std::unique_ptr<Decompressor>> Decompressor::Create(Codec codec, OutputLimit limit) {
  switch (codec) {
    case Codec::kNone:
      return std::unique_ptr<Decompressor>(std::make_unique<PlainDecompressor>());
    case Codec::kGzip:
      return Opened<Decompressor>(std::make_unique<GzipDecompressor>(limit));
    case Codec::kZstd:
      return Opened<Decompressor>(std::make_unique<ZstdDecompressor>(limit));
  }
  return InternalError("unknown codec");
}

Result<std::unique_ptr<Compressor>> Compressor::Create(Codec codec, int level) {
  switch (codec) {
    case Codec::kNone:
      return std::unique_ptr<Compressor>(std::make_unique<PlainCompressor>());
    case Codec::kGzip:
      return Opened<Compressor>(std::make_unique<GzipCompressor>(), level);
    case Codec::kZstd:
      return Opened<Compressor>(std::make_unique<ZstdCompressor>(), level);
  }
  return InternalError("unknown codec");
}

Result<std::string> Compress(Codec codec, std::string_view input) {
  ASSIGN_OR_RETURN(auto compressor, Compressor::Create(codec));
  std::string out;
  RETURN_IF_ERROR(compressor->Write(input, &out));
  RETURN_IF_ERROR(compressor->Finish(&out));
  return out;
}

Result<std::string> Decompress(Codec codec, std::string_view input, size_t limit_bytes) {
  ASSIGN_OR_RETURN(auto decompressor, Decompressor::Create(codec));
  std::string out;
  char chunk[16 << 10];
  while (true) {
    ASSIGN_OR_RETURN(const size_t n, decompressor->Read(&input, chunk, sizeof(chunk)));
    if (n == 0) break;
    if (out.size() + n > limit_bytes) {
      return InvalidError("unpack: more than " + std::to_string(limit_bytes) + " bytes");
    }
    out.append(chunk, n);
  }
  if (!decompressor->complete()) return InvalidError("unpack: the data ends in the middle");
  return out;
}

}  // namespace millrace::worker
