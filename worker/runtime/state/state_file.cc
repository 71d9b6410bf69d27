#include "worker/runtime/state/state_file.h"

#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>

#include "crds/base/file.h"
#include "crds/base/wire.h"

// An exported job, version 1; integers little-endian, varints LEB128, texts with their length as a
// varint:
//   "MRSTATE1" frame*      frame: length:u32 check:u64 payload      check: XXH3-64 of the payload
//   payload: 1 ns job job_id:bytes groups batch:varint generation exported_at:bytes     the first
//   frame
//          | 2 suffix:bytes sorted_set:u8 items:varint { name value:bytes }
//          | 3 group:varint suffix:bytes batch:varint value:bytes
//          | 4 frames:varint                                       the last one; how many are
//          before it
namespace millrace::worker {
namespace {

constexpr std::string_view kMagic = "MRSTATE1";
constexpr size_t kNameBytes = 7;  // of kMagic without the version
constexpr size_t kFrameHead = 12;
enum Kind : uint8_t { kHeader = 1, kKey = 2, kBlob = 3, kEnd = 4 };

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

StateFileHeader ReadHeader(WireReader* in) {
  StateFileHeader header;
  header.ns = in->Bytes();
  header.job = in->Bytes();
  header.job_id = in->Bytes();
  header.groups = static_cast<int64_t>(in->Varint());
  header.batch = static_cast<int64_t>(in->Varint());
  header.generation = in->Bytes();
  header.exported_at = in->Bytes();
  return header;
}

JobKeyRecord ReadKey(WireReader* in) {
  JobKeyRecord key;
  key.suffix = in->Bytes();
  key.sorted_set = in->U8() != 0;
  for (uint64_t n = in->Count(2); n > 0; --n) {
    std::string name(in->Bytes());
    key.items.emplace_back(std::move(name), std::string(in->Bytes()));
  }
  return key;
}

BlobRecord ReadBlob(WireReader* in) {
  BlobRecord blob;
  blob.group = static_cast<int64_t>(in->Varint());
  blob.suffix = in->Bytes();
  blob.batch = static_cast<int64_t>(in->Varint());
  blob.value = in->Bytes();
  return blob;
}

// Reads one file; knows where it is, for messages.
class Reading {
 public:
  Reading(const std::string& path, std::FILE* file, int64_t size)
      : path_(path), file_(file), size_(size) {}

  Status Run(const StateFileVisitor& visitor) {
    std::string magic;
    if (!Take(kMagic.size(), &magic) || magic.substr(0, kNameBytes) != kMagic.substr(0, kNameBytes))
      return InvalidError(path_ + " is no exported job");
    if (magic != kMagic)
      return InvalidError(path_ + " has format version " + magic.substr(kNameBytes) +
                          ", this build reads version 1");
    for (uint64_t frames = 0;; ++frames) {
      std::string payload;
      RETURN_IF_ERROR(NextFrame(&payload));
      WireReader in(payload);
      const uint8_t kind = in.U8();
      if (kind == kEnd)
        return in.Varint() == frames && in.done() && at_ == size_
                   ? OkStatus()
                   : Damaged("does not end where it should");
      if ((kind == kHeader) != (frames == 0)) return Damaged("does not begin with its header");
      RETURN_IF_ERROR(Visit(kind, &in, visitor));
    }
  }

 private:
  bool Take(size_t bytes, std::string* out) {
    out->resize(bytes);
    if (std::fread(out->data(), 1, bytes, file_) != bytes) return false;
    at_ += static_cast<int64_t>(bytes);
    return true;
  }

  Status Damaged(const std::string& what) const {
    return InvalidError(path_ + " is damaged: it " + what + " (byte " + std::to_string(at_) +
                        " of " + std::to_string(size_) + ")");
  }

  Status NextFrame(std::string* payload) {
    std::string head;
    if (!Take(kFrameHead, &head)) return Damaged("is cut");
    WireReader in(head);
    const uint32_t length = in.U32();
    const uint64_t check = in.U64();
    if (static_cast<int64_t>(length) > size_ - at_ || !Take(length, payload))
      return Damaged("is cut");
    if (XXH3_64bits(payload->data(), payload->size()) != check)
      return Damaged("does not match its checksum");
    return OkStatus();
  }

  Status Visit(uint8_t kind, WireReader* in, const StateFileVisitor& visitor) const {
    if (kind == kHeader) {
      const StateFileHeader header = ReadHeader(in);
      return in->ok() && in->done() ? visitor.header(header) : Damaged("has a malformed header");
    }
    if (kind == kKey) {
      JobKeyRecord key = ReadKey(in);
      return in->ok() && in->done() ? visitor.key(std::move(key)) : Damaged("has a malformed key");
    }
    if (kind != kBlob) return Damaged("has a record of kind " + std::to_string(kind));
    BlobRecord blob = ReadBlob(in);
    return in->ok() && in->done() ? visitor.blob(std::move(blob)) : Damaged("has a malformed blob");
  }

  const std::string& path_;
  std::FILE* file_;
  int64_t size_;
  int64_t at_ = 0;
};

std::string Temporary(const std::string& path) { return path + ".tmp"; }

}  // namespace

Result<std::unique_ptr<StateFileWriter>> StateFileWriter::Create(const std::string& path) {
  if (access(path.c_str(), F_OK) == 0)
    return AlreadyExistsError(path + " exists; name another file");
  std::FILE* file = std::fopen(Temporary(path).c_str(), "wb");
  if (file == nullptr) return ErrnoError("create " + Temporary(path), errno);
  std::unique_ptr<StateFileWriter> writer(new StateFileWriter(path, file));
  if (std::fwrite(kMagic.data(), 1, kMagic.size(), file) != kMagic.size())
    return ErrnoError("write " + path, errno);
  writer->bytes_ = static_cast<int64_t>(kMagic.size());
  return writer;
}

StateFileWriter::~StateFileWriter() {
  if (!finished_) (void)unlink(Temporary(path_).c_str());
}

Status StateFileWriter::Frame(std::string_view payload) {
  std::string head;
  WireWriter out(&head);
  out.U32(static_cast<uint32_t>(payload.size()));
  out.U64(XXH3_64bits(payload.data(), payload.size()));
  if (payload.size() > UINT32_MAX)
    return InternalError("a record of " + std::to_string(payload.size()) +
                         " bytes is too large to export");
  for (const std::string_view part : {std::string_view(head), payload}) {
    if (std::fwrite(part.data(), 1, part.size(), file_.get()) != part.size())
      return ErrnoError("write " + path_, errno);
  }
  ++records_;
  bytes_ += static_cast<int64_t>(head.size() + payload.size());
  return OkStatus();
}

Status StateFileWriter::Write(const StateFileHeader& header) {
  std::string payload;
  WireWriter out(&payload);
  out.U8(kHeader);
  out.Bytes(header.ns);
  out.Bytes(header.job);
  out.Bytes(header.job_id);
  out.Varint(header.groups);
  out.Varint(header.batch);
  out.Bytes(header.generation);
  out.Bytes(header.exported_at);
  return Frame(payload);
}

Status StateFileWriter::Write(const JobKeyRecord& key) {
  std::string payload;
  WireWriter out(&payload);
  out.U8(kKey);
  out.Bytes(key.suffix);
  out.U8(key.sorted_set ? 1 : 0);
  out.Varint(key.items.size());
  for (const auto& [name, value] : key.items) {
    out.Bytes(name);
    out.Bytes(value);
  }
  return Frame(payload);
}

Status StateFileWriter::Write(const BlobRecord& blob) {
  std::string payload;
  WireWriter out(&payload);
  out.U8(kBlob);
  out.Varint(blob.group);
  out.Bytes(blob.suffix);
  out.Varint(blob.batch);
  out.Bytes(blob.value);
  ++blobs_;
  return Frame(payload);
}

Status StateFileWriter::Finish() {
  std::string payload;
  WireWriter out(&payload);
  out.U8(kEnd);
  out.Varint(records_);
  RETURN_IF_ERROR(Frame(payload));
  if (std::fflush(file_.get()) != 0) return ErrnoError("write " + path_, errno);
  RETURN_IF_ERROR(SyncFile(fileno(file_.get()), path_));
  RETURN_IF_ERROR(RenameNoReplace(Temporary(path_), path_));
  finished_ = true;
  const size_t slash = path_.rfind('/');
  return SyncDirectory(slash == std::string::npos ? "." : path_.substr(0, slash + 1));
}

Status ReadStateFile(const std::string& path, const StateFileVisitor& visitor) {
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr)
    return errno == ENOENT ? NotFoundError("no file " + path) : ErrnoError("open " + path, errno);
  struct stat info = {};
  if (fstat(fileno(file.get()), &info) != 0) return ErrnoError("look at " + path, errno);
  return Reading(path, file.get(), info.st_size).Run(visitor);
}

}  // namespace millrace::worker
