#include <re2/re2.h>

#include <algorithm>
#include <string>

#include "worker/expr/evaluator.h"
#include "worker/expr/kernel_bytes.h"
#include "worker/expr/kernel_node.h"

namespace millrace::worker {
namespace {

// ---- tests: string, string -> bool ----

template <typename Test>
StrictBody TestBody(Test test) {
  return [test](const StrictCall& call, Column* out) {
    out->bools.resize(call.rows);
    BinaryLoop(call.rows, call[0]->strings.data(), call[0].constant, call[1]->strings.data(),
               call[1].constant, out->bools.data(), [test](std::string_view a, std::string_view b) {
                 return static_cast<uint8_t>(test(a, b));
               });
  };
}

// memchr and memcmp beat the library's find for the short needles of filters.
bool Contains(std::string_view text, std::string_view part) {
  if (part.empty()) return true;
  const char* at = text.data();
  for (size_t left = text.size(); left >= part.size();) {
    const void* found = std::memchr(at, part[0], left - part.size() + 1);
    if (found == nullptr) return false;
    const char* begin = static_cast<const char*>(found);
    if (std::memcmp(begin, part.data(), part.size()) == 0) return true;
    left -= static_cast<size_t>(begin - at) + 1;
    at = begin + 1;
  }
  return false;
}

StrictBody MatchesBody(const Column& pattern) {
  const std::string text(pattern.strings[0]);
  if (const auto literal = LiteralPattern(text)) {
    return [literal = *literal](const StrictCall& call, Column* out) {
      out->bools.resize(call.rows);
      UnaryLoop(
          call.rows, call[0]->strings.data(), call[0].constant, out->bools.data(),
          [&](std::string_view value) { return static_cast<uint8_t>(Contains(value, literal)); });
    };
  }
  auto regex = std::make_shared<const re2::RE2>(text, re2::RE2::Quiet);
  if (!regex->ok()) return nullptr;
  return [regex = std::move(regex)](const StrictCall& call, Column* out) {
    out->bools.resize(call.rows);
    UnaryLoop(call.rows, call[0]->strings.data(), call[0].constant, out->bools.data(),
              [&](std::string_view value) {
                return static_cast<uint8_t>(
                    re2::RE2::PartialMatch(re2::StringPiece(value.data(), value.size()), *regex));
              });
  };
}

// ---- string -> string ----

template <typename Copy>
StrictBody CopyBody(Copy copy) {
  return [copy](const StrictCall& call, Column* out) {
    auto arena = std::make_shared<Arena>();
    const ColumnRef source = Materialise(call[0], call.rows);
    const std::vector<std::string_view>& texts = source->strings;
    size_t bytes = 0;
    for (const std::string_view text : texts) bytes += text.size();
    char* target = arena->Allocate(bytes);
    out->strings.resize(call.rows);
    for (size_t i = 0; i < texts.size(); ++i) {
      if (texts[i].size() > kMaxValueBytes) call.MarkSlow(i);
      copy(texts[i], target);
      out->strings[i] = {target, texts[i].size()};
      target += texts[i].size();
    }
    out->AddOwner(std::move(arena));
  };
}

bool IsAsciiSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Characters beyond ASCII at either end may be spaces too: those rows are slow.
void TrimTexts(const StrictCall& call, Column* out) {
  out->strings.resize(call.rows);
  for (size_t i = 0; i < call.rows; ++i) {
    std::string_view text = call[0]->strings[call[0].constant ? 0 : i];
    while (!text.empty() && IsAsciiSpace(text.front())) text.remove_prefix(1);
    while (!text.empty() && IsAsciiSpace(text.back())) text.remove_suffix(1);
    const bool ascii_ends = text.empty() || ((text.front() | text.back()) & 0x80) == 0;
    if (!ascii_ends) call.MarkSlow(i);
    out->strings[i] = text;
  }
  out->AddOwnersOf(*call[0].column);
}

void SubstringTexts(const StrictCall& call, Column* out) {
  out->strings.resize(call.rows);
  const auto position = [&](size_t arg, size_t row) {
    return call[arg]->ints[call[arg].constant ? 0 : row];
  };
  for (size_t i = 0; i < call.rows; ++i) {
    const std::string_view text = call[0]->strings[call[0].constant ? 0 : i];
    const auto size = static_cast<int64_t>(text.size());
    const int64_t begin = position(1, i);
    const int64_t end = call.args.size() > 2 ? position(2, i) : size;
    if (begin < 0 || end > size || begin > end || !IsAsciiText(text)) {
      call.MarkSlow(i);
    } else {
      out->strings[i] = text.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    }
  }
  out->AddOwnersOf(*call[0].column);
}

void ReplaceTexts(const StrictCall& call, Column* out) {
  auto arena = std::make_shared<Arena>();
  out->strings.resize(call.rows);
  std::string scratch;
  const auto text = [&](size_t arg, size_t row) {
    return call[arg]->strings[call[arg].constant ? 0 : row];
  };
  for (size_t i = 0; i < call.rows; ++i) {
    std::string_view rest = text(0, i);
    const std::string_view from = text(1, i);
    size_t at = from.empty() ? std::string_view::npos : rest.find(from);
    if (from.empty() || rest.size() > kMaxValueBytes) call.MarkSlow(i);
    out->strings[i] = rest;
    if (at == std::string_view::npos) continue;
    scratch.clear();
    for (; at != std::string_view::npos; at = rest.find(from)) {
      scratch.append(rest.substr(0, at)).append(text(2, i));
      rest.remove_prefix(at + from.size());
    }
    scratch.append(rest);
    if (scratch.size() > kMaxValueBytes) call.MarkSlow(i);
    out->strings[i] = arena->Copy(scratch);
  }
  out->AddOwnersOf(*call[0].column);
  out->AddOwner(std::move(arena));
}

// ---- size ----

void CharacterCounts(const StrictCall& call, Column* out) {
  out->ints.resize(call.rows);
  UnaryLoop(call.rows, call[0]->strings.data(), call[0].constant, out->ints.data(),
            [](std::string_view text) { return CountCharacters(text); });
}

void ByteCounts(const StrictCall& call, Column* out) {
  out->ints.resize(call.rows);
  UnaryLoop(call.rows, call[0]->strings.data(), call[0].constant, out->ints.data(),
            [](std::string_view bytes) { return static_cast<int64_t>(bytes.size()); });
}

void ElementCounts(const StrictCall& call, Column* out) {
  out->ints.resize(call.rows);
  for (size_t i = 0; i < call.rows; ++i) {
    const size_t at = call[0].constant ? 0 : i;
    out->ints[i] = static_cast<int64_t>(call[0]->list_end(at) - call[0]->list_begin(at));
  }
}

StrictBody SizeBody(Kind kind) {
  if (kind == Kind::kString) return CharacterCounts;
  if (kind == Kind::kBytes) return ByteCounts;
  return kind == Kind::kList || kind == Kind::kMap ? StrictBody(ElementCounts) : nullptr;
}

bool AreKinds(const Nodes& args, std::initializer_list<Kind> kinds) {
  return std::ranges::equal(args, kinds, {}, [](const KernelNodePtr& arg) { return arg->kind(); });
}

}  // namespace

KernelNodePtr MakeStringCall(const Expr& call, Nodes* args) {
  constexpr Kind kText = Kind::kString;
  const auto strict = [&](StrictBody body, bool expensive) {
    return body == nullptr ? nullptr
                           : MakeStrict(call.type, std::move(*args), std::move(body), expensive);
  };
  const std::string& name = call.name;
  if (name == "size" && args->size() == 1) return strict(SizeBody((*args)[0]->kind()), false);
  if (AreKinds(*args, {kText})) {
    if (name == "lowerAscii") return strict(CopyBody(CopyLowerAscii), true);
    if (name == "upperAscii") return strict(CopyBody(CopyUpperAscii), true);
    if (name == "trim") return strict(TrimTexts, false);
  }
  if (AreKinds(*args, {kText, kText})) {
    if (name == "contains") return strict(TestBody(Contains), true);
    if (name == "startsWith")
      return strict(TestBody([](auto a, auto b) { return a.starts_with(b); }), false);
    if (name == "endsWith")
      return strict(TestBody([](auto a, auto b) { return a.ends_with(b); }), false);
    const Column* pattern = (*args)[1]->constant();
    if (name == "matches" && pattern != nullptr && !pattern->IsNull(0))
      return strict(MatchesBody(*pattern), true);
  }
  if (name == "replace" && AreKinds(*args, {kText, kText, kText}))
    return strict(ReplaceTexts, true);
  const bool cut =
      AreKinds(*args, {kText, Kind::kInt}) || AreKinds(*args, {kText, Kind::kInt, Kind::kInt});
  return name == "substring" && cut ? strict(SubstringTexts, false) : nullptr;
}

}  // namespace millrace::worker
