#include "worker/coordination/redis/blob_format.h"

#include <xxhash.h>

#include "crds/base/wire.h"
#include "worker/client/compression.h"

// Heads, version 1:
//   version:u8 heads:varint { stage:bytes unit:varint snapshot:u8 batch:varint generation:bytes
//   parts deltas delta_bytes snapshot_bytes:varint }
namespace millrace::worker {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kCompressed = 1;
constexpr size_t kMinBytesToCompress = 512;
constexpr uint64_t kMaxRawBytes = uint64_t{4} << 30;

Status Lost(const std::string& what) { return InternalError("StateLost: " + what); }

void Put(WireWriter& out, const BlobName& name) {
  out.U8(name.snapshot ? 1 : 0);
  out.Varint(name.batch);
  out.Bytes(name.generation);
  out.Varint(name.parts);
}

BlobName GetName(WireReader& in) {
  BlobName name;
  name.snapshot = in.U8() != 0;
  name.batch = static_cast<int64_t>(in.Varint());
  name.generation = in.Bytes();
  name.parts = static_cast<int>(in.Varint());
  return name;
}

}  // namespace

std::string EncodeHeads(const Heads& heads) {
  std::string bytes;
  WireWriter out(&bytes);
  out.U8(kVersion);
  out.Varint(heads.size());
  for (const auto& [key, head] : heads) {
    out.Bytes(key.first);
    out.Varint(key.second);
    Put(out, head.last);
    out.Varint(head.deltas);
    out.Varint(head.delta_bytes);
    out.Varint(head.snapshot_bytes);
  }
  return bytes;
}

Status DecodeHeads(std::string_view bytes, Heads* heads) {
  WireReader in(bytes);
  if (const uint8_t version = in.U8(); in.ok() && version != kVersion) {
    return InternalError("a report has format version " + std::to_string(version) +
                         ", this build reads version 1");
  }
  for (uint64_t n = in.Count(8); n > 0; --n) {
    std::string stage(in.Bytes());
    const int unit = static_cast<int>(in.Varint());
    BlobHead head;
    head.last = GetName(in);
    head.deltas = static_cast<int>(in.Varint());
    head.delta_bytes = static_cast<int64_t>(in.Varint());
    head.snapshot_bytes = static_cast<int64_t>(in.Varint());
    (*heads)[{std::move(stage), unit}] = std::move(head);
  }
  return in.ok() ? OkStatus() : Lost("a report is damaged");
}

std::string EncodeBlob(const std::optional<BlobName>& previous, std::string_view raw) {
  std::string packed;
  bool compressed = false;
  if (raw.size() >= kMinBytesToCompress) {
    if (Result<std::string> result = Compress(Codec::kZstd, raw); result.ok()) {
      packed = *std::move(result);
      compressed = packed.size() <= raw.size() - raw.size() / 8;
    }
  }
  const std::string_view payload = compressed ? std::string_view(packed) : raw;
  std::string bytes;
  WireWriter out(&bytes);
  out.U8(kVersion);
  out.U8(compressed ? kCompressed : 0);
  out.U8(previous ? 1 : 0);
  if (previous) Put(out, *previous);
  out.Varint(raw.size());
  out.U64(XXH3_64bits(payload.data(), payload.size()));
  bytes.append(payload);
  return bytes;
}

Result<DecodedBlob> DecodeBlob(std::string_view bytes) {
  WireReader in(bytes);
  if (const uint8_t version = in.U8(); in.ok() && version != kVersion) {
    return InternalError("a state blob has format version " + std::to_string(version) +
                         ", this build reads version 1");
  }
  DecodedBlob blob;
  const bool compressed = (in.U8() & kCompressed) != 0;
  if (in.U8() != 0) blob.previous = GetName(in);
  const uint64_t raw_bytes = in.Varint();
  const uint64_t check = in.U64();
  if (!in.ok() || raw_bytes > kMaxRawBytes) return Lost("a state blob is damaged");
  const std::string_view payload = in.rest();
  if (XXH3_64bits(payload.data(), payload.size()) != check)
    return Lost("a state blob does not match its checksum");
  if (compressed) {
    Result<std::string> raw = Decompress(Codec::kZstd, payload, raw_bytes);
    if (!raw.ok()) return Lost(raw.status().message());
    blob.raw = *std::move(raw);
  } else {
    blob.raw = payload;
  }
  if (blob.raw.size() != raw_bytes)
    return Lost("a state blob has " + std::to_string(blob.raw.size()) + " bytes, not " +
                std::to_string(raw_bytes));
  return blob;
}

std::string BlobSuffix(const std::string& stage, const BlobName& name, int part) {
  return std::string(name.snapshot ? "s:" : "d:") + stage + ":" + std::to_string(name.batch) + ":" +
         name.generation + ":" + std::to_string(part);
}

}  // namespace millrace::worker
