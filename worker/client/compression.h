#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "crds/base/status.h"

namespace millrace::worker {

enum class Codec { kNone, kGzip, kZstd };

// By the magic bytes at the start of a file; four bytes are enough. kNone for anything unknown.
Codec DetectCodec(std::string_view head);
// ".gz", ".zst" or "": what follows a file's extension.
std::string_view CodecSuffix(Codec codec);

// Bounds for data that unpacks to far more than anybody wrote: output may grow to `min_bytes`, and
// beyond it to `max_ratio` times the input read so far.
struct OutputLimit {
  uint64_t min_bytes = 64ull << 20;
  uint64_t max_ratio = 250;
};

// Unpacks one gzip (RFC 1952, any number of members) or zstd (RFC 8878, any number of frames)
// stream piece by piece; kNone copies. Memory is bounded (zstd windows up to 128 MiB).
// Thread-compatible. Errors are kInvalid: damaged data, or more output than the limit allows. After
// an error the object is of no use.
class Decompressor {
 public:
  static Result<std::unique_ptr<Decompressor>> Create(Codec codec, OutputLimit limit = {});
  virtual ~Decompressor() = default;

  // Unpacks from the front of `*input`, which is shortened by what was consumed, into `out`.
  // Returns the bytes written; 0 means that more input is needed. Requires: capacity > 0.
  virtual Result<size_t> Read(std::string_view* input, char* out, size_t capacity) = 0;
  // True between members or frames: input may end here. False means that the data was cut.
  virtual bool complete() const = 0;
};

// Packs one stream piece by piece; the bytes depend on input and level only, not on how it is cut
// into Write calls. kNone copies. Thread-compatible. Errors are kInternal (out of memory).
class Compressor {
 public:
  // gzip and zstd at the given level; 0 is the library's default.
  static Result<std::unique_ptr<Compressor>> Create(Codec codec, int level = 0);
  virtual ~Compressor() = default;

  // Appends packed bytes to `out`, perhaps none yet.
  virtual Status Write(std::string_view input, std::string* out) = 0;
  // Appends the rest and the end marks. Requires: no Write afterwards.
  virtual Status Finish(std::string* out) = 0;
};

// The whole of `input` at once; for tests and small blobs.
Result<std::string> Compress(Codec codec, std::string_view input);
// kInvalid when the result would exceed `limit_bytes` or the input is cut.
Result<std::string> Decompress(Codec codec, std::string_view input, size_t limit_bytes);

}  // namespace millrace::worker
