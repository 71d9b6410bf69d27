#include "crds/api/yaml_reader.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <optional>
#include <sstream>

#include "crds/base/text.h"

namespace millrace::api {
namespace {

Position At(const YAML::Mark& mark) {
  return mark.is_null() ? Position{} : Position{.line = mark.line + 1, .column = mark.column + 1};
}

// Thrown by the handler through yaml-cpp to stop it, and caught in this file.
struct Refusal {
  Position position;
  std::string message;
};

// The byte where the scalar itself begins, behind an anchor or tag.
size_t SkipProperties(std::string_view text, size_t at) {
  while (at < text.size() && (text[at] == '&' || text[at] == '!')) {
    at = std::min(text.find_first_of(" \t\r\n", at), text.size());
    at = std::min(text.find_first_not_of(" \t", at), text.size());
  }
  return at;
}

// Builds the tree from yaml-cpp's events. Lives for one document.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string_view text) : text_(text) {}

  bool done() const { return root_.has_value(); }
  Node TakeRoot() { return std::move(*root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (done()) {
      throw Refusal{At(mark),
                    "found a second document; a manifest holds exactly one job, so put each into "
                    "its own file"};
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node = Start(Node::Kind::kNull, mark);
    const size_t at = SkipProperties(text_, Offset(mark));
    const std::string_view rest = text_.substr(at);
    if (rest.starts_with('~')) node.text = "~";
    // Where nothing is written the mark is that of the next token, lines below.
    const bool written = rest.starts_with('~') || ToLowerAscii(rest.substr(0, 4)) == "null";
    if (!written && !open_.empty() && open_.back().key.has_value())
      node.position = open_.back().key->position;
    Add(std::move(node), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = Start(Node::Kind::kScalar, mark);
    node.text = value;
    Locate(mark, tag, &node);
    Add(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end())
      throw Refusal{At(mark), "the alias stands inside the value it names, which would never end"};
    Count(found->second.size, mark);
    Node copy = found->second;
    if (static_cast<int>(open_.size()) + DepthOf(copy) > kMaxManifestDepth) throw TooDeep(mark);
    Add(std::move(copy), 0);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(Node::Kind::kList, mark, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(Node::Kind::kObject, mark, anchor);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct OpenNode {
    Node node;
    YAML::anchor_t anchor = 0;
    std::optional<Node> key;  // of an object: read, its value still missing
  };

  static Refusal TooDeep(const YAML::Mark& mark) {
    return {At(mark), "nested deeper than " + std::to_string(kMaxManifestDepth) + " levels"};
  }

  static int DepthOf(const Node& node) {
    int depth = 0;
    for (const Node& item : node.items) depth = std::max(depth, DepthOf(item));
    for (const Node::Member& member : node.members) depth = std::max(depth, DepthOf(member.value));
    return depth + 1;
  }

  size_t Offset(const YAML::Mark& mark) const {
    return mark.pos < 0 ? text_.size() : std::min(static_cast<size_t>(mark.pos), text_.size());
  }

  void Count(size_t nodes, const YAML::Mark& mark) {
    count_ += nodes;
    if (count_ > kMaxManifestNodes) {
      throw Refusal{At(mark), "more than " + std::to_string(kMaxManifestNodes) +
                                  " values after aliases are replaced by what they stand for"};
    }
  }

  Node Start(Node::Kind kind, const YAML::Mark& mark) {
    Count(1, mark);
    Node node;
    node.kind = kind;
    node.position = At(mark);
    return node;
  }

  // Style and, where characters map one to one onto columns, the column of the first one.
  void Locate(const YAML::Mark& mark, const std::string& tag, Node* node) const {
    const size_t at = SkipProperties(text_, Offset(mark));
    const char first = at < text_.size() ? text_[at] : '\0';
    const bool quoted = tag == "!" && (first == '"' || first == '\'');
    if (tag != "?") node->style = quoted ? Node::Style::kQuoted : Node::Style::kBlock;
    if (at != Offset(mark)) return;  // behind an anchor or tag: the place of that is near enough
    const size_t begin = at + (quoted ? 1 : 0);
    node->position.column += quoted ? 1 : 0;
    node->position.offsets_map =
        node->style != Node::Style::kBlock && node->text.find('\n') == std::string::npos &&
        text_.substr(begin, node->text.size()) == node->text &&
        (!quoted || text_.substr(begin + node->text.size()).starts_with(first));
  }

  void Open(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (static_cast<int>(open_.size()) >= kMaxManifestDepth) throw TooDeep(mark);
    open_.push_back({.node = Start(kind, mark), .anchor = anchor, .key = std::nullopt});
  }

  void Close() {
    OpenNode closed = std::move(open_.back());
    open_.pop_back();
    Add(std::move(closed.node), closed.anchor);
  }

  void Add(Node node, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_.insert_or_assign(anchor, node);
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    OpenNode& parent = open_.back();
    parent.node.size += node.size;
    if (parent.node.kind == Node::Kind::kList) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key.has_value()) {
      if (node.kind == Node::Kind::kList || node.kind == Node::Kind::kObject) {
        throw Refusal{node.position, "a key must be a string, found " + DescribeNode(node)};
      }
      parent.key = std::move(node);
    } else {
      parent.node.members.push_back({std::move(*parent.key), std::move(node)});
      parent.key.reset();
    }
  }

  std::string_view text_;
  std::optional<Node> root_;
  std::vector<OpenNode> open_;
  std::map<YAML::anchor_t, Node> anchors_;
  size_t count_ = 0;
};

Position PositionOfByte(std::string_view text, size_t at) {
  Position position{.line = 1, .column = 1};
  for (const char c : text.substr(0, at)) {
    position.column = c == '\n' ? 1 : position.column + 1;
    position.line += c == '\n' ? 1 : 0;
  }
  return position;
}

YamlDocument Failed(Position position, std::string message) {
  YamlDocument document;
  document.status = InvalidError(std::move(message));
  document.error_position = position;
  return document;
}

// The first byte that no YAML text may hold. yaml-cpp would end the text there without a word
// (0x04) or misread it.
std::optional<YamlDocument> FindForbiddenByte(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) {
      return Failed(PositionOfByte(text, i), "control character \"" + Excerpt(text.substr(i, 1)) +
                                                 "\" in the text; a manifest is UTF-8 text");
    }
  }
  if (IsValidUtf8(text)) return std::nullopt;
  size_t begin = 0;
  for (const std::string_view line : Split(text, '\n')) {
    if (!IsValidUtf8(line)) return Failed(PositionOfByte(text, begin), "the line is not UTF-8");
    begin += line.size() + 1;
  }
  return std::nullopt;
}

// A line whose indentation holds a tab: yaml-cpp's own words for it do not name the tab.
std::optional<YamlDocument> TabInIndentation(std::string_view text, int line) {
  const std::vector<std::string_view> lines = Split(text, '\n');
  for (int i = std::max(1, line - 1); i <= line && i <= static_cast<int>(lines.size()); ++i) {
    const std::string_view found = lines[static_cast<size_t>(i) - 1];
    const std::string_view indent =
        found.substr(0, std::min(found.find_first_not_of(" \t"), found.size()));
    const size_t tab = indent.find('\t');
    if (tab == std::string_view::npos) continue;
    return Failed({.line = i, .column = static_cast<int>(tab) + 1},
                  "a tab indents this line; YAML allows only spaces there");
  }
  return std::nullopt;
}

YamlDocument SyntaxError(std::string_view text, const YAML::Exception& error) {
  const Position position = At(error.mark);
  if (auto tab = TabInIndentation(text, position.line)) return *tab;
  if (error.msg.find("referenced anchor") != std::string::npos) {
    return Failed(position, "the alias names an anchor that is not defined before it");
  }
  return Failed(position, "not valid YAML: " + Excerpt(error.msg, 200));
}

}  // namespace

YamlDocument ReadYaml(std::string_view text) {
  if (text.size() > kMaxManifestBytes) {
    return Failed({}, "the manifest has " + std::to_string(text.size()) + " bytes; at most " +
                          std::to_string(kMaxManifestBytes) + " are read");
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (auto failed = FindForbiddenByte(text)) return *failed;
  TreeBuilder builder(text);
  try {
    std::istringstream input{std::string(text)};
    YAML::Parser parser(input);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refusal& refusal) {
    return Failed(refusal.position, refusal.message);
  } catch (const YAML::Exception& error) {
    return SyntaxError(text, error);
  } catch (const std::exception& error) {
    return Failed({}, std::string("not valid YAML: ") + error.what());
  }
  YamlDocument document;
  document.empty = !builder.done();
  if (builder.done()) document.root = builder.TakeRoot();
  return document;
}

}  // namespace millrace::api
