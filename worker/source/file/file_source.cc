#include "worker/source/file/file_source.h"

#include <cmath>

#include "worker/source/position.h"

namespace millrace::worker {
namespace {

int64_t Records(uint64_t bytes, double record_bytes) {
  return static_cast<int64_t>(std::ceil(static_cast<double>(bytes) / record_bytes));
}

}  // namespace

FileSource::FileSource(const api::FileSource& spec, const FileReaderOptions& reading)
    : spec_(spec), reading_(reading) {}

Status FileSource::Start(const SourcePosition& position) {
  ASSIGN_OR_RETURN(FileListing listing, FileListing::Create(spec_.path));
  listing_.emplace(std::move(listing));
  planner_.emplace(FilePlannerOptions{spec_, reading_.framing, reading_.wants_line}, &*listing_);
  ASSIGN_OR_RETURN(const std::vector<ListedFile> files, listing_->List());
  if (listing_->missing() && !spec_.watch) {
    return InvalidError("no file matches " + spec_.path);
  }
  if (spec_.start_from == api::FileSource::Start::kLatest && position.cursor.empty()) {
    ASSIGN_OR_RETURN(const FileCursor cursor, planner_->SkipAll(files));
    initial_cursor_ = cursor.Encode();
  }
  return OkStatus();
}

Result<const FileCursor*> FileSource::CursorOf(const std::string& text) {
  if (text != cached_text_) {
    ASSIGN_OR_RETURN(cached_, FileCursor::Decode(text));
    cached_text_ = text;
  }
  return static_cast<const FileCursor*>(&cached_);
}

Result<SourceOffer> FileSource::Offer(const OfferRequest& request) {
  const SourcePosition& position = *request.position;
  SourceOffer offer;
  offer.cursor = position.cursor.empty() ? initial_cursor_ : position.cursor;
  ASSIGN_OR_RETURN(const FileCursor* cursor, CursorOf(offer.cursor));
  ASSIGN_OR_RETURN(const std::vector<ListedFile> files, listing_->List());
  ASSIGN_OR_RETURN(FileBatch batch,
                   planner_->Plan(*cursor, files, request.max_records_per_partition));
  for (int lane = 0; lane < kFileLanes; ++lane) {
    const auto& pieces = batch.lanes[static_cast<size_t>(lane)];
    if (pieces.empty()) continue;
    PartitionRange range;
    range.partition = lane;
    const auto before = position.offsets.find(lane);
    range.from = before == position.offsets.end() || before->second.empty() ? "0" : before->second;
    ASSIGN_OR_RETURN(uint64_t to, ParsePosition(range.from, "a file source"));
    for (const FilePiece& piece : pieces) to += piece.to - piece.from;
    range.to = std::to_string(to);
    range.proof = EncodePieces(pieces);
    range.records = Records(batch.bytes[static_cast<size_t>(lane)], planner_->record_bytes());
    offer.ranges.push_back(std::move(range));
  }
  // An idle source keeps its cursor, so that nothing has to be written.
  if (!offer.ranges.empty()) offer.cursor = batch.cursor.Encode();
  offer.lag_records = Records(batch.left_bytes, planner_->record_bytes());
  offer.ended = !spec_.watch && batch.left_bytes == 0;
  return offer;
}

Status FileSource::Read(const PartitionRange& range, RecordConsumer* consumer) {
  ASSIGN_OR_RETURN(const std::vector<FilePiece> pieces, DecodePieces(range.proof));
  FileReader reader(reading_, &*listing_, consumer);
  for (const FilePiece& piece : pieces) RETURN_IF_ERROR(reader.Read(piece));
  return OkStatus();
}

}  // namespace millrace::worker
