#include "worker/source/file/file_plan.h"

#include <algorithm>

#include "crds/base/text.h"
#include "crds/base/wire.h"

// Wire form, version 1 (WireWriter's primitives):
//   id     = U64:device U64:inode U64:size I64:mtime-ns I64:birth-ns
//   head   = Varint:bytes U64:hash
//   pieces = U8:1 Varint:n n * (Bytes:path id U64:from U64:to I64:lines-before U8:codec U8:follow
//   head) cursor = U8:1 Varint:n n*U64:seen Varint:n n*U64:gone
//            Varint:n n * (Bytes:path id U64:offset I64:lines head)
namespace millrace::worker {
namespace {

constexpr uint8_t kVersion = 1;

void Put(WireWriter* out, const FileId& id) {
  out->U64(id.device);
  out->U64(id.inode);
  out->U64(id.size);
  out->I64(id.mtime_ns);
  out->I64(id.birth_ns);
}

FileId GetId(WireReader* in) {
  FileId id;
  id.device = in->U64();
  id.inode = in->U64();
  id.size = in->U64();
  id.mtime_ns = in->I64();
  id.birth_ns = in->I64();
  return id;
}

void Put(WireWriter* out, const FileHead& head) {
  out->Varint(head.bytes);
  out->U64(head.hash);
}

FileHead GetHead(WireReader* in) {
  FileHead head;
  head.bytes = in->Varint();
  head.hash = in->U64();
  return head;
}

void Put(WireWriter* out, const std::vector<uint64_t>& hashes) {
  out->Varint(hashes.size());
  for (const uint64_t hash : hashes) out->U64(hash);
}

std::vector<uint64_t> GetHashes(WireReader* in) {
  std::vector<uint64_t> hashes(in->Count(sizeof(uint64_t)));
  for (uint64_t& hash : hashes) hash = in->U64();
  return hashes;
}

Status Damaged(const char* what) {
  return GoneError(std::string("StateLost: ") + what + " of a file source cannot be read");
}

}  // namespace

std::string EncodePieces(const std::vector<FilePiece>& pieces) {
  std::string bytes;
  WireWriter out(&bytes);
  out.U8(kVersion);
  out.Varint(pieces.size());
  for (const FilePiece& piece : pieces) {
    out.Bytes(piece.path);
    Put(&out, piece.id);
    out.U64(piece.from);
    out.U64(piece.to);
    out.I64(piece.lines_before);
    out.U8(static_cast<uint8_t>(piece.codec));
    out.U8(piece.follow ? 1 : 0);
    Put(&out, piece.head);
  }
  return Base64Encode(bytes);
}

Result<std::vector<FilePiece>> DecodePieces(std::string_view text) {
  const Result<std::string> bytes = Base64Decode(text);
  if (!bytes.ok()) return Damaged("a planned range");
  WireReader in(*bytes);
  if (in.U8() != kVersion) return Damaged("a planned range");
  std::vector<FilePiece> pieces(in.Count(sizeof(uint64_t)));
  for (FilePiece& piece : pieces) {
    piece.path = in.Bytes();
    piece.id = GetId(&in);
    piece.from = in.U64();
    piece.to = in.U64();
    piece.lines_before = in.I64();
    const uint8_t codec = in.U8();
    if (codec > static_cast<uint8_t>(Codec::kZstd)) return Damaged("a planned range");
    piece.codec = static_cast<Codec>(codec);
    piece.follow = in.U8() != 0;
    piece.head = GetHead(&in);
  }
  if (!in.Finish("range").ok()) return Damaged("a planned range");
  return pieces;
}

bool FileCursor::HasSeen(uint64_t hash) const {
  return std::binary_search(seen.begin(), seen.end(), hash) ||
         std::find(gone.begin(), gone.end(), hash) != gone.end();
}

void FileCursor::Settle(const std::vector<uint64_t>& listed, const std::vector<uint64_t>& done) {
  const auto is_listed = [&](uint64_t hash) {
    return std::binary_search(listed.begin(), listed.end(), hash);
  };
  std::vector<uint64_t> still, missing;
  for (const uint64_t hash : gone) (is_listed(hash) ? still : missing).push_back(hash);
  for (const uint64_t hash : seen) (is_listed(hash) ? still : missing).push_back(hash);
  still.insert(still.end(), done.begin(), done.end());
  std::sort(still.begin(), still.end());
  if (missing.size() > kKeepGone) missing.erase(missing.begin(), missing.end() - kKeepGone);
  seen = std::move(still);
  gone = std::move(missing);
}

std::string FileCursor::Encode() const {
  std::string bytes;
  WireWriter out(&bytes);
  out.U8(kVersion);
  Put(&out, seen);
  Put(&out, gone);
  out.Varint(open.size());
  for (const OpenEntry& entry : open) {
    out.Bytes(entry.path);
    Put(&out, entry.id);
    out.U64(entry.offset);
    out.I64(entry.lines);
    Put(&out, entry.head);
  }
  return Base64Encode(bytes);
}

Result<FileCursor> FileCursor::Decode(std::string_view text) {
  FileCursor cursor;
  if (text.empty()) return cursor;
  const Result<std::string> bytes = Base64Decode(text);
  if (!bytes.ok()) return Damaged("the cursor");
  WireReader in(*bytes);
  if (in.U8() != kVersion) return Damaged("the cursor");
  cursor.seen = GetHashes(&in);
  cursor.gone = GetHashes(&in);
  cursor.open.resize(in.Count(sizeof(uint64_t)));
  for (OpenEntry& entry : cursor.open) {
    entry.path = in.Bytes();
    entry.id = GetId(&in);
    entry.offset = in.U64();
    entry.lines = in.I64();
    entry.head = GetHead(&in);
  }
  if (!in.Finish("cursor").ok()) return Damaged("the cursor");
  return cursor;
}

}  // namespace millrace::worker
