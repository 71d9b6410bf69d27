#pragma once

#include <type_traits>

#include "crds/api/fields.h"

// Slots over the members of spec.h: T or std::optional<T>. Used by the *_fields.cc files only.
namespace millrace::api {

inline constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();
inline constexpr size_t kMaxObjects = 64;    // sources, streams, steps, ...
inline constexpr size_t kMaxEntries = 1000;  // fields of a map, names in a list

template <typename T>
struct Unwrapped {
  using Type = T;
  static constexpr bool kOptional = false;
};
template <typename T>
struct Unwrapped<std::optional<T>> {
  using Type = T;
  static constexpr bool kOptional = true;
};

// The value, or none when an optional is empty.
template <typename T>
std::optional<typename Unwrapped<T>::Type> Get(const T& target) {
  return target;
}

void Text(Fields& fields, const Field& field, std::string& target, const TextRule& rule);
void Text(Fields& fields, const Field& field, std::optional<std::string>& target,
          const TextRule& rule);
void Quantity(Fields& fields, const Field& field, int64_t& bytes);
void Layout(Fields& fields, TimestampFormat& target);
void Time(Fields& fields, const Field& field, TimePoint& target);
void Interval(Fields& fields, const Field& field, Duration& target, Duration min = Duration(1));
void Interval(Fields& fields, const Field& field, std::optional<Duration>& target,
              Duration min = Duration(1));

template <typename T>
void Int(Fields& fields, const Field& field, T& target, int64_t min, int64_t max = kNoLimit) {
  using Value = typename Unwrapped<T>::Type;
  fields.OnInt(field, {.min = min,
                       .max = max,
                       .get = [&]() -> std::optional<int64_t> { return Get(target); },
                       .set = [&](int64_t value) { target = static_cast<Value>(value); }});
}

template <typename T>
void Double(Fields& fields, const Field& field, T& target, double min,
            double max = std::numeric_limits<double>::infinity()) {
  fields.OnDouble(field, {.min = min,
                          .max = max,
                          .get = [&]() -> std::optional<double> { return Get(target); },
                          .set = [&](double value) { target = value; }});
}

inline void Bool(Fields& fields, const Field& field, bool& target) {
  fields.OnBool(field, {.value = &target});
}

// `names` in the order of the enumerators; an empty name is an enumerator that this field does not
// take.
template <typename T>
void Enum(Fields& fields, const Field& field, T& target, std::vector<std::string> names) {
  using Value = typename Unwrapped<T>::Type;
  TextSlot slot{.type = "enum", .choices = {}, .get = {}, .set = {}};
  for (const std::string& name : names) {
    if (!name.empty()) slot.choices.push_back(name);
  }
  slot.get = [&target, names]() -> std::optional<std::string> {
    const std::optional<Value> value = Get(target);
    if (!value) return std::nullopt;
    return names[static_cast<size_t>(*value)];
  };
  slot.set = [&target, names](const std::string& text) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (names[i] == text) target = static_cast<Value>(i);
    }
    return OkStatus();
  };
  fields.OnText(field, std::move(slot));
}

template <typename T>
void Strings(Fields& fields, const Field& field, T& target, const TextRule& rule, size_t min = 0,
             size_t max = kMaxEntries) {
  fields.OnStrings(field,
                   {.rule = &rule,
                    .min = min,
                    .max = max,
                    .get = [&]() -> std::optional<std::vector<std::string>> { return Get(target); },
                    .set = [&](std::vector<std::string> values) { target = std::move(values); }});
}

template <typename T>
void StringMap(Fields& fields, const Field& field, T& target, const TextRule& key,
               const TextRule& value, size_t min = 0, size_t max = kMaxEntries) {
  fields.OnStringMap(
      field,
      {.key = &key,
       .value = &value,
       .min = min,
       .max = max,
       .get = [&]() -> std::optional<std::map<std::string, std::string>> { return Get(target); },
       .set = [&](std::map<std::string, std::string> values) { target = std::move(values); }});
}

template <typename T>
void Object(Fields& fields, const Field& field, T& target) {
  if constexpr (Unwrapped<T>::kOptional) {
    fields.OnObject(field, {.has = [&] { return target.has_value(); },
                            .create = [&] { target.emplace(); },
                            .describe = [&](Fields& inner) { Describe(inner, *target); }});
  } else {
    fields.OnObject(field, {.has = [] { return true; },
                            .create = [] {},
                            .describe = [&](Fields& inner) { Describe(inner, target); }});
  }
}

template <typename T>
void List(Fields& fields, const Field& field, std::vector<T>& target, size_t min = 0,
          size_t max = kMaxObjects) {
  fields.OnList(field, {.min = min,
                        .max = max,
                        .size = [&] { return target.size(); },
                        .add = [&] { target.emplace_back(); },
                        .describe = [&](size_t i, Fields& inner) { Describe(inner, target[i]); }});
}

template <typename Variant, size_t... I>
void Select(Variant& target, size_t index, std::index_sequence<I...>) {
  ((index == I ? static_cast<void>(target.template emplace<I>()) : static_cast<void>(0)), ...);
}

// `choices` in the order of the alternatives.
template <typename... T>
UnionSlot UnionOf(std::variant<T...>& target, std::vector<Choice> choices) {
  return {
      .choices = std::move(choices),
      .selected = [&]() -> std::optional<size_t> { return target.index(); },
      .select = [&](size_t index) { Select(target, index, std::index_sequence_for<T...>()); },
      .describe =
          [&](Fields& inner) { std::visit([&](auto& value) { Describe(inner, value); }, target); }};
}

template <typename... T>
void Union(Fields& fields, const Field& field, std::variant<T...>& target,
           std::vector<Choice> choices) {
  fields.OnUnion(field, UnionOf(target, std::move(choices)));
}

template <typename... T>
void Union(Fields& fields, const Field& field, std::optional<std::variant<T...>>& target,
           std::vector<Choice> choices) {
  UnionSlot slot{.choices = std::move(choices), .selected = {}, .select = {}, .describe = {}};
  slot.selected = [&]() -> std::optional<size_t> {
    return target ? std::optional<size_t>(target->index()) : std::nullopt;
  };
  slot.select = [&](size_t index) {
    if (!target) target.emplace();
    Select(*target, index, std::index_sequence_for<T...>());
  };
  slot.describe = [&](Fields& inner) {
    std::visit([&](auto& value) { Describe(inner, value); }, *target);
  };
  fields.OnUnion(field, std::move(slot));
}

// Members that several kinds share.
void DescribeFormat(Fields& fields, const Field& field, std::optional<Format>& target);
void DescribeWindow(Fields& fields, Window& target);
void DescribeKafkaStart(Fields& fields, const Field& field, KafkaStart& target);
void DescribeKafkaStart(Fields& fields, const Field& field, std::optional<KafkaStart>& target);
void DescribeBrokers(Fields& fields, std::vector<std::string>& target);
void DescribeTls(Fields& fields, std::optional<Tls>& target);
void DescribeAuth(Fields& fields, std::optional<Auth>& target);
void DescribeSasl(Fields& fields, std::optional<Sasl>& target);
void DescribeProperties(Fields& fields, std::map<std::string, std::string>& target);
void DescribeSchema(Fields& fields, const Field& field, std::optional<SchemaMap>& target);
void DescribeSchema(Fields& fields, const Field& field, SchemaMap& target);
// Fail Skip SetNull DeadLetter; SetNull only where `with_null`.
void DescribeOnError(Fields& fields, std::optional<ErrorPolicy>& target, bool with_null,
                     std::string_view meaning);

}  // namespace millrace::api
