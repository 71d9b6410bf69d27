#include "worker/data/type.h"

#include <array>
#include <cctype>
#include <utility>

#include "crds/base/text.h"

namespace millrace::worker {

// The parts of the container kinds: element or key first, map value second, struct fields,
// parameter name.
struct Type::Parts {
  Type first;
  Type second;
  std::vector<Field> fields;
  std::string name;
};

namespace {

constexpr int kMaxTypeDepth = 16;

struct KindName {
  std::string_view name;
  Kind kind;
};
constexpr std::array<KindName, 9> kScalarNames{{{"bool", Kind::kBool},
                                                {"int", Kind::kInt},
                                                {"uint", Kind::kUint},
                                                {"double", Kind::kDouble},
                                                {"string", Kind::kString},
                                                {"bytes", Kind::kBytes},
                                                {"timestamp", Kind::kTimestamp},
                                                {"duration", Kind::kDuration},
                                                {"json", Kind::kJson}}};

std::string FieldsText(const std::vector<Field>& fields) {
  std::string text;
  for (const Field& field : fields) {
    if (!text.empty()) text += ", ";
    text += field.name + ": " + field.type.ToString();
  }
  return text;
}

// Recursive descent over the grammar
//   type  = name | "list<" type ">" | "map<string," type ">" | "struct<" field {"," field} ">" ,
//   then optionally "?" field = name ":" type
// with spaces allowed between tokens.
class TypeParser {
 public:
  explicit TypeParser(std::string_view text) : text_(text) {}

  Result<Type> Parse() {
    ASSIGN_OR_RETURN(Type type, ParseOne(0));
    SkipSpaces();
    if (position_ < text_.size())
      return Fail(position_,
                  "unexpected \"" + Excerpt(text_.substr(position_), 20) + "\" after the type");
    return type;
  }

 private:
  Result<Type> ParseOne(int depth) {
    if (depth > kMaxTypeDepth) return Fail(position_, "types nest deeper than 16 levels");
    SkipSpaces();
    const size_t start = position_;
    const std::string_view name = Name();
    ASSIGN_OR_RETURN(Type type, ParseNamed(name, start, depth));
    SkipSpaces();
    if (Accept('?')) type = type.AsNullable();
    return type;
  }

  Result<Type> ParseNamed(std::string_view name, size_t start, int depth) {
    if (name == "list") return ParseList(depth);
    if (name == "map") return ParseMap(depth);
    if (name == "struct") return ParseStruct(depth);
    for (const KindName& scalar : kScalarNames) {
      if (scalar.name == name) return Type(scalar.kind);
    }
    return UnknownType(name, start);
  }

  Result<Type> ParseList(int depth) {
    RETURN_IF_ERROR(Expect('<', "list"));
    ASSIGN_OR_RETURN(Type element, ParseOne(depth + 1));
    RETURN_IF_ERROR(Expect('>', "list"));
    return Type::List(std::move(element));
  }

  Result<Type> ParseMap(int depth) {
    RETURN_IF_ERROR(Expect('<', "map"));
    SkipSpaces();
    const size_t key_start = position_;
    if (Name() != "string")
      return Fail(key_start, "keys of a map are string: write map<string, T>");
    RETURN_IF_ERROR(Expect(',', "map"));
    ASSIGN_OR_RETURN(Type value, ParseOne(depth + 1));
    RETURN_IF_ERROR(Expect('>', "map"));
    return Type::Map(Type(Kind::kString), std::move(value));
  }

  Result<Type> ParseStruct(int depth) {
    RETURN_IF_ERROR(Expect('<', "struct"));
    std::vector<Field> fields;
    do {
      SkipSpaces();
      const size_t start = position_;
      std::string name(Name());
      if (name.empty()) return Fail(start, "expected a field name");
      for (const Field& field : fields) {
        if (field.name == name) return Fail(start, "field \"" + name + "\" is there twice");
      }
      RETURN_IF_ERROR(Expect(':', "field"));
      ASSIGN_OR_RETURN(Type type, ParseOne(depth + 1));
      fields.push_back({std::move(name), std::move(type)});
      SkipSpaces();
    } while (Accept(','));
    RETURN_IF_ERROR(Expect('>', "struct"));
    return Type::Struct(std::move(fields));
  }

  Status UnknownType(std::string_view name, size_t start) const {
    static constexpr std::string_view kKnown =
        "bool int uint double string bytes timestamp duration json list<T> map<string, T> "
        "struct<a: T>";
    if (name.empty()) {
      const std::string found = start < text_.size()
                                    ? "found \"" + Excerpt(text_.substr(start), 20) + "\""
                                    : "the text ends";
      return Fail(start, "expected a type, " + found + "; known: " + std::string(kKnown));
    }
    std::vector<std::string> names{"list", "map", "struct"};
    for (const KindName& scalar : kScalarNames) names.emplace_back(scalar.name);
    std::string message =
        "unknown type \"" + Excerpt(name, 40) + "\"; known: " + std::string(kKnown);
    if (const auto closest = ClosestName(name, names))
      message += ". Did you mean \"" + *closest + "\"?";
    return Fail(start, message);
  }

  std::string_view Name() {
    const size_t start = position_;
    while (position_ < text_.size() && IsNameByte(text_[position_], position_ > start)) ++position_;
    return text_.substr(start, position_ - start);
  }
  static bool IsNameByte(char c, bool digits) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (digits && c >= '0' && c <= '9');
  }
  void SkipSpaces() {
    while (position_ < text_.size() &&
           (text_[position_] == ' ' || text_[position_] == '\t' || text_[position_] == '\n'))
      ++position_;
  }
  bool Accept(char c) {
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  Status Expect(char c, std::string_view where) {
    SkipSpaces();
    if (Accept(c)) return OkStatus();
    return Fail(position_, "expected \"" + std::string(1, c) + "\" in " + std::string(where));
  }
  Status Fail(size_t position, const std::string& message) const {
    return InvalidError("type \"" + Excerpt(text_, 60) + "\", column " +
                        std::to_string(position + 1) + ": " + message);
  }

  std::string_view text_;
  size_t position_ = 0;
};

std::string_view ScalarName(Kind kind) {
  for (const KindName& scalar : kScalarNames) {
    if (scalar.kind == kind) return scalar.name;
  }
  return kind == Kind::kNull ? "null" : "dyn";
}

}  // namespace

Type Type::List(Type element) {
  Type type(Kind::kList);
  type.parts_ = std::make_shared<const Parts>(Parts{std::move(element), {}, {}, {}});
  return type;
}

Type Type::Map(Type key, Type value) {
  Type type(Kind::kMap);
  type.parts_ = std::make_shared<const Parts>(Parts{std::move(key), std::move(value), {}, {}});
  return type;
}

Type Type::Struct(std::vector<Field> fields) {
  Type type(Kind::kStruct);
  type.parts_ = std::make_shared<const Parts>(Parts{{}, {}, std::move(fields), {}});
  return type;
}

Type Type::Optional(Type value) {
  Type type(Kind::kOptional);
  type.parts_ = std::make_shared<const Parts>(Parts{std::move(value), {}, {}, {}});
  return type;
}

Type Type::TypeOf(Type value) {
  Type type(Kind::kTypeType);
  type.parts_ = std::make_shared<const Parts>(Parts{std::move(value), {}, {}, {}});
  return type;
}

Type Type::Param(std::string name) {
  Type type(Kind::kTypeParam);
  type.parts_ = std::make_shared<const Parts>(Parts{{}, {}, {}, std::move(name)});
  return type;
}

Type Type::AsNullable() const {
  Type type = *this;
  type.nullable_ = true;
  return type;
}

Type Type::AsRequired() const {
  Type type = *this;
  type.nullable_ = false;
  return type;
}

const Type& Type::element() const {
  CHECK(kind_ == Kind::kList || kind_ == Kind::kOptional || kind_ == Kind::kTypeType);
  return parts_->first;
}

const Type& Type::map_key() const {
  CHECK(kind_ == Kind::kMap);
  return parts_->first;
}

const Type& Type::map_value() const {
  CHECK(kind_ == Kind::kMap);
  return parts_->second;
}

const std::vector<Field>& Type::fields() const {
  CHECK(kind_ == Kind::kStruct);
  return parts_->fields;
}

int Type::FindField(std::string_view name) const {
  const std::vector<Field>& all = fields();
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

const std::string& Type::param_name() const {
  CHECK(kind_ == Kind::kTypeParam);
  return parts_->name;
}

std::string Type::ToString() const {
  std::string text;
  switch (kind_) {
    case Kind::kList:
      text = "list<" + parts_->first.ToString() + ">";
      break;
    case Kind::kMap:
      text = "map<" + parts_->first.ToString() + ", " + parts_->second.ToString() + ">";
      break;
    case Kind::kStruct:
      text = "struct<" + FieldsText(parts_->fields) + ">";
      break;
    case Kind::kOptional:
      text = "optional<" + parts_->first.ToString() + ">";
      break;
    case Kind::kTypeType:
      text = "type<" + parts_->first.ToString() + ">";
      break;
    case Kind::kTypeParam:
      text = parts_->name;
      break;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kTimestamp:
    case Kind::kDuration:
    case Kind::kJson:
    case Kind::kNull:
    case Kind::kDyn:
      text = ScalarName(kind_);
      break;
  }
  return nullable_ ? text + "?" : text;
}

bool operator==(const Type& a, const Type& b) {
  if (a.kind_ != b.kind_ || a.nullable_ != b.nullable_) return false;
  if (a.parts_ == b.parts_) return true;
  if (a.parts_ == nullptr || b.parts_ == nullptr) return false;
  return a.parts_->first == b.parts_->first && a.parts_->second == b.parts_->second &&
         a.parts_->fields == b.parts_->fields && a.parts_->name == b.parts_->name;
}

int Schema::Find(std::string_view name) const {
  for (size_t i = 0; i < fields_.size(); ++i) {
    if (fields_[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

void Schema::Set(Field field) {
  const int index = Find(field.name);
  if (index < 0) {
    fields_.push_back(std::move(field));
  } else {
    fields_[static_cast<size_t>(index)] = std::move(field);
  }
}

std::vector<std::string> Schema::VisibleNames() const {
  std::vector<std::string> names;
  for (const Field& field : fields_) {
    if (!IsHidden(field.name)) names.push_back(field.name);
  }
  return names;
}

std::string Schema::ToString() const {
  std::vector<Field> visible;
  for (const Field& field : fields_) {
    if (!IsHidden(field.name)) visible.push_back(field);
  }
  return "{" + FieldsText(visible) + "}";
}

Result<Type> ParseType(std::string_view text) { return TypeParser(text).Parse(); }

}  // namespace millrace::worker
