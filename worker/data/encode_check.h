#pragma once

#include <string>
#include <vector>

#include "worker/data/column.h"
#include "worker/data/format.h"

// What encoders share.
namespace millrace::worker {

// What cannot be written of a value, nested ones included: "NaN cannot be written", "invalid UTF-8
// at byte 3". Empty for good values, which is the only case on the fast path.
std::string EncodeProblem(const Column& column, size_t row);

// The visible fields of a schema, by index.
std::vector<size_t> VisibleFields(const Schema& schema);

// Appends `text` as a JSON string. Requires: valid UTF-8.
void AppendJsonText(std::string_view text, std::string* out);
// Appends a value as JSON on one line: line breaks between the tokens of json values become spaces.
void AppendJsonLine(const Column& column, size_t row, const api::TimestampFormat& timestamps,
                    bool omit_null, std::string* out);

// Ends one row of Encode: a good one with a line break, a bad one by cutting `out` back to where it
// began.
class RowEnds {
 public:
  RowEnds(std::string* out, std::vector<size_t>* ends, std::vector<BadRecord>* bad)
      : out_(out), ends_(ends), bad_(bad), begin_(out->size()) {}

  void Accept() {
    out_->push_back('\n');
    Next();
  }
  void Refuse(size_t row, std::string message) {
    out_->resize(begin_);
    bad_->push_back({row, std::move(message)});
    Next();
  }

 private:
  void Next() {
    begin_ = out_->size();
    if (ends_ != nullptr) ends_->push_back(begin_);
  }

  std::string* out_;
  std::vector<size_t>* ends_;
  std::vector<BadRecord>* bad_;
  size_t begin_;
};

}  // namespace millrace::worker
