#include <cmath>
#include <set>

#include "crds/base/text.h"
#include "worker/data/codecs.h"
#include "worker/data/encode_check.h"
#include "worker/data/json_value.h"
#include "worker/data/time_layout.h"

namespace millrace::worker {
namespace {

struct JsonMember {
  size_t field;
  std::string name;
  std::string prefix;  // "name":
};

class JsonEncoder final : public Encoder {
 public:
  JsonEncoder(const api::JsonFormat& format, std::vector<JsonMember> members)
      : timestamps_(format.timestamp_format),
        omit_null_(format.omit_null),
        members_(std::move(members)) {}

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
  std::string_view extension() const override { return "json"; }

 private:
  bool AppendRow(const RecordBatch& batch, size_t row, std::string* out, std::string* problem) {
    out->push_back('{');
    bool first = true;
    for (const JsonMember& member : members_) {
      const Column& column = batch.column(member.field);
      if (omit_null_ && column.IsNull(row)) continue;
      *problem = EncodeProblem(column, row);
      if (!problem->empty()) {
        *problem = "field \"" + member.name + "\": " + *problem;
        return false;
      }
      if (!first) out->push_back(',');
      first = false;
      out->append(member.prefix);
      AppendValue(column, row, out);
    }
    out->push_back('}');
    return true;
  }

  void AppendValue(const Column& column, size_t row, std::string* out) {
    if (column.kind() == Kind::kString && !column.IsNull(row)) {
      AppendJsonText(column.strings[row], out);
    } else if (column.kind() == Kind::kInt && !column.IsNull(row)) {
      AppendJsonInt(column.ints[row], out);
    } else {
      AppendJsonLine(column, row, timestamps_, omit_null_, out);
    }
  }

  api::TimestampFormat timestamps_;
  bool omit_null_;
  std::vector<JsonMember> members_;
};

}  // namespace

Result<std::unique_ptr<Encoder>> MakeJsonEncoder(const api::JsonFormat& format, SchemaRef schema) {
  if (format.timestamp_format.kind == api::TimestampKind::kStrptime)
    RETURN_IF_ERROR(
        CheckTimeLayout(format.timestamp_format.layout).WithContext("json.timestampFormat"));
  std::vector<JsonMember> members;
  std::set<std::string> taken;
  for (const size_t field : VisibleFields(*schema)) {
    const std::string& own = (*schema)[field].name;
    const auto named = format.names.find(own);
    const std::string& name = named == format.names.end() ? own : named->second;
    if (!taken.insert(name).second)
      return InvalidError("json.names: two fields would be written as \"" + name + "\"");
    members.push_back({field, own, JsonQuote(name) + ":"});
  }
  for (const auto& [field, name] : format.names) {
    if (schema->Find(field) < 0)
      return InvalidError("json.names: no field \"" + field + "\" in " + schema->ToString());
  }
  return std::unique_ptr<Encoder>(std::make_unique<JsonEncoder>(format, std::move(members)));
}

}  // namespace millrace::worker
