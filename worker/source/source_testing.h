#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "crds/base/file.h"
#include "worker/source/source.h"

// What the tests of sources share.
namespace millrace::worker::testing {

// A folder that goes away with the object.
class TempFolder {
 public:
  TempFolder() {
    std::string name = ::testing::TempDir() + "source-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~TempFolder() { (void)RemoveTree(path_).ok(); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Replaces or appends in place.
  std::string Write(const std::string& name, const std::string& text, bool append = false) const {
    std::ofstream(*this / name, append ? std::ios::app : std::ios::trunc) << text;
    return *this / name;
  }
  void SetModified(const std::string& name, int64_t seconds) const {
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    ::utimensat(AT_FDCWD, (*this / name).c_str(), times, 0);
  }

 private:
  std::string path_;
};

// Copies what a source hands out.
class CollectingConsumer final : public RecordConsumer {
 public:
  Status OnRaw(RawRecords raw) override {
    EXPECT_EQ(raw.first_index, static_cast<int64_t>(records.size()));
    for (size_t i = 0; i < raw.payloads.size(); ++i) {
      records.emplace_back(raw.payloads[i]);
      headers.emplace_back(raw.header);
      const int64_t before = raw.lines_before ? raw.lines_before() : 0;
      lines.push_back(
          before + (raw.lines.empty() ? raw.first_line + static_cast<int64_t>(i) : raw.lines[i]));
    }
    for (const auto& [name, column] : raw.hidden) {
      for (const std::string_view value : column->strings) hidden_text.emplace_back(value);
      hidden_ints.insert(hidden_ints.end(), column->ints.begin(), column->ints.end());
    }
    return OkStatus();
  }
  Status OnBatch(RecordBatch batch, int64_t) override {
    batches.push_back(std::move(batch));
    return OkStatus();
  }

  std::vector<std::string> records, headers, hidden_text;
  std::vector<int64_t> lines, hidden_ints;
  std::vector<RecordBatch> batches;
};

// Plays the scheduler: offers, reads and keeps the position.
class SourceDriver {
 public:
  explicit SourceDriver(Source* source) : source_(source) {}

  // What one batch yields, partitions ascending.
  std::vector<std::string> NextBatch(int64_t max_records = 0) {
    CollectingConsumer all;
    const Result<SourceOffer> offer = Plan(max_records);
    EXPECT_TRUE(offer.ok()) << offer.status();
    if (!offer.ok()) return {};
    std::vector<std::string> records;
    for (const PartitionRange& range : offer->ranges) {
      CollectingConsumer consumer;
      const Status status = source_->Read(range, &consumer);
      EXPECT_TRUE(status.ok()) << status;
      records.insert(records.end(), consumer.records.begin(), consumer.records.end());
    }
    return records;
  }
  // Offers and moves the position on; ranges are kept in `last`.
  Result<SourceOffer> Plan(int64_t max_records = 0) {
    OfferRequest request;
    request.position = &position;
    request.batch_time = time += std::chrono::seconds(1);
    request.max_records_per_partition = max_records;
    Result<SourceOffer> offer = source_->Offer(request);
    if (!offer.ok()) return offer;
    for (const PartitionRange& range : offer->ranges) {
      const std::string before =
          position.offsets.contains(range.partition) ? position.offsets[range.partition] : "0";
      EXPECT_EQ(range.from, before);
      position.offsets[range.partition] = range.to;
    }
    position.cursor = offer->cursor;
    ended = offer->ended;
    last = offer->ranges;
    return offer;
  }

  SourcePosition position;
  TimePoint time{std::chrono::seconds(1'700'000'000)};
  std::vector<PartitionRange> last;
  bool ended = false;

 private:
  Source* source_;
};

}  // namespace millrace::worker::testing
