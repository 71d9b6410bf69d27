#include <re2/re2.h>

#include "crds/base/text.h"
#include "worker/expr/evaluator.h"
#include "worker/expr/function_table.h"
#include "worker/expr/regex_split.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

using Args = std::span<const Value>;

re2::StringPiece Piece(std::string_view text) { return {text.data(), text.size()}; }
std::string_view View(const re2::StringPiece& piece) { return {piece.data(), piece.size()}; }

// The compiled pattern; nullptr with `error` set when it is not valid.
const RE2* Pattern(EvalContext& context, const Value& pattern, Value* error) {
  std::string reason;
  const RE2* regex = context.regexes().Get(pattern.text(), &reason);
  if (regex == nullptr) *error = context.Error("invalid regular expression: " + reason);
  return regex;
}

Value Matches(EvalContext& context, Args args) {
  if (!args[0].is_string() || !args[1].is_string()) return context.NoOverload(args);
  Value error;
  const RE2* regex = Pattern(context, args[1], &error);
  return regex == nullptr ? error : Value::Bool(RE2::PartialMatch(Piece(args[0].text()), *regex));
}

Value SplitRegex(EvalContext& context, Args args) {
  if (!args[0].is_string() || !args[1].is_string()) return context.NoOverload(args);
  Value error;
  const RE2* regex = Pattern(context, args[1], &error);
  if (regex == nullptr) return error;
  std::vector<Value> parts;
  RegexSplitter splitter(args[0].text(), *regex);
  for (std::string_view part; splitter.Next(&part);) parts.push_back(Value::String(part));
  return MakeList(&context.arena(), parts);
}

// Finds the match at or behind `position`; `found` is the group, or the whole match of a pattern
// without one.
bool FindGroup(const RE2& regex, std::string_view text, size_t* position, Value* found) {
  re2::StringPiece groups[2];
  const int count = regex.NumberOfCapturingGroups() + 1;
  while (*position <= text.size() &&
         regex.Match(Piece(text), *position, text.size(), RE2::UNANCHORED, groups, count)) {
    const auto end = static_cast<size_t>(groups[0].data() - text.data()) + groups[0].size();
    *position = end > *position || !groups[0].empty() ? end : *position + 1;
    if (groups[0].empty()) *position = end + 1;
    const re2::StringPiece& group = groups[count - 1];
    if (group.data() == nullptr) continue;  // a group that took no part
    *found = Value::String(View(group));
    return true;
  }
  return false;
}

Value Extract(EvalContext& context, Args args) {
  if (!args[0].is_string() || !args[1].is_string()) return context.NoOverload(args);
  Value found;
  const RE2* regex = Pattern(context, args[1], &found);
  if (regex == nullptr) return found;
  if (regex->NumberOfCapturingGroups() > 1)
    return context.Error("extract() takes a pattern with at most one group");
  size_t position = 0;
  if (!FindGroup(*regex, args[0].text(), &position, &found)) return Value::Optional(nullptr);
  return MakeOptional(&context.arena(), found);
}

Value ExtractAll(EvalContext& context, Args args) {
  if (!args[0].is_string() || !args[1].is_string()) return context.NoOverload(args);
  Value found;
  const RE2* regex = Pattern(context, args[1], &found);
  if (regex == nullptr) return found;
  if (regex->NumberOfCapturingGroups() > 1)
    return context.Error("extractAll() takes a pattern with at most one group");
  std::vector<Value> all;
  for (size_t position = 0; FindGroup(*regex, args[0].text(), &position, &found);)
    all.push_back(found);
  return MakeList(&context.arena(), all);
}

// Appends the replacement with \0..\9 filled in.
void AppendRewrite(std::string_view rewrite, std::span<const re2::StringPiece> groups,
                   std::string* out) {
  for (size_t i = 0; i < rewrite.size(); ++i) {
    if (rewrite[i] == '\\' && i + 1 < rewrite.size()) {
      const char c = rewrite[++i];
      if (c >= '0' && c <= '9') {
        out->append(View(groups[static_cast<size_t>(c - '0')]));
        continue;
      }
    }
    out->push_back(rewrite[i]);
  }
}

Value ReplaceRegex(EvalContext& context, Args args) {
  const bool texts = args[0].is_string() && args[1].is_string() && args[2].is_string();
  if (!texts || (args.size() > 3 && !args[3].is_int())) return context.NoOverload(args);
  Value error;
  const RE2* regex = Pattern(context, args[1], &error);
  if (regex == nullptr) return error;
  const std::string_view text = args[0].text();
  std::string reason;
  if (!regex->CheckRewriteString(Piece(args[2].text()), &reason))
    return context.Error("replace(): " + reason);
  int64_t left = args.size() > 3 ? args[3].integer() : -1;
  constexpr int kGroups = 10;
  re2::StringPiece groups[kGroups];
  const int count = std::min(kGroups, regex->NumberOfCapturingGroups() + 1);
  std::string result;
  size_t copied = 0;
  size_t position = 0;
  while (left != 0 && position <= text.size() &&
         regex->Match(Piece(text), position, text.size(), RE2::UNANCHORED, groups, count)) {
    const auto begin = static_cast<size_t>(groups[0].data() - text.data());
    result.append(text.substr(copied, begin - copied));
    AppendRewrite(args[2].text(), groups, &result);
    copied = begin + groups[0].size();
    position = groups[0].empty() ? copied + 1 : copied;
    --left;
    if (result.size() > kMaxValueBytes) break;
  }
  if (copied < text.size()) result.append(text.substr(copied));
  return context.String(result);
}

}  // namespace

RegexCache::RegexCache() = default;
RegexCache::~RegexCache() = default;

const RE2* RegexCache::Get(std::string_view pattern, std::string* error) {
  auto found = patterns_.find(pattern);
  if (found == patterns_.end()) {
    if (patterns_.size() >= kMaxPatterns) patterns_.clear();
    auto regex = std::make_unique<RE2>(Piece(pattern), RE2::Quiet);
    found = patterns_.emplace(std::string(pattern), std::move(regex)).first;
  }
  if (found->second->ok()) return found->second.get();
  *error = found->second->error();
  return nullptr;
}

bool RegexSplitter::Next(std::string_view* part) {
  if (done_) return false;
  re2::StringPiece match;
  while (search_ <= text_.size() &&
         regex_.Match(Piece(text_), search_, text_.size(), RE2::UNANCHORED, &match, 1)) {
    const auto begin = static_cast<size_t>(match.data() - text_.data());
    const size_t end = begin + match.size();
    search_ = match.empty() ? end + 1 : end;
    while (search_ < text_.size() && (text_[search_] & 0xc0) == 0x80) ++search_;
    if (match.empty() && (begin == start_ || begin == text_.size())) continue;
    *part = text_.substr(start_, begin - start_);
    start_ = end;
    return true;
  }
  *part = text_.substr(start_);
  done_ = true;
  return true;
}

void AddRegexFunctions(FunctionTable* table) {
  table->Add("matches", true, Matches, {"matches: (string, string) -> bool"}, 1);
  table->Add("matches", false, Matches, {"matches_function: (string, string) -> bool"}, 1);
  table->Add("splitRegex", true, SplitRegex, {"split_regex: (string, string) -> list<string>"}, 1);
  table->Add("regex.extract", false, Extract,
             {"regex_extract: (string, string) -> optional<string>"}, 1);
  table->Add("regex.extractAll", false, ExtractAll,
             {"regex_extract_all: (string, string) -> list<string>"}, 1);
  table->Add("regex.replace", false, ReplaceRegex,
             {"regex_replace: (string, string, string) -> string",
              "regex_replace_count: (string, string, string, int) -> string"},
             1);
}

}  // namespace millrace::worker
