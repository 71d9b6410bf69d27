#include <algorithm>
#include <optional>

#include "crds/base/text.h"
#include "worker/expr/evaluator.h"
#include "worker/expr/kernel_bytes.h"
#include "worker/expr/kernel_node.h"

namespace millrace::worker {
namespace {

// How many rows tell how many parts to expect of the rest.
constexpr size_t kSampleRows = 16;

// Parts of all rows, when the first `rows` have `used`; some more, so that growing is rare.
size_t ExpectedParts(const StrictCall& call, const Column& texts, size_t rows, size_t used) {
  if (call[0].constant) return used * call.rows / rows;
  size_t seen = rows, all = call.rows;  // a text of n bytes has at most n + 1 parts
  for (size_t row = 0; row < call.rows; ++row) {
    all += texts.strings[row].size();
    if (row < rows) seen += texts.strings[row].size();
  }
  const double share = static_cast<double>(all) / static_cast<double>(seen);
  return static_cast<size_t>(static_cast<double>(used) * share * 1.1) + call.rows;
}

// Splits every row's text; `split` appends the parts of one text and returns the new end.
template <typename Split>
void SplitRows(const StrictCall& call, Column* out, Split split) {
  Column& words = *out->children[0];
  const Column& texts = *call[0].column;
  out->offsets.resize(call.rows + 1);
  words.strings.resize(std::min(call.rows, kSampleRows) * 8 + 16);
  size_t used = 0;
  for (size_t row = 0; row < call.rows; ++row) {
    const size_t begin = used;
    if (row == kSampleRows) {
      words.strings.resize(std::max(words.strings.size(), ExpectedParts(call, texts, row, used)));
    }
    if (!call.IsSlow(row))
      used = split(row, texts.strings[call[0].constant ? 0 : row], used, &words.strings);
    if (used - begin > kMaxListElements) call.MarkSlow(row);
    out->offsets[row + 1] = static_cast<uint32_t>(used);
  }
  words.strings.resize(used);
  words.set_size(used);
  words.AddOwnersOf(texts);
}

StrictBody ByteSplitBody(SeparatorClass separator, char byte) {
  // Bytes above 0x7f are no word characters, but RE2 matches them only as well-formed characters.
  const bool check_utf8 = separator == SeparatorClass::kNonWords;
  return [separator, byte, check_utf8](const StrictCall& call, Column* out) {
    ByteSplitter splitter(separator, byte);
    SplitRows(
        call, out,
        [&](size_t row, std::string_view text, size_t used, std::vector<std::string_view>* parts) {
          if (check_utf8 && !IsAsciiText(text) && !IsValidUtf8(text)) {
            call.MarkSlow(row);
            return used;
          }
          return splitter.Split(text, used, parts);
        });
  };
}

void Put(std::string_view part, size_t at, std::vector<std::string_view>* parts) {
  if (parts->size() <= at) parts->resize(std::max<size_t>(2 * at, 16));
  (*parts)[at] = part;
}

StrictBody TextSplitBody(std::string separator) {
  return [separator = std::move(separator)](const StrictCall& call, Column* out) {
    SplitRows(
        call, out,
        [&](size_t, std::string_view text, size_t used, std::vector<std::string_view>* parts) {
          for (size_t at = text.find(separator); at != std::string_view::npos;
               at = text.find(separator)) {
            Put(text.substr(0, at), used++, parts);
            text.remove_prefix(at + separator.size());
          }
          Put(text, used++, parts);
          return used;
        });
  };
}

StrictBody LiteralSplitBody(const std::string& separator) {
  if (separator.empty()) return nullptr;
  return separator.size() == 1 ? ByteSplitBody(SeparatorClass::kByte, separator[0])
                               : TextSplitBody(separator);
}

StrictBody PatternSplitBody(std::string_view pattern) {
  if (pattern == "\\W+" || pattern == "[^\\w]+" || pattern == "[^a-zA-Z0-9_]+") {
    return ByteSplitBody(SeparatorClass::kNonWords, 0);
  }
  if (pattern == "\\s+") return ByteSplitBody(SeparatorClass::kSpaces, 0);
  const std::optional<std::string> literal = LiteralPattern(pattern);
  return literal ? LiteralSplitBody(*literal) : nullptr;
}

}  // namespace

KernelNodePtr MakeSplitCall(const Expr& call, Nodes* args) {
  const bool regex = call.name == "splitRegex";
  if ((!regex && call.name != "split") || args->size() != 2 || (*args)[0]->kind() != Kind::kString)
    return nullptr;
  const Column* separator = (*args)[1]->constant();
  if (separator == nullptr || separator->kind() != Kind::kString || separator->IsNull(0))
    return nullptr;
  const std::string text(separator->strings[0]);
  StrictBody body = regex ? PatternSplitBody(text) : LiteralSplitBody(text);
  if (body == nullptr) return nullptr;
  return MakeStrict(Type::List(Type(Kind::kString)), std::move(*args), std::move(body),
                    /*expensive=*/true);
}

}  // namespace millrace::worker
