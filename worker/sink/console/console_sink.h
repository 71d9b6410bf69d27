#pragma once

#include <memory>
#include <string>
#include <vector>

#include "worker/data/format.h"
#include "worker/sink/console/screen.h"
#include "worker/sink/console/text_table.h"
#include "worker/sink/projection.h"
#include "worker/sink/sink.h"

namespace millrace::worker {

struct ConsoleSinkOptions {
  std::string name;
  int64_t max_rows = 10;  // of a batch
  bool updating = false;
  std::vector<std::string> update_key;
};

// Rows for people. Writes the first `max_rows` rows of each batch that has any:
// - with a format: encoded lines and nothing else;
// - an updating stream on a live screen: a table redrawn in place, one row per key with its latest
// value, rows of the latest batch
//   first and in their order;
// - else a heading "-- <sink>  batch 12  <time>  10 of 57 rows" and a table, which scroll.
// At least once. Removed keys leave the live table and are not written elsewhere.
// Thread-compatible. Errors: kGone when standard output is closed.
class ConsoleSink final : public Sink {
 public:
  // `encoder` may be null. `screen` is shared with whoever else writes to the terminal.
  ConsoleSink(ConsoleSinkOptions options, Projection projection, std::unique_ptr<Encoder> encoder,
              std::shared_ptr<Screen> screen);

  Status Open(const SinkSeat&) override { return OkStatus(); }
  Result<SinkLedger> ReadLedger() override { return SinkLedger{}; }
  Status Deliver(const SinkBatch& batch, const std::vector<SinkPart>& parts,
                 std::vector<RejectedRow>* rejected) override;
  Status Committed(int64_t) override { return OkStatus(); }

 private:
  struct LiveRow {
    std::string key;
    std::vector<std::string> cells;
  };

  std::string Heading(const SinkBatch& batch, size_t shown, size_t total) const;
  Status PrintEncoded(const std::vector<SinkPart>& parts, std::vector<RejectedRow>* rejected);
  Status PrintTable(const SinkBatch& batch, const std::vector<SinkPart>& parts);
  Status Update(const SinkBatch& batch, const std::vector<SinkPart>& parts);
  std::vector<LiveRow> LatestRows(const std::vector<SinkPart>& parts,
                                  std::vector<std::string>* touched, size_t* total) const;

  ConsoleSinkOptions options_;
  Projection projection_;
  std::unique_ptr<Encoder> encoder_;
  std::shared_ptr<Screen> screen_;
  TextTable layout_;  // header and alignment; no rows
  std::vector<int> widths_;
  std::vector<LiveRow> live_;  // latest first
  bool said_cut_ = false;
};

}  // namespace millrace::worker
