#include "worker/source/file/file_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "crds/base/text.h"
#include "worker/source/file/file_planner.h"
#include "worker/source/line_buffer.h"

namespace millrace::worker {
namespace {

constexpr size_t kBlockBytes = 256 << 10;
constexpr size_t kMaxHeaderBytes = 1 << 20;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

Status Changed(const FilePiece& piece, const std::string& what) {
  return GoneError("SourceChanged: file " + piece.path + " " + what);
}

std::string Times(int64_t before, int64_t now) {
  const auto text = [](int64_t ns) { return FormatRfc3339(TimePoint(Duration(ns / 1000))); };
  return text(before) + ", now " + text(now);
}

// Line breaks in front of `end`; as many as can be read.
int64_t CountLines(const OpenedFile& file, uint64_t end) {
  std::string block(kBlockBytes, '\0');
  int64_t lines = 0;
  for (uint64_t at = 0; at < end;) {
    const size_t wanted = std::min<uint64_t>(block.size(), end - at);
    const Result<size_t> n = ReadAt(file.fd.get(), file.path, at, block.data(), wanted);
    if (!n.ok() || *n == 0) break;
    lines += std::count(block.data(), block.data() + *n, '\n');
    at += *n;
  }
  return lines;
}

}  // namespace

struct FileReader::Block {
  explicit Block(size_t size)
      : bytes(std::make_unique_for_overwrite<char[]>(size + Arena::kPadding)), capacity(size) {}
  std::unique_ptr<char[]> bytes;
  size_t capacity;
  size_t used = 0;
};

// The unpacked bytes of a piece.
class FileReader::Bytes {
 public:
  Bytes(const OpenedFile& file, const FilePiece& piece, std::unique_ptr<Decompressor> unpack)
      : file_(file), piece_(piece), at_(piece.from), unpack_(std::move(unpack)) {
    if (unpack_) packed_ = std::make_unique_for_overwrite<char[]>(kBlockBytes);
  }

  // 0 at the end of the piece.
  Result<size_t> Read(char* out, size_t capacity) {
    if (!unpack_) return ReadPlain(out, capacity);
    while (true) {
      ASSIGN_OR_RETURN(const size_t n, unpack_->Read(&rest_, out, capacity));
      if (n > 0) return n;
      ASSIGN_OR_RETURN(const size_t more, ReadPlain(packed_.get(), kBlockBytes));
      if (more == 0) break;
      rest_ = {packed_.get(), more};
    }
    if (!unpack_->complete()) return InvalidError("the packed data ends in the middle");
    return size_t{0};
  }

 private:
  Result<size_t> ReadPlain(char* out, size_t capacity) {
    const size_t wanted = std::min<uint64_t>(capacity, piece_.to - at_);
    ASSIGN_OR_RETURN(const size_t n, ReadAt(file_.fd.get(), file_.path, at_, out, wanted));
    if (n < wanted) return Changed(piece_, "was truncated while being read");
    at_ += n;
    return n;
  }

  const OpenedFile& file_;
  const FilePiece& piece_;
  uint64_t at_;
  std::unique_ptr<Decompressor> unpack_;
  std::unique_ptr<char[]> packed_;
  std::string_view rest_;
};

struct FileReader::State {
  const FilePiece& piece;
  std::shared_ptr<const std::string> path;
  std::shared_ptr<const std::string> header;  // once known
  std::shared_ptr<Block> block;
  bool at_start = false;                  // the file's first record is still to come
  int64_t line = 1;                       // of the next record, behind lines_before()
  std::function<int64_t()> lines_before;  // empty: none
};

Status FileReader::CheckSame(const OpenedFile& file, const FilePiece& piece) const {
  const FileId &now = file.id, &then = piece.id;
  if (!piece.follow) {
    if (now.size != then.size) {
      return Changed(piece, "had " + std::to_string(then.size) +
                                " bytes when it was planned, now " + std::to_string(now.size) +
                                ". Files must appear by rename and stay as they are");
    }
    if (now.mtime_ns != then.mtime_ns) {
      return Changed(piece, "was modified at " + Times(then.mtime_ns, now.mtime_ns));
    }
    return OkStatus();
  }
  if (now.size < piece.to) {
    return Changed(piece, "was truncated: " + std::to_string(piece.to) + " bytes were there, now " +
                              std::to_string(now.size));
  }
  ASSIGN_OR_RETURN(const FileHead head, ReadHead(file.fd.get(), file.path, piece.head.bytes));
  if (head.hash != piece.head.hash) return Changed(piece, "was rewritten: its first bytes differ");
  return OkStatus();
}

Status FileReader::FindHeader(const OpenedFile& file, State* state) const {
  std::string head(kMaxHeaderBytes, '\0');
  ASSIGN_OR_RETURN(const size_t n, ReadAt(file.fd.get(), file.path, 0, head.data(), head.size()));
  head.resize(n);
  std::string_view text = head;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<std::string_view> records;
  SplitRecords(options_.framing, text, n < kMaxHeaderBytes, &records);
  if (records.empty()) return InvalidError(file.path + ": the header line is over 1 MiB");
  state->header = std::make_shared<std::string>(records.front());
  return OkStatus();
}

Status FileReader::Read(const FilePiece& piece) {
  ASSIGN_OR_RETURN(const OpenedFile file, listing_->Open(piece.path, piece.id));
  RETURN_IF_ERROR(CheckSame(file, piece));
  State state{piece, std::make_shared<std::string>(piece.path), nullptr, nullptr, false, 1, {}};
  state.at_start = piece.from == 0;
  if (piece.lines_before >= 0) {
    state.line = piece.lines_before + 1;
  } else if (options_.wants_line) {
    state.line = CountLines(file, piece.from) + 1;
  } else {
    state.lines_before = [&file, &piece, count = int64_t{-1}]() mutable {
      if (count < 0) count = CountLines(file, piece.from);
      return count;
    };
  }
  if (options_.has_header && !state.at_start) RETURN_IF_ERROR(FindHeader(file, &state));
  std::unique_ptr<Decompressor> unpack;
  if (piece.codec != Codec::kNone) {
    ASSIGN_OR_RETURN(unpack, Decompressor::Create(piece.codec));
  }
  Bytes bytes(file, piece, std::move(unpack));
  RETURN_IF_ERROR(ReadBlocks(&bytes, &state));
  ASSIGN_OR_RETURN(const OpenedFile again, listing_->Open(piece.path, piece.id));
  return CheckSame(again, piece);
}

Status FileReader::ReadBlocks(Bytes* bytes, State* state) {
  state->block = std::make_shared<Block>(kBlockBytes);
  std::vector<std::string_view> records;
  for (bool at_end = false; !at_end;) {
    Block* block = state->block.get();
    while (block->used < block->capacity && !at_end) {
      const Result<size_t> n =
          bytes->Read(block->bytes.get() + block->used, block->capacity - block->used);
      if (!n.ok()) {
        return n.status().code() == StatusCode::kInvalid ? n.status().WithContext(*state->path)
                                                         : n.status();
      }
      block->used += *n;
      at_end = *n == 0;
    }
    std::string_view text(block->bytes.get(), block->used);
    if (state->at_start && text.starts_with(kByteOrderMark)) {
      text.remove_prefix(kByteOrderMark.size());
    }
    records.clear();
    const size_t consumed = SplitRecords(options_.framing, text, at_end, &records);
    const std::string_view rest = text.substr(consumed);
    if (rest.size() > kMaxRecordBytes) {
      const int64_t before = state->lines_before ? state->lines_before() : 0;
      return InvalidError(*state->path + ":" + std::to_string(before + state->line) +
                          ": a record is longer than " + std::to_string(kMaxRecordBytes) +
                          " bytes");
    }
    const size_t next_capacity = std::clamp(2 * rest.size() / kBlockBytes * kBlockBytes,
                                            kBlockBytes, kMaxRecordBytes + kBlockBytes);
    state->at_start = state->at_start && consumed == 0;
    // Keeps the bytes of `rest` alive where the consumer does not.
    const std::shared_ptr<Block> current = state->block;
    RETURN_IF_ERROR(HandOut(text.substr(0, consumed), std::move(records), state));
    records = {};
    state->block.reset();
    const bool reuse = current.use_count() == 1 && current->capacity == next_capacity;
    state->block = reuse ? current : std::make_shared<Block>(next_capacity);
    if (!rest.empty()) std::memmove(state->block->bytes.get(), rest.data(), rest.size());
    state->block->used = rest.size();
  }
  return OkStatus();
}

Status FileReader::HandOut(std::string_view consumed, std::vector<std::string_view> records,
                           State* state) {
  RawRecords raw;
  if (options_.has_header && !state->header && !records.empty()) {
    state->header = std::make_shared<std::string>(records.front());
    const auto breaks = std::count(state->header->begin(), state->header->end(), '\n');
    records.erase(records.begin());
    consumed.remove_prefix(std::min(consumed.size(), state->header->size()));
    consumed.remove_prefix(std::min(consumed.size(), consumed.find('\n') + 1));
    state->line += 1 + breaks;
  }
  if (records.empty()) return OkStatus();
  raw.first_index = index_;
  raw.path = *state->path;
  raw.first_line = state->line;
  if (state->lines_before) raw.lines_before = std::ref(state->lines_before);
  NumberLines(consumed, records, state, &raw);
  index_ += static_cast<int64_t>(records.size());
  raw.payloads = std::move(records);
  raw.owners.push_back(state->block);
  if (state->header) {
    raw.header = *state->header;
    raw.owners.push_back(state->header);
  }
  AddHidden(*state, &raw);
  return consumer_->OnRaw(std::move(raw));
}

// Gives the records the numbers of their first lines.
void FileReader::NumberLines(std::string_view consumed,
                             const std::vector<std::string_view>& records, State* state,
                             RawRecords* raw) const {
  const auto count = static_cast<int64_t>(records.size());
  int64_t lines = count;
  if (options_.framing == Framing::kCsv) {
    lines = std::count(consumed.begin(), consumed.end(), '\n');
    if (consumed.back() != '\n') ++lines;
  }
  if (lines == count) {
    state->line += count;
    return;
  }
  for (const std::string_view record : records) {
    raw->lines.push_back(state->line);
    state->line += 1 + std::count(record.begin(), record.end(), '\n');
  }
}

void FileReader::AddHidden(const State& state, RawRecords* raw) const {
  const size_t count = raw->payloads.size();
  if (options_.wants_path) {
    auto column = std::make_shared<Column>(Type(Kind::kString));
    column->strings.assign(count, *state.path);
    column->set_size(count);
    column->AddOwner(state.path);
    raw->hidden.emplace_back("__path", std::move(column));
  }
  if (options_.wants_line) {
    auto column = std::make_shared<Column>(Type(Kind::kInt));
    column->ints = raw->lines;
    for (int64_t i = 0; raw->lines.empty() && i < static_cast<int64_t>(count); ++i) {
      column->ints.push_back(raw->first_line + i);
    }
    column->set_size(count);
    raw->hidden.emplace_back("__line", std::move(column));
  }
}

}  // namespace millrace::worker
