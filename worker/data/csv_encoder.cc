#include <algorithm>

#include "crds/base/text.h"
#include "worker/data/codecs.h"
#include "worker/data/encode_check.h"
#include "worker/data/json_value.h"
#include "worker/data/time_layout.h"

namespace millrace::worker {
namespace {

// Appends a cell, quoted where its content needs it (RFC 4180).
void AppendCell(std::string_view text, char delimiter, std::string* out) {
  const bool plain = std::none_of(text.begin(), text.end(), [delimiter](char c) {
    return c == delimiter || c == '"' || c == '\n' || c == '\r';
  });
  if (plain) {
    out->append(text);
    return;
  }
  out->push_back('"');
  for (const char c : text) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

struct CsvColumn {
  size_t field;
  std::string name;
};

class CsvEncoder final : public Encoder {
 public:
  CsvEncoder(const api::CsvFormat& format, std::vector<CsvColumn> columns)
      : timestamps_(format.timestamp_format),
        header_(format.header),
        delimiter_(format.delimiter),
        columns_(std::move(columns)) {}

  void Encode(const RecordBatch& batch, std::string* out, std::vector<size_t>* ends,
              std::vector<BadRecord>* bad) override {
    RowEnds rows(out, ends, bad);
    for (size_t row = 0; row < batch.num_rows(); ++row) {
      std::string problem;
      if (AppendRow(batch, row, out, &problem)) {
        rows.Accept();
      } else {
        rows.Refuse(row, std::move(problem));
      }
    }
  }

  std::string Header() const override {
    if (!header_) return {};
    std::string line;
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) line.push_back(delimiter_);
      AppendCell(columns_[i].name, delimiter_, &line);
    }
    return line + "\n";
  }
  std::string_view extension() const override { return "csv"; }

 private:
  bool AppendRow(const RecordBatch& batch, size_t row, std::string* out, std::string* problem) {
    for (size_t i = 0; i < columns_.size(); ++i) {
      const Column& column = batch.column(columns_[i].field);
      *problem = EncodeProblem(column, row);
      if (!problem->empty()) {
        *problem = "field \"" + columns_[i].name + "\": " + *problem;
        return false;
      }
      if (i > 0) out->push_back(delimiter_);
      if (!column.IsNull(row)) AppendValue(column, row, out);
    }
    return true;
  }

  // An empty string is quoted where nothing at all would read as null, or the whole line as blank.
  void AppendText(std::string_view text, bool nullable, std::string* out) {
    if (text.empty() && (nullable || columns_.size() == 1)) {
      out->append("\"\"");
    } else {
      AppendCell(text, delimiter_, out);
    }
  }

  void AppendValue(const Column& column, size_t row, std::string* out) {
    switch (column.kind()) {
      case Kind::kString:
        return AppendText(column.strings[row], column.type().nullable(), out);
      case Kind::kInt:
        return AppendJsonInt(column.ints[row], out);
      case Kind::kUint:
        return AppendJsonUint(column.uints[row], out);
      case Kind::kDouble:
        return AppendJsonDouble(column.doubles[row], out);
      case Kind::kBool:
        out->append(column.bools[row] != 0 ? "true" : "false");
        return;
      case Kind::kTimestamp:
        scratch_.clear();
        AppendTimestamp(timestamps_, column.ints[row], &scratch_);
        return AppendCell(scratch_, delimiter_, out);
      case Kind::kDuration:
        return AppendDurationSeconds(column.ints[row], out);
      case Kind::kBytes:
        return AppendText(Base64Encode(column.strings[row]), column.type().nullable(), out);
      case Kind::kJson:
      case Kind::kList:
      case Kind::kMap:
      case Kind::kStruct:
        scratch_.clear();
        AppendJsonLine(column, row, timestamps_, false, &scratch_);
        return AppendCell(scratch_, delimiter_, out);
      case Kind::kNull:
      case Kind::kDyn:
      case Kind::kOptional:
      case Kind::kTypeType:
      case Kind::kTypeParam:
        return;
    }
  }

  api::TimestampFormat timestamps_;
  bool header_;
  char delimiter_;
  std::vector<CsvColumn> columns_;
  std::string scratch_;
};

Result<std::vector<CsvColumn>> OrderedColumns(const api::CsvFormat& format, const Schema& schema) {
  std::vector<CsvColumn> columns;
  const std::vector<size_t> visible = VisibleFields(schema);
  if (!format.columns) {
    for (const size_t field : visible) columns.push_back({field, schema[field].name});
    return columns;
  }
  for (const std::string& name : *format.columns) {
    const int field = Schema::IsHidden(name) ? -1 : schema.Find(name);
    if (field < 0)
      return InvalidError("csv.columns: no field \"" + name + "\" in " + schema.ToString());
    columns.push_back({static_cast<size_t>(field), name});
  }
  for (const size_t field : visible) {
    const std::string& name = schema[field].name;
    if (std::count(format.columns->begin(), format.columns->end(), name) != 1) {
      return InvalidError(
          "csv.columns: field \"" + name +
          "\" must stand there once; a field that is not to be written is left out of the "
          "sink's fields");
    }
  }
  return columns;
}

}  // namespace

Result<std::unique_ptr<Encoder>> MakeCsvEncoder(const api::CsvFormat& format, SchemaRef schema) {
  if (format.timestamp_format.kind == api::TimestampKind::kStrptime)
    RETURN_IF_ERROR(
        CheckTimeLayout(format.timestamp_format.layout).WithContext("csv.timestampFormat"));
  if (format.delimiter == '"' || format.delimiter == '\n' || format.delimiter == '\r')
    return InvalidError("csv.delimiter: cannot be a quote or a line break");
  ASSIGN_OR_RETURN(std::vector<CsvColumn> columns, OrderedColumns(format, *schema));
  if (columns.empty()) return InvalidError("csv: the record has no visible field");
  return std::unique_ptr<Encoder>(std::make_unique<CsvEncoder>(format, std::move(columns)));
}

}  // namespace millrace::worker
