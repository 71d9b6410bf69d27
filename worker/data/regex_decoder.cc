#include <re2/re2.h>

#include <algorithm>

#include "worker/data/codecs.h"
#include "worker/data/decode_limits.h"
#include "worker/data/regex_pattern.h"
#include "worker/data/row_collector.h"
#include "worker/data/text_value.h"
#include "worker/data/utf8.h"

namespace millrace::worker {
namespace {

class RegexDecoder final : public Decoder {
 public:
  RegexDecoder(std::unique_ptr<re2::RE2> pattern, const api::RegexFormat& format, SchemaRef wanted)
      : schema_(std::move(wanted)),
        pattern_(std::move(pattern)),
        timestamps_(format.timestamp_format) {
    const auto& numbers = pattern_->NamedCapturingGroups();
    int last = 0;
    for (const Field& field : schema_->fields()) {
      groups_.push_back(numbers.at(field.name));
      last = std::max(last, groups_.back());
    }
    found_.resize(static_cast<size_t>(last) + 1);
  }

  const SchemaRef& schema() const override { return schema_; }

  DecodeResult Decode(const RawRecords& raw) override {
    RowCollector rows(schema_, raw);
    for (size_t i = 0; i < raw.payloads.size(); ++i) {
      if (IsNullRecord(raw, i)) {
        rows.AcceptNull(i);
      } else if (Read(raw.payloads[i], &rows)) {
        rows.Accept(i);
      } else {
        rows.Refuse(i, std::move(problem_));
      }
    }
    return rows.Finish();
  }

 private:
  bool Read(std::string_view record, RowCollector* rows) {
    problem_.clear();
    if (record.size() > kMaxDecodedBytes) {
      problem_ = TooLargeMessage(record.size());
      return false;
    }
    if (const size_t bad = FindInvalidUtf8(record); bad != std::string_view::npos) {
      problem_ = InvalidUtf8Message(bad);
      return false;
    }
    const re2::StringPiece text(record.data(), record.size());
    if (!pattern_->Match(text, 0, text.size(), re2::RE2::ANCHOR_BOTH, found_.data(),
                         static_cast<int>(found_.size()))) {
      problem_ = "the record does not match the pattern as a whole";
      return false;
    }
    for (size_t i = 0; i < groups_.size(); ++i) {
      if (!ReadGroup(i, rows)) return false;
    }
    return true;
  }

  bool ReadGroup(size_t i, RowCollector* rows) {
    const re2::StringPiece& group = found_[static_cast<size_t>(groups_[i])];
    Column* const column = rows->column(i);
    std::string problem;
    if (group.data() == nullptr) {
      if (column->type().nullable()) {
        column->AppendNull();
        return true;
      }
      problem = "missing: the group took no part in the match";
    } else if (AppendTextValue({group.data(), group.size()}, timestamps_, column, rows->arena(),
                               &problem)) {
      return true;
    }
    problem_ = "field \"" + (*schema_)[i].name + "\": " + problem;
    return false;
  }

  SchemaRef schema_;
  std::unique_ptr<re2::RE2> pattern_;
  api::TimestampFormat timestamps_;
  std::vector<int> groups_;              // by field
  std::vector<re2::StringPiece> found_;  // by group, up to the last that is wanted
  std::string problem_;
};

}  // namespace

Result<std::unique_ptr<re2::RE2>> CompilePattern(const std::string& pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto compiled = std::make_unique<re2::RE2>(pattern, options);
  if (!compiled->ok()) return InvalidError("is no RE2 pattern: " + compiled->error());
  return compiled;
}

Result<std::unique_ptr<Decoder>> MakeRegexDecoder(const api::RegexFormat& format,
                                                  SchemaRef wanted) {
  ASSIGN_OR_RETURN(std::unique_ptr<re2::RE2> pattern, CompilePattern(format.pattern));
  for (const Field& field : wanted->fields()) {
    if (!pattern->NamedCapturingGroups().contains(field.name))
      return InvalidError("regex: the pattern has no group (?P<" + field.name + ">...)");
  }
  return std::unique_ptr<Decoder>(
      std::make_unique<RegexDecoder>(std::move(pattern), format, std::move(wanted)));
}

}  // namespace millrace::worker
