#include "worker/step/aggregate_latest.h"

#include <algorithm>

#include "worker/step/aggregate_state.h"
#include "worker/step/aggregate_writer.h"

namespace millrace::worker {
namespace {

constexpr uint8_t kDroppedContributions = 1, kDroppedGroups = 2, kGroups = 3, kContributions = 4;

SchemaRef KeySchema() {
  static const SchemaRef schema = MakeSchema({{"key", Type(Kind::kBytes)}});
  return schema;
}

void AppendKeys(uint8_t tag, const std::vector<std::string>& keys, std::string* out) {
  if (keys.empty()) return;
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  AppendSection(tag, RecordBatch(KeySchema(), {BytesColumn(views)}, views.size()), out);
}

}  // namespace

LatestOperator::LatestOperator(AggregatePlanRef plan)
    : plan_(std::move(plan)), contributions_(&plan_->layout), groups_(&plan_->layout) {}

Status LatestOperator::Run(const std::vector<std::vector<RecordBatch>>& arrived, TaskRun* run,
                           std::vector<RecordBatch>* out) {
  std::vector<RecordBatch> batches;
  for (const auto& input : arrived) batches.insert(batches.end(), input.begin(), input.end());
  if (!batches.empty()) RETURN_IF_ERROR(Replace(Concat(batches)));
  RETURN_IF_ERROR(Emit(run, out));
  groups_.changed().Clear();
  contributions_.changed().Clear();
  return OkStatus();
}

// Keeps the last record of every latestBy key, then takes out and puts in by column.
Status LatestOperator::Replace(const RecordBatch& rows) {
  const std::vector<uint8_t>& deleted = rows.column(2).bools;
  const std::vector<uint32_t> found = contributions_.RowsOf(rows.column(0).strings);
  group_of_.resize(std::max(group_of_.size(), contributions_.keys().row_limit()), KeyTable::kNone);
  std::vector<uint32_t> last(contributions_.keys().row_limit(), KeyTable::kNone);
  std::vector<uint32_t> touched;
  for (uint32_t i = 0; i < found.size(); ++i) {
    if (last[found[i]] == KeyTable::kNone) touched.push_back(found[i]);
    last[found[i]] = i;
  }
  std::vector<uint32_t> old, targets, records;
  for (const uint32_t row : touched) {
    if (group_of_[row] != KeyTable::kNone) old.push_back(row);
    if (deleted[last[row]] != 0) continue;
    targets.push_back(row);
    records.push_back(last[row]);
  }
  RETURN_IF_ERROR(TakeOut(old));
  RETURN_IF_ERROR(PutIn(rows.Gather(records), targets));
  for (const uint32_t row : touched) {
    if (deleted[last[row]] == 0) continue;
    dropped_contributions_.emplace_back(contributions_.keys().key(row));
    contributions_.Erase(row);
  }
  contributions_.CompactIfSparse();
  return OkStatus();
}

void LatestOperator::MarkGroups(std::span<const uint32_t> groups) {
  groups_.changed().Add(groups);
  groups_.unsaved().Add(groups);
}

Status LatestOperator::TakeOut(std::span<const uint32_t> contributions) {
  std::vector<uint32_t> groups;
  for (const uint32_t row : contributions) {
    groups.push_back(group_of_[row]);
    --members_[group_of_[row]];
    group_of_[row] = KeyTable::kNone;
  }
  MarkGroups(groups);
  const Status status =
      groups_.values().Subtract(groups, contributions_.values().Partials(contributions));
  if (!status.ok()) return GroupError(status);
  contributions_.values().Reset(contributions);
  return OkStatus();
}

// Row i of `rows` becomes the contribution of row targets[i].
Status LatestOperator::PutIn(const RecordBatch& rows, std::span<const uint32_t> targets) {
  if (targets.empty()) return OkStatus();
  const std::vector<uint32_t> groups = groups_.RowsOf(rows.column(1).strings);
  members_.resize(std::max(members_.size(), groups_.keys().row_limit()));
  for (size_t i = 0; i < targets.size(); ++i) {
    group_of_[targets[i]] = groups[i];
    ++members_[groups[i]];
  }
  MarkGroups(groups);
  contributions_.unsaved().Add(targets);
  const std::span<const ColumnRef> partials = std::span(rows.columns()).subspan(3);
  RETURN_IF_ERROR(contributions_.values().Merge(targets, partials).WithContext(plan_->origin));
  const Status status = groups_.values().Merge(groups, partials);
  return status.ok() ? status : GroupError(status);
}

Status LatestOperator::GroupError(const Status& status) const {
  return plan_->KeyError(status, groups_.keys().key(groups_.values().failed_row()));
}

// Changed or all groups by key; emptied ones leave as deleted.
Status LatestOperator::Emit(TaskRun* run, std::vector<RecordBatch>* out) {
  std::vector<uint32_t> rows = plan_->window.emit == api::Emit::kAll
                                   ? groups_.LiveRows()
                                   : groups_.LiveOf(groups_.changed().rows());
  std::sort(rows.begin(), rows.end(), [this](uint32_t a, uint32_t b) {
    return groups_.keys().key(a) < groups_.keys().key(b);
  });
  OutputRows output;
  output.keys = groups_.KeysOf(rows);
  output.rows = rows;
  for (const uint32_t row : rows) output.deleted.push_back(members_[row] == 0 ? 1 : 0);
  RETURN_IF_ERROR(EmitRows(*plan_, output, groups_.values(), run, out));
  for (const uint32_t row : rows) {
    if (members_[row] != 0) continue;
    dropped_groups_.emplace_back(groups_.keys().key(row));
    groups_.Erase(row);
  }
  groups_.CompactIfSparse();
  return OkStatus();
}

bool LatestOperator::HasWork(const BatchContext&) const {
  return plan_->window.emit == api::Emit::kAll && groups_.keys().size() > 0;
}

// ---- state ----

SchemaRef LatestOperator::GroupSchema() const {
  return MakeSchema({{"members", Type(Kind::kInt)}, {"key", Type(Kind::kBytes)}},
                    plan_->layout.partial_fields);
}

SchemaRef LatestOperator::ContributionSchema() const {
  return MakeSchema({{"latest", Type(Kind::kBytes)}, {"key", Type(Kind::kBytes)}},
                    plan_->layout.partial_fields);
}

void LatestOperator::Encode(std::span<const uint32_t> groups,
                            std::span<const uint32_t> contributions, std::string* out) const {
  std::vector<int64_t> members;
  for (const uint32_t row : groups) members.push_back(members_[row]);
  std::vector<ColumnRef> columns{IntColumn(members), BytesColumn(groups_.KeysOf(groups))};
  for (ColumnRef& partial : groups_.values().Partials(groups))
    columns.push_back(std::move(partial));
  AppendSection(kGroups, RecordBatch(GroupSchema(), std::move(columns), groups.size()), out);

  std::vector<std::string_view> keys;
  for (const uint32_t row : contributions) keys.push_back(groups_.keys().key(group_of_[row]));
  columns = {BytesColumn(contributions_.KeysOf(contributions)), BytesColumn(keys)};
  for (ColumnRef& partial : contributions_.values().Partials(contributions)) {
    columns.push_back(std::move(partial));
  }
  AppendSection(kContributions,
                RecordBatch(ContributionSchema(), std::move(columns), contributions.size()), out);
}

void LatestOperator::EncodeDelta(std::string* out) const {
  AppendKeys(kDroppedContributions, dropped_contributions_, out);
  AppendKeys(kDroppedGroups, dropped_groups_, out);
  Encode(groups_.LiveOf(groups_.unsaved().rows()),
         contributions_.LiveOf(contributions_.unsaved().rows()), out);
}

void LatestOperator::EncodeSnapshot(std::string* out) const {
  Encode(groups_.LiveRows(), contributions_.LiveRows(), out);
}

Status LatestOperator::ApplyGroup(const RecordBatch& rows, size_t i) {
  const uint32_t row = groups_.RowsOf({&rows.column(1).strings[i], 1})[0];
  members_.resize(std::max(members_.size(), groups_.keys().row_limit()));
  members_[row] = rows.column(0).ints[i];
  groups_.values().Reset({&row, 1});
  return groups_.values().Merge({&row, 1}, std::span(rows.columns()).subspan(2), i);
}

Status LatestOperator::ApplyContribution(const RecordBatch& rows, size_t i) {
  const std::string_view key = rows.column(1).strings[i];
  const uint32_t row = contributions_.RowsOf({&rows.column(0).strings[i], 1})[0];
  group_of_.resize(std::max(group_of_.size(), contributions_.keys().row_limit()), KeyTable::kNone);
  group_of_[row] = groups_.keys().Find(key, HashKey(key));
  if (group_of_[row] == KeyTable::kNone) {
    return InternalError("a stored contribution belongs to no group");
  }
  contributions_.values().Reset({&row, 1});
  return contributions_.values().Merge({&row, 1}, std::span(rows.columns()).subspan(2), i);
}

Status LatestOperator::Apply(std::string_view blob) {
  ASSIGN_OR_RETURN(
      const std::vector<StateSection> sections,
      ReadSections(blob, {nullptr, KeySchema(), KeySchema(), GroupSchema(), ContributionSchema()}));
  for (const auto& [tag, rows] : sections) {
    for (size_t i = 0; i < rows.num_rows(); ++i) {
      Status status;
      if (tag == kGroups) {
        status = ApplyGroup(rows, i);
      } else if (tag == kContributions) {
        status = ApplyContribution(rows, i);
      } else {
        GroupTable* table = tag == kDroppedGroups ? &groups_ : &contributions_;
        const std::string_view key = rows.column(0).strings[i];
        const uint32_t row = table->keys().Find(key, HashKey(key));
        if (row == KeyTable::kNone) continue;
        table->Erase(row);
        if (table == &contributions_) group_of_[row] = KeyTable::kNone;
      }
      RETURN_IF_ERROR(status.WithContext(plan_->origin));
    }
  }
  return OkStatus();
}

void LatestOperator::Settle() {
  groups_.unsaved().Clear();
  contributions_.unsaved().Clear();
  dropped_contributions_.clear();
  dropped_groups_.clear();
}

int64_t LatestOperator::keys() const { return static_cast<int64_t>(contributions_.keys().size()); }

int64_t LatestOperator::bytes() const {
  return static_cast<int64_t>(groups_.ByteSize() + contributions_.ByteSize());
}

}  // namespace millrace::worker
