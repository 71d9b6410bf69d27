#include "worker/schedule/table_keeper.h"

#include <algorithm>
#include <utility>

#include "crds/base/log.h"
#include "worker/plan/expression_texts.h"

namespace millrace::worker {
namespace {

constexpr Duration kRefreshPoll = std::chrono::milliseconds(200);
constexpr Duration kFollowInterval = std::chrono::seconds(1);  // topics are followed

std::vector<int> KeyColumns(const Schema& schema, const std::vector<std::string>& key) {
  std::vector<int> columns;
  for (const std::string& name : key) columns.push_back(schema.Find(name));
  return columns;
}

std::optional<Duration> RefreshInterval(const api::Table& table) {
  if (std::holds_alternative<api::KafkaTable>(table.kind)) return kFollowInterval;
  return table.refresh_interval;
}

std::string StateStage(const std::string& table) { return "table." + table; }

std::unique_ptr<StreamTable> MakeStreamTable(const api::Table& table, const PlanEnd& end) {
  std::vector<Field> visible;
  for (const Field& field : end.schema->fields()) {
    if (!Schema::IsHidden(field.name)) visible.push_back(field);
  }
  const auto schema = std::make_shared<Schema>(std::move(visible));
  ProgramRef delete_when;
  if (table.delete_when) {
    std::vector<ExprError> errors;
    const Type expected(Kind::kBool);
    Result<ProgramRef> program =
        Program::Compile(*table.delete_when, {*schema, {}}, &errors, &expected);
    if (program.ok()) delete_when = *program;  // wrong ones were refused when the job was checked
  }
  return std::make_unique<StreamTable>(table.name, schema, KeyColumns(*schema, table.key),
                                       delete_when, table.max_rows);
}

}  // namespace

TableKeeper::TableKeeper(const api::StreamingJob& job, const JobPlan& plan,
                         TableLoaderOptions loading)
    : job_(job), loading_(std::move(loading)), lists_(TablesReadAsLists(job)) {
  for (const PlanEnd& end : plan.ends) {
    if (end.kind == PlanEnd::Kind::kTable)
      streams_[end.index] = MakeStreamTable(job.spec.tables[end.index], end);
  }
}

TableKeeper::~TableKeeper() = default;

Status TableKeeper::Start() {
  bool refreshes = false;
  for (size_t i = 0; i < job_.spec.tables.size(); ++i) {
    const api::Table& table = job_.spec.tables[i];
    if (std::holds_alternative<api::StreamTable>(table.kind)) continue;
    Loaded loaded;
    loaded.index = static_cast<int>(i);
    ASSIGN_OR_RETURN(loaded.loader, MakeTableLoader(table, loading_));
    Result<TableVersionRef> version = loaded.loader->Load();
    if (!version.ok()) return version.status().WithContext("table \"" + table.name + "\"");
    RETURN_IF_ERROR(CheckList(table.name, **version));
    loaded.version = *std::move(version);
    if (const std::optional<Duration> interval = RefreshInterval(table)) {
      refreshes = true;
      loaded.next_refresh = loading_.clock->Monotonic() + *interval;
    }
    loaded_.push_back(std::move(loaded));
  }
  if (refreshes)
    refresher_ = std::jthread([this](std::stop_token stop) { RefreshLoop(std::move(stop)); });
  return OkStatus();
}

Status TableKeeper::CheckList(const std::string& name, const TableVersion& version) const {
  const auto rows = static_cast<int64_t>(version.rows().num_rows());
  if (!lists_.contains(name) || rows <= kMaxListRows) return OkStatus();
  return InvalidError("table \"" + name + "\" has " + std::to_string(rows) +
                      " rows; an expression reads tables." + name +
                      " as a list, which may have 1,000. Use a lookup step");
}

void TableKeeper::RefreshLoop(std::stop_token stop) {
  while (loading_.clock->SleepFor(kRefreshPoll, stop)) RefreshDue();
}

void TableKeeper::RefreshDue() {
  for (Loaded& loaded : loaded_) {
    const api::Table& table = job_.spec.tables[loaded.index];
    const std::optional<Duration> interval = RefreshInterval(table);
    if (!interval || loading_.clock->Monotonic() < loaded.next_refresh) continue;
    Result<TableVersionRef> version = loaded.loader->Load();
    Status status = version.status();
    if (status.ok()) status = CheckList(table.name, **version);
    loaded.next_refresh = loading_.clock->Monotonic() + *interval;
    if (!status.ok())
      Log(LogLevel::kWarn, "table refresh failed",
          {{"table", table.name}, {"error", status.message()}});
    std::lock_guard lock(mutex_);
    loaded.refresh = status;
    if (status.ok()) loaded.version = *std::move(version);
  }
}

bool TableKeeper::Writes(const std::string& stage) const {
  return std::any_of(streams_.begin(), streams_.end(),
                     [&](const auto& table) { return StateStage(table.second->name()) == stage; });
}

Status TableKeeper::Restore(const StateLog& log) {
  for (auto& [index, table] : streams_) {
    ASSIGN_OR_RETURN(const UnitBlobs blobs, log.Load(StateStage(table->name()), kStateUnit));
    RETURN_IF_ERROR(table->Restore(blobs.snapshot, blobs.deltas));
  }
  return OkStatus();
}

Result<std::map<std::string, std::string>> TableKeeper::Pin(TableVersions* kept) {
  std::map<std::string, std::string> versions;
  for (Loaded& loaded : loaded_) {
    const api::Table& table = job_.spec.tables[loaded.index];
    TableVersionRef version;
    {
      std::lock_guard lock(mutex_);
      if (!loaded.refresh.ok() && table.on_refresh_error == api::Table::OnRefreshError::kFail) {
        return loaded.refresh.WithContext("table \"" + table.name + "\"");
      }
      version = loaded.version;
    }
    if (loaded.pinned != version->version()) {
      std::string bytes;
      EncodeBatch(version->rows(), &bytes);
      RETURN_IF_ERROR(kept->PutTable(table.name, version->version(), bytes));
      loaded.pinned = version->version();
    }
    versions[table.name] = version->version();
  }
  return versions;
}

Result<TableVersionRef> TableKeeper::Find(const std::string& name, const std::string& version,
                                          const TableVersions& kept) {
  if (const auto it = selected_.find(name);
      it != selected_.end() && it->second->version() == version)
    return it->second;
  for (Loaded& loaded : loaded_) {
    if (job_.spec.tables[loaded.index].name != name) continue;
    {
      std::lock_guard lock(mutex_);
      if (loaded.version->version() == version) return loaded.version;
    }
    const api::Table& table = job_.spec.tables[loaded.index];
    ASSIGN_OR_RETURN(const std::string bytes, kept.GetTable(name, version));
    ASSIGN_OR_RETURN(RecordBatch rows, DecodeBatch(bytes));
    std::vector<int> key = KeyColumns(rows.schema(), table.key);
    return TableVersion::Build(version, std::move(rows), std::move(key), table.max_rows);
  }
  return InternalError("StateLost: the plan names table \"" + name +
                       "\", which the job does not have");
}

Status TableKeeper::Select(const std::map<std::string, std::string>& versions,
                           const TableVersions& kept, BatchTables* tables) {
  for (const auto& [name, version] : versions) {
    ASSIGN_OR_RETURN(selected_[name], Find(name, version, kept));
  }
  for (auto& [index, table] : streams_) {
    ASSIGN_OR_RETURN(selected_[table->name()], table->Version());
    RETURN_IF_ERROR(CheckList(table->name(), *selected_[table->name()]));
  }
  tables->set = selected_;
  tables->lists.tables.clear();
  for (const auto& [name, version] : selected_) {
    if (lists_.contains(name)) tables->lists.tables.emplace_back(name, version->rows());
  }
  return OkStatus();
}

Status TableKeeper::Apply(int index, const std::vector<RecordBatch>& rows) {
  return streams_.at(index)->Apply(rows);
}

Status TableKeeper::PutState(StateLog* log) const {
  for (const auto& [index, table] : streams_) {
    const std::string stage = StateStage(table->name());
    std::string bytes;
    table->EncodeDelta(&bytes);
    if (bytes.empty()) continue;
    if (!log->WantsSnapshot(stage, kStateUnit)) {
      RETURN_IF_ERROR(log->PutDelta(stage, kStateUnit, bytes));
      continue;
    }
    bytes.clear();
    table->EncodeSnapshot(&bytes);
    RETURN_IF_ERROR(log->PutSnapshot(stage, kStateUnit, bytes));
  }
  return OkStatus();
}

void TableKeeper::Settle() {
  for (auto& [index, table] : streams_) table->Settle();
}

}  // namespace millrace::worker
