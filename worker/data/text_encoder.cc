#include "worker/data/codecs.h"
#include "worker/data/encode_check.h"

namespace millrace::worker {
namespace {

// One value per line, as it is: `text` and `raw`.
class PlainEncoder final : public Encoder {
 public:
  explicit PlainEncoder(size_t field) : field_(field) {}

  void Encode(const RecordBatch& batch, std::string* out, std::vector<size_t>* ends,
              std::vector<BadRecord>* bad) override {
    const Column& column = batch.column(field_);
    RowEnds rows(out, ends, bad);
    for (size_t row = 0; row < batch.num_rows(); ++row) {
      const std::string_view value = column.strings[row];
      std::string problem = EncodeProblem(column, row);
      const size_t line_break = value.find('\n');
      if (problem.empty() && line_break != std::string_view::npos) {
        problem = "a line break at byte " + std::to_string(line_break) +
                  " would cut the record in two; write json or csv";
      }
      if (problem.empty()) {
        out->append(value);
        rows.Accept();
      } else {
        rows.Refuse(row, "field \"value\": " + problem);
      }
    }
  }
  std::string_view extension() const override { return "txt"; }

 private:
  size_t field_;
};

Result<std::unique_ptr<Encoder>> MakePlain(const Schema& schema, Kind kind, const char* format) {
  const std::vector<size_t> visible = VisibleFields(schema);
  const Field want{"value", Type(kind)};
  if (visible.size() != 1 || !(schema[visible[0]] == want)) {
    return InvalidError("format " + std::string(format) +
                        " writes records of exactly one field, value: " + want.type.ToString() +
                        "; this record has " + schema.ToString());
  }
  return std::unique_ptr<Encoder>(std::make_unique<PlainEncoder>(visible[0]));
}

}  // namespace

Result<std::unique_ptr<Encoder>> MakeTextEncoder(SchemaRef schema) {
  return MakePlain(*schema, Kind::kString, "text");
}

Result<std::unique_ptr<Encoder>> MakeRawEncoder(SchemaRef schema) {
  return MakePlain(*schema, Kind::kBytes, "raw");
}

}  // namespace millrace::worker
