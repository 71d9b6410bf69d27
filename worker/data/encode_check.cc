#include "worker/data/encode_check.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "crds/base/text.h"
#include "worker/data/json_value.h"
#include "worker/data/utf8.h"

namespace millrace::worker {
namespace {

constexpr std::array<bool, 256> MakeEscapedBytes() {
  std::array<bool, 256> escaped{};
  for (size_t i = 0; i < 0x20; ++i) escaped[i] = true;
  escaped['"'] = escaped['\\'] = escaped[0x7f] = true;
  return escaped;
}
constexpr std::array<bool, 256> kEscaped = MakeEscapedBytes();

std::string DoubleProblem(double value) {
  if (std::isfinite(value)) return {};
  const std::string name = std::isnan(value) ? "NaN" : (value > 0 ? "infinity" : "-infinity");
  return name + " cannot be written";
}

std::string ElementsProblem(const Column& column, size_t row) {
  for (size_t i = column.list_begin(row); i < column.list_end(row); ++i) {
    for (const auto& child : column.children) {
      std::string problem = EncodeProblem(*child, i);
      if (!problem.empty()) return problem;
    }
  }
  return {};
}

}  // namespace

std::string EncodeProblem(const Column& column, size_t row) {
  if (column.IsNull(row)) return {};
  switch (column.kind()) {
    case Kind::kDouble:
      return DoubleProblem(column.doubles[row]);
    case Kind::kString:
    case Kind::kJson: {
      const size_t bad = FindInvalidUtf8(column.strings[row]);
      return bad == std::string_view::npos ? std::string() : InvalidUtf8Message(bad);
    }
    case Kind::kList:
    case Kind::kMap:
      return ElementsProblem(column, row);
    case Kind::kStruct:
      for (const auto& child : column.children) {
        std::string problem = EncodeProblem(*child, row);
        if (!problem.empty()) return problem;
      }
      return {};
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kBytes:
    case Kind::kTimestamp:
    case Kind::kDuration:
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      break;
  }
  return {};
}

std::vector<size_t> VisibleFields(const Schema& schema) {
  std::vector<size_t> visible;
  for (size_t i = 0; i < schema.size(); ++i) {
    if (!Schema::IsHidden(schema[i].name)) visible.push_back(i);
  }
  return visible;
}

void AppendJsonText(std::string_view text, std::string* out) {
  const bool plain = std::none_of(text.begin(), text.end(),
                                  [](char c) { return kEscaped[static_cast<unsigned char>(c)]; });
  if (!plain) return AppendJsonQuoted(text, out);
  out->push_back('"');
  out->append(text);
  out->push_back('"');
}

void AppendJsonLine(const Column& column, size_t row, const api::TimestampFormat& timestamps,
                    bool omit_null, std::string* out) {
  const size_t begin = out->size();
  AppendJsonValue(column, row, timestamps, omit_null, out);
  // Inside strings line breaks are escaped, so whatever stands here is space between tokens.
  for (size_t i = begin; i < out->size(); ++i) {
    if ((*out)[i] == '\n' || (*out)[i] == '\r') (*out)[i] = ' ';
  }
}

}  // namespace millrace::worker
