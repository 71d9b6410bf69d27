#include "tests/conformance/cel_vectors.h"

#include <charconv>

#include "crds/base/file.h"
#include "worker/expr/json_value.h"
#include "worker/expr/number_text.h"
#include "worker/expr/time_text.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

constexpr size_t kMaxFileBytes = 64 << 20;

// Turns tagged JSON values ({"int": "1"}) into values.
class TaggedReader {
 public:
  explicit TaggedReader(ValueArena* arena) : arena_(arena) {}

  Value Read(const Value& tagged) {
    if (!tagged.is_map()) return Value::Error("not a tagged value");
    const MapData& members = MapOf(arena_, tagged);
    if (members.size != 1) return Value::Error("not a tagged value");
    const std::string_view tag = members.entries[0].key.text();
    const Value& content = members.entries[0].value;
    if (tag == "null") return {};
    if (tag == "bool") return content;
    if (tag == "int") return Value::Int(Whole<int64_t>(content));
    if (tag == "uint") return Value::Uint(Whole<uint64_t>(content));
    if (tag == "double") return Value::Double(Real(content));
    if (tag == "string") return content;
    if (tag == "bytes_hex") return Bytes(content.text());
    if (tag == "type") return Value::TypeName(content.text());
    if (tag == "timestamp") return Time(content, TimestampInRange);
    if (tag == "duration") return Time(content, DurationInRange);
    if (tag == "list") return List(content);
    if (tag == "map") return Map(content);
    return Value::Error("unknown tag");
  }

 private:
  template <typename T>
  static T Whole(const Value& content) {
    T value = 0;
    if (content.is_int()) return static_cast<T>(content.integer());
    const std::string_view text = content.text();
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }
  static double Real(const Value& content) {
    double value = 0;
    ParseDoubleText(content.text(), &value);
    return value;
  }
  Value Bytes(std::string_view hex) {
    std::string bytes;
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
      int byte = 0;
      std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
      bytes.push_back(static_cast<char>(byte));
    }
    return MakeBytes(arena_, bytes);
  }
  template <typename Make>
  Value Time(const Value& content, Make make) {
    const ListView parts(arena_, content);
    const auto time = make(Whole<int64_t>(parts[0]), Whole<int64_t>(parts[1]));
    return time ? *time : Value::Error("out of range");
  }
  Value List(const Value& content) {
    const ListView parts(arena_, content);
    std::vector<Value> items;
    for (size_t i = 0; i < parts.size(); ++i) items.push_back(Read(parts[i]));
    return MakeList(arena_, items);
  }
  Value Map(const Value& content) {
    const ListView parts(arena_, content);
    std::vector<MapEntry> entries;
    for (size_t i = 0; i < parts.size(); ++i) {
      const ListView pair(arena_, parts[i]);
      entries.push_back({Read(pair[0]), Read(pair[1])});
    }
    return MakeMap(arena_, entries).value_or(Value::Error("repeated key"));
  }

  ValueArena* arena_;
};

CelVector ReadVector(ValueArena* arena, const Value& object) {
  TaggedReader reader(arena);
  CelVector vector;
  for (const MapEntry& member : MapOf(arena, object).all()) {
    const std::string_view name = member.key.text();
    if (name == "id") vector.id = std::string(member.value.text());
    if (name == "expr") vector.expr = std::string(member.value.text());
    if (name == "unchecked") vector.unchecked = member.value.is_true();
    if (name == "error") vector.fails = true;
    if (name == "value") vector.value = reader.Read(member.value);
    if (name != "bindings") continue;
    for (const MapEntry& binding : MapOf(arena, member.value).all()) {
      vector.bindings.push_back({std::string(binding.key.text()), reader.Read(binding.value)});
    }
  }
  return vector;
}

}  // namespace

Result<CelVectors> CelVectors::Read(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxFileBytes));
  CelVectors result;
  ValueArena* arena = result.arena_.get();
  const Value file = JsonValue(arena, arena->Copy(text));
  Value format;
  Value vectors;
  if (!file.is_map() || !FindKey(arena, file, Value::String("format"), &format) ||
      !format.is_string() || format.text() != "cel-vectors/1" ||
      !FindKey(arena, file, Value::String("vectors"), &vectors) || !vectors.is_list()) {
    return InvalidError(path + " is no file of the format cel-vectors/1");
  }
  const ListView list(arena, vectors);
  for (size_t i = 0; i < list.size(); ++i) result.vectors_.push_back(ReadVector(arena, list[i]));
  return result;
}

}  // namespace millrace::worker
