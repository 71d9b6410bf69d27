#include "worker/data/json_map.h"

#include <numeric>
#include <string_view>
#include <unordered_map>

#include "worker/data/column_edit.h"

namespace millrace::worker {
namespace {

constexpr size_t kFewKeys = 16;

bool HasEqualKeys(const std::vector<std::string_view>& keys, size_t begin) {
  if (keys.size() - begin <= kFewKeys) {
    for (size_t i = begin; i < keys.size(); ++i) {
      for (size_t j = begin; j < i; ++j) {
        if (keys[i] == keys[j]) return true;
      }
    }
    return false;
  }
  std::unordered_map<std::string_view, size_t> last;
  for (size_t i = begin; i < keys.size(); ++i) {
    if (!last.emplace(keys[i], i).second) return true;
  }
  return false;
}

}  // namespace

void KeepLastOfEqualKeys(Column* map) {
  const size_t begin = map->offsets.back();
  const std::vector<std::string_view>& keys = map->children[0]->strings;
  if (!HasEqualKeys(keys, begin)) return;
  std::unordered_map<std::string_view, size_t> last;
  for (size_t i = begin; i < keys.size(); ++i) last[keys[i]] = i;
  std::vector<uint32_t> kept(begin);
  std::iota(kept.begin(), kept.end(), 0u);
  for (size_t i = begin; i < keys.size(); ++i) {
    if (last[keys[i]] == i) kept.push_back(static_cast<uint32_t>(i));
  }
  for (auto& child : map->children) {
    auto unique = std::make_shared<Column>(child->type());
    unique->AppendGather(*child, kept);
    child = std::move(unique);
  }
}

}  // namespace millrace::worker
