#include "worker/source/line_buffer.h"

namespace millrace::worker {

size_t SplitRecords(Framing framing, std::string_view block, bool at_end,
                    std::vector<std::string_view>* records) {
  switch (framing) {
    case Framing::kLines:
      return SplitLines(block, at_end, records);
    case Framing::kCsv:
      return SplitCsvRecords(block, at_end, records);
  }
  return 0;
}

char* LineBuffer::Reserve(size_t bytes) {
  text_.erase(0, consumed_);
  used_ -= consumed_;
  consumed_ = 0;
  text_.resize(used_ + bytes);
  return text_.data() + used_;
}

Status LineBuffer::Commit(size_t written, bool at_end, std::vector<std::string_view>* records) {
  used_ += written;
  records->clear();
  consumed_ = SplitRecords(framing_, std::string_view(text_).substr(0, used_), at_end, records);
  if (pending_bytes() <= kMaxRecordBytes) return OkStatus();
  Clear();
  return InvalidError("a record is longer than " + std::to_string(kMaxRecordBytes) + " bytes");
}

}  // namespace millrace::worker
