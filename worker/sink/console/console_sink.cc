#include "worker/sink/console/console_sink.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "crds/base/log.h"
#include "crds/base/text.h"
#include "worker/sink/console/cell_text.h"
#include "worker/sink/console/text_width.h"

namespace millrace::worker {
namespace {

// Rows kept beyond the visible ones, so that removed keys leave no holes.
constexpr size_t kSpareRows = 100;

std::vector<std::string> Cells(const RecordBatch& projected, size_t row) {
  std::vector<std::string> cells;
  for (size_t i = 0; i < projected.num_columns(); ++i)
    cells.push_back(CellText(projected.column(i), row));
  return cells;
}

// The first `limit` live rows of all parts, projected; `total` counts all of them.
std::vector<RecordBatch> FirstRows(const Projection& projection, const std::vector<SinkPart>& parts,
                                   size_t limit, size_t* total) {
  std::vector<RecordBatch> result;
  for (const SinkPart& part : parts) {
    for (const RecordBatch& rows : part.rows) {
      std::vector<uint32_t> live = LiveRows(rows);
      const size_t left = limit - std::min(limit, *total);
      *total += live.size();
      if (live.size() > left) live.resize(left);
      if (!live.empty()) result.push_back(Keep(projection.Apply(rows), live));
    }
  }
  return result;
}

// Encoded keys of `rows` over the columns of `key` that are there; one empty key for all rows
// without any.
void EncodeKeys(const RecordBatch& rows, const std::vector<std::string>& key, Arena* arena,
                std::vector<std::string_view>* keys) {
  std::vector<int> columns;
  for (const std::string& name : key) {
    if (const int index = rows.schema().Find(name); index >= 0) columns.push_back(index);
  }
  keys->assign(rows.num_rows(), {});
  if (!columns.empty()) KeyEncoder(std::move(columns)).Encode(rows, arena, keys);
}

bool IsDeleted(const Column* deleted, size_t row) {
  return deleted != nullptr && deleted->kind() == Kind::kBool && deleted->bools[row] != 0;
}

}  // namespace

ConsoleSink::ConsoleSink(ConsoleSinkOptions options, Projection projection,
                         std::unique_ptr<Encoder> encoder, std::shared_ptr<Screen> screen)
    : options_(std::move(options)),
      projection_(std::move(projection)),
      encoder_(std::move(encoder)),
      screen_(std::move(screen)) {
  for (const Field& field : projection_.schema()->fields()) {
    layout_.header.push_back(field.name);
    layout_.right_aligned.push_back(field.type.is_numeric() ||
                                    field.type.kind() == Kind::kDuration);
  }
}

std::string ConsoleSink::Heading(const SinkBatch& batch, size_t shown, size_t total) const {
  std::string text = options_.name + "  batch " + std::to_string(batch.batch) + "  " +
                     FormatRfc3339(batch.batch_time) + "  ";
  if (shown < total) text += std::to_string(shown) + " of ";
  return text + std::to_string(total) + (total == 1 ? " row" : " rows");
}

Status ConsoleSink::Deliver(const SinkBatch& batch, const std::vector<SinkPart>& parts,
                            std::vector<RejectedRow>* rejected) {
  if (encoder_ != nullptr) return PrintEncoded(parts, rejected);
  if (options_.updating && screen_->live()) return Update(batch, parts);
  return PrintTable(batch, parts);
}

Status ConsoleSink::PrintEncoded(const std::vector<SinkPart>& parts,
                                 std::vector<RejectedRow>* rejected) {
  size_t total = 0;
  std::vector<std::string> lines;
  for (const RecordBatch& rows :
       FirstRows(projection_, parts, static_cast<size_t>(options_.max_rows), &total)) {
    std::string bytes;
    std::vector<size_t> ends;
    std::vector<BadRecord> bad;
    encoder_->Encode(rows, &bytes, &ends, &bad);
    RejectRows(rows, bad, "", rejected);
    size_t begin = 0;
    for (const size_t end : ends) {
      if (end > begin) lines.push_back(bytes.substr(begin, end - begin - 1));
      begin = end;
    }
  }
  if (total > static_cast<size_t>(options_.max_rows) && !said_cut_) {
    said_cut_ = true;
    Log(LogLevel::kWarn,
        "console sink writes only the first rows of a batch; set console.rows for more",
        {{"sink", options_.name}, {"rows", std::to_string(options_.max_rows)}});
  }
  return lines.empty() ? OkStatus() : screen_->Print(lines);
}

Status ConsoleSink::PrintTable(const SinkBatch& batch, const std::vector<SinkPart>& parts) {
  size_t total = 0;
  TextTable table = layout_;
  for (const RecordBatch& rows :
       FirstRows(projection_, parts, static_cast<size_t>(options_.max_rows), &total)) {
    for (size_t row = 0; row < rows.num_rows(); ++row) table.rows.push_back(Cells(rows, row));
  }
  if (total == 0) return OkStatus();
  const std::string heading = "-- " + Heading(batch, table.rows.size(), total);
  std::vector<std::string> lines{screen_->live() ? FitWidth(heading, screen_->width()) : heading};
  const std::vector<std::string> body =
      screen_->live() ? LayoutForTerminal(table, screen_->width(), screen_->colour())
                      : LayoutForPipe(table, &widths_);
  lines.insert(lines.end(), body.begin(), body.end());
  return screen_->Print(lines);
}

// The last version of each key in the batch, in order of appearance; `touched` are the keys of all
// rows, removals too.
std::vector<ConsoleSink::LiveRow> ConsoleSink::LatestRows(const std::vector<SinkPart>& parts,
                                                          std::vector<std::string>* touched,
                                                          size_t* total) const {
  struct Version {
    size_t order;
    const RecordBatch* rows;
    size_t row;
  };
  std::unordered_map<std::string, Version> latest;
  size_t order = 0;
  for (const SinkPart& part : parts) {
    for (const RecordBatch& rows : part.rows) {
      Arena arena;
      std::vector<std::string_view> keys;
      EncodeKeys(rows, options_.update_key, &arena, &keys);
      const Column* deleted = rows.Find(kRemovalField);
      for (size_t row = 0; row < rows.num_rows(); ++row) {
        if (!IsDeleted(deleted, row)) ++*total;
        latest[std::string(keys[row])] = {order++, IsDeleted(deleted, row) ? nullptr : &rows, row};
      }
    }
  }
  std::vector<std::pair<Version, const std::string*>> sorted;
  for (const auto& [key, version] : latest) {
    touched->push_back(key);
    if (version.rows != nullptr) sorted.emplace_back(version, &key);
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.first.order < b.first.order; });
  sorted.resize(std::min(sorted.size(), static_cast<size_t>(options_.max_rows) + kSpareRows));
  std::vector<LiveRow> result;
  for (const auto& [version, key] : sorted) {
    const std::vector<uint32_t> row{static_cast<uint32_t>(version.row)};
    result.push_back({*key, Cells(projection_.Apply(version.rows->Gather(row)), 0)});
  }
  return result;
}

Status ConsoleSink::Update(const SinkBatch& batch, const std::vector<SinkPart>& parts) {
  size_t total = 0;
  std::vector<std::string> keys;
  std::vector<LiveRow> rows = LatestRows(parts, &keys, &total);
  if (keys.empty()) return OkStatus();
  const size_t fresh = rows.size();
  const std::unordered_set<std::string> touched(keys.begin(), keys.end());
  for (LiveRow& row : live_) {
    if (!touched.contains(row.key)) rows.push_back(std::move(row));
  }
  rows.resize(std::min(rows.size(), static_cast<size_t>(options_.max_rows) + kSpareRows));
  live_ = std::move(rows);

  TextTable table = layout_;
  const size_t shown = std::min(live_.size(), static_cast<size_t>(options_.max_rows));
  for (size_t i = 0; i < shown; ++i) {
    table.rows.push_back(live_[i].cells);
    table.highlighted.push_back(i < fresh);
  }
  std::vector<std::string> lines{FitWidth(Heading(batch, total, total), screen_->width())};
  const std::vector<std::string> body =
      LayoutForTerminal(table, screen_->width(), screen_->colour());
  lines.insert(lines.end(), body.begin(), body.end());
  return screen_->SetTable(options_.name, std::move(lines));
}

}  // namespace millrace::worker
