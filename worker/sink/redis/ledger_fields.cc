#include "worker/sink/redis/ledger_fields.h"

#include <algorithm>
#include <charconv>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kTask = "task:";

template <typename Number>
bool ReadNumber(std::string_view text, Number* number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), *number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && *number >= 0;
}

Status Damaged(std::string_view field, std::string_view value) {
  return InternalError("field " + Excerpt(field) + " is damaged: \"" + Excerpt(value) + "\"");
}

std::string_view FieldOf(const std::map<std::string, std::string>& fields,
                         const std::string& name) {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string_view() : std::string_view(found->second);
}

// task:<stage>/<unit> = "<batch> <parts>"; false for other texts.
bool ReadTask(std::string_view name, std::string_view value, SinkTask* task, int64_t* batch) {
  const size_t slash = name.rfind('/');
  int64_t parts = 0;
  const size_t space = value.find(' ');
  if (slash == std::string_view::npos || space == std::string_view::npos) return false;
  task->stage = std::string(name.substr(0, slash));
  return ReadNumber(name.substr(slash + 1), &task->unit) &&
         ReadNumber(value.substr(0, space), batch) && ReadNumber(value.substr(space + 1), &parts);
}

}  // namespace

Result<int64_t> FenceOf(std::string_view field) {
  int64_t fence = 0;
  if (!field.empty() && !ReadNumber(field, &fence)) return Damaged("fence", field);
  return fence;
}

Result<SinkLedger> ParseRedisLedger(const std::map<std::string, std::string>& fields,
                                    const std::string& generation) {
  SinkLedger ledger;
  ledger.keeps = true;
  ledger.digest = FieldOf(fields, "digest");
  ASSIGN_OR_RETURN(ledger.fence, FenceOf(FieldOf(fields, "fence")));
  const std::string_view batch = FieldOf(fields, "batch");
  if (!batch.empty() && !ReadNumber(batch, &ledger.batch)) return Damaged("batch", batch);
  ledger.missing = fields.empty() || (ledger.batch == 0 && FieldOf(fields, "since") == generation);
  for (const auto& [name, value] : fields) {
    if (!name.starts_with(kTask)) continue;
    SinkTask task;
    int64_t last = 0;
    if (!ReadTask(std::string_view(name).substr(kTask.size()), value, &task, &last)) {
      return Damaged(name, value);
    }
    if (last == ledger.batch) ledger.tasks.push_back(std::move(task));
  }
  std::sort(ledger.tasks.begin(), ledger.tasks.end());
  return ledger;
}

}  // namespace millrace::worker
