#include "worker/runtime/state/job_keys.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <utility>

namespace millrace::worker {
namespace {

constexpr int kProbes = 4096;  // keys that find the nodes of a Cluster: some for every 16 slots
constexpr std::string_view kScanned = "1000";  // keys that one SCAN looks at

// Keys that are on different nodes, one for each.
Result<std::vector<std::string>> OneKeyPerNode(RedisClient* client, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const bool cluster, client->IsCluster(stop));
  if (!cluster) return std::vector<std::string>{"mr"};
  std::map<std::string, std::string> nodes;
  for (int i = 0; i < kProbes; ++i) {
    std::string key = "mr:{" + std::to_string(i) + "}";
    ASSIGN_OR_RETURN(std::string node, client->NodeOf(key, stop));
    nodes.emplace(std::move(node), std::move(key));
  }
  std::vector<std::string> keys;
  for (auto& [node, key] : nodes) keys.push_back(std::move(key));
  return keys;
}

Result<std::vector<std::string>> Scan(RedisClient* client, const std::string& pattern,
                                      const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::vector<std::string> nodes, OneKeyPerNode(client, stop));
  std::set<std::string> found;  // SCAN may name a key twice
  for (const std::string& node : nodes) {
    std::string cursor = "0";
    do {
      ASSIGN_OR_RETURN(
          const RedisReply reply,
          client->Run({node, {"SCAN", cursor, "MATCH", pattern, "COUNT", kScanned}}, stop));
      if (reply.items.size() != 2)
        return InternalError("SCAN: a reply of " + std::to_string(reply.items.size()) + " parts");
      cursor = reply.items[0].text;
      for (const RedisReply& key : reply.items[1].items) found.insert(key.text);
    } while (cursor != "0");
  }
  return std::vector<std::string>(found.begin(), found.end());
}

std::string GlobEscape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("*?[]\\").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// True for "<digits>}:i", "<digits>}:d:..." and "<digits>}:s:...": what follows the job's name in
// the keys of a group.
bool IsGroupRest(std::string_view rest) {
  size_t digits = 0;
  while (digits < rest.size() && std::isdigit(static_cast<unsigned char>(rest[digits])) != 0)
    ++digits;
  rest.remove_prefix(digits);
  return digits > 0 && (rest == "}:i" || rest.starts_with("}:d:") || rest.starts_with("}:s:"));
}

}  // namespace

JobKeys SortJobKeys(const std::string& base, const std::vector<std::string>& keys) {
  const std::string group = base.substr(0, base.size() - 1) + "/";
  JobKeys sorted;
  for (const std::string& key : keys) {
    if (key.starts_with(base + ":")) sorted.job.push_back(key);
    if (key.starts_with(group) && IsGroupRest(std::string_view(key).substr(group.size())))
      sorted.groups.push_back(key);
  }
  return sorted;
}

Result<JobKeys> FindJobKeys(RedisClient* client, const JobRedis& job, const std::stop_token& stop) {
  const std::string name = job.base().substr(0, job.base().size() - 1);
  ASSIGN_OR_RETURN(const std::vector<std::string> keys,
                   Scan(client, GlobEscape(name) + "[}/]*", stop));
  return SortJobKeys(job.base(), keys);
}

Result<std::vector<std::string>> FindJobs(RedisClient* client, const std::stop_token& stop) {
  constexpr std::string_view kSuffix = "}:job";
  ASSIGN_OR_RETURN(const std::vector<std::string> keys,
                   Scan(client, "mr:{*" + std::string(kSuffix), stop));
  std::vector<std::string> jobs;
  for (const std::string& key : keys)
    jobs.push_back(key.substr(0, key.size() - kSuffix.size() + 1));
  return jobs;
}

}  // namespace millrace::worker
