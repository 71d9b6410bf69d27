#include <algorithm>

#include "crds/base/text.h"
#include "worker/data/codecs.h"
#include "worker/data/csv_fields.h"
#include "worker/data/decode_limits.h"
#include "worker/data/row_collector.h"
#include "worker/data/text_value.h"
#include "worker/data/utf8.h"

namespace millrace::worker {
namespace {

constexpr int kAbsent = -1;

class CsvDecoder final : public Decoder {
 public:
  CsvDecoder(const api::CsvFormat& format, const Schema& declared, SchemaRef wanted)
      : schema_(std::move(wanted)),
        declared_(declared),
        header_(format.header),
        delimiter_(format.delimiter),
        timestamps_(format.timestamp_format) {}

  const SchemaRef& schema() const override { return schema_; }
  bool wants_header() const override { return header_; }

  Status SetHeader(std::string_view record) override {
    if (record.starts_with(kByteOrderMark)) record.remove_prefix(kByteOrderMark.size());
    Arena arena(1 << 10);
    std::vector<CsvCell> cells;
    const std::string problem = CutCsvRecord(record, delimiter_, &arena, &cells);
    if (!problem.empty()) return InvalidError("csv header: " + problem);
    std::vector<std::string> names;
    for (const CsvCell& cell : cells) names.emplace_back(cell.text);
    return SetColumns(names).WithContext("csv header");
  }

  // Finds each wanted field among the names; those that are missing must be nullable.
  Status SetColumns(const std::vector<std::string>& names) {
    columns_.assign(schema_->size(), kAbsent);
    for (const Field& field : declared_.fields()) {
      const auto count = std::count(names.begin(), names.end(), field.name);
      if (count > 1) return InvalidError("column \"" + field.name + "\" stands there twice");
      if (count == 0 && !field.type.nullable()) {
        return InvalidError("column \"" + field.name +
                            "\" is missing; there are: " + Excerpt(Join(names, ", "), 200));
      }
    }
    for (size_t i = 0; i < columns_.size(); ++i) {
      const auto found = std::find(names.begin(), names.end(), (*schema_)[i].name);
      if (found != names.end()) columns_[i] = static_cast<int>(found - names.begin());
    }
    width_ = names.size();
    known_ = true;
    return OkStatus();
  }

  DecodeResult Decode(const RawRecords& raw) override {
    RowCollector rows(schema_, raw);
    const Status ready = Prepare(raw);
    for (size_t i = 0; i < raw.payloads.size(); ++i) {
      if (IsNullRecord(raw, i)) {
        rows.AcceptNull(i);
      } else if (IsBlank(raw.payloads[i])) {
        continue;
      } else if (!ready.ok()) {
        rows.Refuse(i, ready.message());
      } else if (Read(raw.payloads[i], &rows)) {
        rows.Accept(i);
      } else {
        rows.Refuse(i, std::move(problem_));
      }
    }
    return rows.Finish();
  }

 private:
  // Takes over the header that came with the records, when it is another one.
  Status Prepare(const RawRecords& raw) {
    if (header_ && !raw.header.empty() && raw.header != last_header_) {
      known_ = false;
      RETURN_IF_ERROR(SetHeader(raw.header));
      last_header_ = raw.header;
    }
    if (!known_) return InvalidError("the csv header line is not known");
    return OkStatus();
  }

  bool Read(std::string_view record, RowCollector* rows) {
    problem_.clear();
    if (record.size() > kMaxDecodedBytes) {
      problem_ = TooLargeMessage(record.size());
    } else if (const size_t bad = FindInvalidUtf8(record); bad != std::string_view::npos) {
      problem_ = InvalidUtf8Message(bad);
    } else {
      problem_ = CutCsvRecord(record, delimiter_, rows->arena(), &cells_);
    }
    if (problem_.empty() && cells_.size() != width_) {
      problem_ = "the record has " + std::to_string(cells_.size()) + " columns, expected " +
                 std::to_string(width_);
    }
    if (!problem_.empty()) return false;
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (!ReadCell(i, rows)) return false;
    }
    return true;
  }

  bool ReadCell(size_t i, RowCollector* rows) {
    Column* const column = rows->column(i);
    const int at = columns_[i];
    const bool empty = at == kAbsent || (cells_[static_cast<size_t>(at)].text.empty() &&
                                         !cells_[static_cast<size_t>(at)].quoted);
    if (empty && column->type().nullable()) {
      column->AppendNull();
      return true;
    }
    std::string problem;
    if (AppendTextValue(cells_[static_cast<size_t>(at)].text, timestamps_, column, rows->arena(),
                        &problem)) {
      return true;
    }
    problem_ =
        "field \"" + (*schema_)[i].name + "\" (column " + std::to_string(at + 1) + "): " + problem;
    return false;
  }

  SchemaRef schema_;
  Schema declared_;
  bool header_;
  char delimiter_;
  api::TimestampFormat timestamps_;
  std::vector<int> columns_;  // by wanted field: its column in the data
  size_t width_ = 0;
  bool known_ = false;
  std::string last_header_;
  std::vector<CsvCell> cells_;
  std::string problem_;
};

}  // namespace

Result<std::unique_ptr<Decoder>> MakeCsvDecoder(const api::CsvFormat& format,
                                                const Schema& declared, SchemaRef wanted) {
  auto decoder = std::make_unique<CsvDecoder>(format, declared, std::move(wanted));
  if (format.columns && !format.header)
    RETURN_IF_ERROR(decoder->SetColumns(*format.columns).WithContext("csv.columns"));
  return std::unique_ptr<Decoder>(std::move(decoder));
}

}  // namespace millrace::worker
