#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "operator/kube/reflector.h"

namespace millrace::controller {

// What is kept of the objects of one selection, by "namespace/name". `convert` makes it from an
// object's JSON, so that memory holds what is used and no more; an object it cannot read is kept as
// absent. `on_change` hears the key and version of each object that was added, changed or removed,
// after the change and outside the lock; the value is the old one of a removed object. Thread-safe.
template <typename T>
class Store final : public ResourceSink {
 public:
  using Pointer = std::shared_ptr<const T>;  // readers keep theirs while the store moves on
  using Convert = std::function<std::optional<T>(const RawObject&)>;
  using OnChange = std::function<void(const RawObject& object, const T& value)>;

  Store(Convert convert, OnChange on_change)
      : convert_(std::move(convert)), on_change_(std::move(on_change)) {}

  Pointer Find(const std::string& key) const {
    std::lock_guard lock(mutex_);
    const auto it = entries_.find(key);
    return it == entries_.end() ? nullptr : it->second.value;
  }
  // Those of one namespace for which `wanted` holds, with their names.
  std::vector<std::pair<std::string, Pointer>> Select(
      const std::string& ns, const std::function<bool(const T&)>& wanted) const {
    std::vector<std::pair<std::string, Pointer>> found;
    const std::string prefix = ns + "/";
    std::lock_guard lock(mutex_);
    for (auto it = entries_.lower_bound(prefix);
         it != entries_.end() && it->first.compare(0, prefix.size(), prefix) == 0; ++it) {
      if (wanted(*it->second.value))
        found.emplace_back(it->first.substr(prefix.size()), it->second.value);
    }
    return found;
  }
  std::vector<std::string> Keys() const {
    std::vector<std::string> keys;
    std::lock_guard lock(mutex_);
    for (const auto& [key, entry] : entries_) keys.push_back(key);
    return keys;
  }

  void Replace(std::vector<RawObject> objects) override {
    std::map<std::string, Entry> next;
    for (RawObject& object : objects) {
      std::optional<T> value = convert_(object);
      object.json.clear();
      if (value) {
        std::string key = KeyOf(object);
        next[std::move(key)] = {std::make_shared<const T>(std::move(*value)), std::move(object)};
      }
    }
    std::vector<Entry> changed;
    {
      std::lock_guard lock(mutex_);
      for (const auto& [key, entry] : next) {
        const auto old = entries_.find(key);
        if (old == entries_.end() ||
            old->second.object.resource_version != entry.object.resource_version)
          changed.push_back(entry);
      }
      for (const auto& [key, entry] : entries_) {
        if (next.count(key) == 0) changed.push_back(entry);
      }
      entries_.swap(next);
    }
    for (const Entry& entry : changed) on_change_(entry.object, *entry.value);
  }

  void Upsert(RawObject object) override {
    std::optional<T> value = convert_(object);
    if (!value) return Remove(std::move(object));
    object.json.clear();
    Entry entry{std::make_shared<const T>(std::move(*value)), object};
    {
      std::lock_guard lock(mutex_);
      entries_[KeyOf(object)] = entry;
    }
    on_change_(entry.object, *entry.value);
  }

  void Remove(RawObject object) override {
    Pointer value;
    {
      std::lock_guard lock(mutex_);
      const auto it = entries_.find(KeyOf(object));
      if (it == entries_.end()) return;
      value = it->second.value;
      entries_.erase(it);
    }
    on_change_(object, *value);
  }

 private:
  struct Entry {
    Pointer value;
    RawObject object;  // without its JSON
  };

  const Convert convert_;
  const OnChange on_change_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // guarded by mutex_
};

}  // namespace millrace::controller
