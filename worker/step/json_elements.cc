#include "worker/step/json_elements.h"

#include <algorithm>
#include <string>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

// Position behind the string that begins at `pos`.
size_t SkipString(std::string_view text, size_t pos) {
  for (++pos; pos < text.size() && text[pos] != '"'; ++pos) {
    if (text[pos] == '\\') ++pos;
  }
  return pos + 1;
}

// Position of the comma or bracket that ends the value at `pos` of an array.
size_t EndOfElement(std::string_view text, size_t pos) {
  int depth = 0;
  while (pos < text.size()) {
    const char c = text[pos];
    if (c == '"') {
      pos = SkipString(text, pos);
      continue;
    }
    if (depth == 0 && (c == ',' || c == ']')) return pos;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    ++pos;
  }
  return text.size();
}

void AppendElements(std::string_view array, Column* elements) {
  size_t pos = 1;
  while (pos < array.size()) {
    const size_t end = std::min(EndOfElement(array, pos), array.size());
    const std::string_view element = Trim(array.substr(pos, end - pos));
    if (!element.empty()) elements->AppendView(element);
    pos = end + 1;
  }
}

}  // namespace

ColumnRef SplitJsonArrays(const Column& values, std::vector<BadRecord>* errors) {
  auto lists = std::make_shared<Column>(Type::List(Type(Kind::kJson)));
  lists->children[0]->AddOwnersOf(values);
  for (size_t row = 0; row < values.size(); ++row) {
    const std::string_view text = values.IsNull(row) ? "null" : Trim(values.strings[row]);
    if (text.starts_with('[')) {
      AppendElements(text, lists->children[0].get());
    } else if (text != "null" && !text.empty()) {
      errors->push_back({row, "flatMap needs a JSON array, found " + Excerpt(text, 40)});
    }
    lists->FinishList();
  }
  return lists;
}

}  // namespace millrace::worker
