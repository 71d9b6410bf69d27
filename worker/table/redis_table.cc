#include "worker/table/redis_table.h"

#include <algorithm>
#include <utility>

#include "crds/base/text.h"
#include "worker/client/redis/redis.h"
#include "worker/data/format.h"
#include "worker/data/text_value.h"

namespace millrace::worker {
namespace {

// One field of the hash and its value; views into the reply.
struct Entry {
  std::string_view field;
  std::string_view value;
};

// Lengths first, so that no two hashes read the same.
std::string VersionOf(const std::vector<Entry>& entries) {
  std::string text;
  for (const Entry& entry : entries) {
    for (const std::string_view part : {entry.field, entry.value}) {
      text += std::to_string(part.size()) + ":";
      text += part;
    }
  }
  return HexEncode(Sha256(text));
}

class RedisTableLoader final : public TableLoader {
 public:
  RedisTableLoader(api::Table table, api::RedisTable redis, SchemaRef schema,
                   std::unique_ptr<RedisClient> client, std::stop_token stop)
      : table_(std::move(table)),
        redis_(std::move(redis)),
        schema_(std::move(schema)),
        key_(schema_->Find(table_.key.front())),
        client_(std::move(client)),
        stop_(std::move(stop)) {}

  Result<TableVersionRef> Load() override {
    Result<TableVersionRef> loaded = LoadHash();
    if (loaded.ok()) return loaded;
    // Reading again does no harm, so an unknown outcome is none.
    const Status status = loaded.status();
    const StatusCode code = OutcomeUnknown(status) ? StatusCode::kUnavailable : status.code();
    return Status(code,
                  "hash \"" + redis_.hash + "\" at " + redis_.address + ": " + status.message());
  }

 private:
  Result<TableVersionRef> LoadHash();
  Status CheckSize();
  Result<RecordBatch> Decode(const std::vector<Entry>& entries, const Owner& owner) const;
  // The columns besides the key, in the order of the schema.
  Result<std::vector<ColumnRef>> Values(const std::vector<Entry>& entries,
                                        const Owner& owner) const;
  Result<std::vector<ColumnRef>> Objects(const std::vector<Entry>& entries,
                                         const std::vector<Field>& fields) const;

  const api::Table table_;
  const api::RedisTable redis_;
  const SchemaRef schema_;
  const int key_;
  const std::unique_ptr<RedisClient> client_;
  const std::stop_token stop_;
  TableVersionRef last_;
};

Status RedisTableLoader::CheckSize() {
  ASSIGN_OR_RETURN(const RedisReply reply,
                   client_->Run({redis_.hash, {"HLEN", redis_.hash}}, stop_));
  ASSIGN_OR_RETURN(const int64_t rows, reply.AsInteger());
  if (rows == 0) return NotFoundError("there is no such hash; Redis keeps no empty ones");
  if (rows <= table_.max_rows) return OkStatus();
  return InvalidError("it has " + std::to_string(rows) + " fields, more than maxRows (" +
                      std::to_string(table_.max_rows) + ")");
}

Result<TableVersionRef> RedisTableLoader::LoadHash() {
  RETURN_IF_ERROR(CheckSize());
  ASSIGN_OR_RETURN(RedisReply reply, client_->Run({redis_.hash, {"HGETALL", redis_.hash}}, stop_));
  const auto owner = std::make_shared<const RedisReply>(std::move(reply));
  std::vector<Entry> entries;
  for (size_t i = 0; i + 1 < owner->items.size(); i += 2) {
    entries.push_back({owner->items[i].text, owner->items[i + 1].text});
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.field < b.field; });
  std::string version = VersionOf(entries);
  if (last_ != nullptr && last_->version() == version) return last_;
  ASSIGN_OR_RETURN(RecordBatch rows, Decode(entries, owner));
  ASSIGN_OR_RETURN(
      last_, TableVersion::Build(std::move(version), std::move(rows), {key_}, table_.max_rows));
  return last_;
}

Status BadEntry(const Entry& entry, const std::string& what, const std::string& problem) {
  return InvalidError(what + " of \"" + Excerpt(entry.field) + "\": " + problem);
}

Result<ColumnRef> TextColumn(const std::vector<Entry>& entries, std::string_view Entry::*part,
                             const Type& type, const std::string& what, const Owner& owner) {
  auto column = std::make_shared<Column>(type);
  auto arena = std::make_shared<Arena>();
  column->Reserve(entries.size());
  for (const Entry& entry : entries) {
    std::string problem;
    if (!IsValidUtf8(entry.*part)) {
      problem = "is no UTF-8";
    } else if (AppendTextValue(entry.*part, {}, column.get(), arena.get(), &problem)) {
      continue;
    }
    return BadEntry(entry, what, problem);
  }
  column->AddOwner(owner);
  column->AddOwner(std::move(arena));
  return ColumnRef(std::move(column));
}

Result<RecordBatch> RedisTableLoader::Decode(const std::vector<Entry>& entries,
                                             const Owner& owner) const {
  const auto key = static_cast<size_t>(key_);
  ASSIGN_OR_RETURN(ColumnRef keys,
                   TextColumn(entries, &Entry::field, (*schema_)[key].type, "field", owner));
  ASSIGN_OR_RETURN(std::vector<ColumnRef> columns, Values(entries, owner));
  columns.insert(columns.begin() + key_, std::move(keys));
  return RecordBatch(schema_, std::move(columns), entries.size());
}

Result<std::vector<ColumnRef>> RedisTableLoader::Values(const std::vector<Entry>& entries,
                                                        const Owner& owner) const {
  std::vector<Field> fields = schema_->fields();
  fields.erase(fields.begin() + key_);
  if (fields.empty()) return std::vector<ColumnRef>();
  if (fields.size() > 1) return Objects(entries, fields);
  ASSIGN_OR_RETURN(ColumnRef values,
                   TextColumn(entries, &Entry::value, fields.front().type, "value", owner));
  return std::vector<ColumnRef>{std::move(values)};
}

// Values in memory of the decoder's kind: one block with padding behind it.
Result<std::vector<ColumnRef>> RedisTableLoader::Objects(const std::vector<Entry>& entries,
                                                         const std::vector<Field>& fields) const {
  api::JsonFormat format;
  format.schema = redis_.schema;
  ASSIGN_OR_RETURN(const auto decoder, MakeDecoder(format, std::make_shared<Schema>(fields)));
  auto arena = std::make_shared<Arena>();
  RawRecords raw;
  for (const Entry& entry : entries) {
    if (Trim(entry.value).empty()) return BadEntry(entry, "value", "is empty, not a JSON object");
    raw.payloads.push_back(arena->Copy(entry.value));
  }
  raw.owners.push_back(arena);
  const DecodeResult decoded = decoder->Decode(raw);
  if (!decoded.bad.empty()) {
    return BadEntry(entries[decoded.bad.front().row], "value", decoded.bad.front().message);
  }
  return decoded.batch.columns();
}

}  // namespace

Result<Schema> RedisTableSchema(const api::RedisTable& redis, api::Diagnostics* diagnostics,
                                const std::string& path) {
  if (redis.schema.empty()) {
    api::AddError(diagnostics, path + ".schema", "is empty: name the key and the value");
    return InvalidError(path + ".schema: is empty");
  }
  api::JsonFormat format;
  format.schema = redis.schema;
  api::Diagnostics found;
  Result<Schema> schema = DeclaredSchema(format, &found, path);
  const std::string inner = path + ".json";
  for (api::Diagnostic& problem : found) {
    if (problem.path.starts_with(inner)) problem.path = path + problem.path.substr(inner.size());
    diagnostics->push_back(std::move(problem));
  }
  return schema;
}

Result<std::unique_ptr<TableLoader>> MakeRedisTableLoader(const api::Table& table,
                                                          const api::RedisTable& redis,
                                                          const TableLoaderOptions& options) {
  CHECK(options.clock != nullptr);
  api::Diagnostics problems;
  ASSIGN_OR_RETURN(Schema schema, TableSchema(table, &problems, "table " + table.name));
  ASSIGN_OR_RETURN(auto client,
                   RedisClient::Create(RedisSettingsOf(redis.address, redis.auth, redis.tls,
                                                       options.secrets_directory),
                                       options.clock));
  return std::unique_ptr<TableLoader>(std::make_unique<RedisTableLoader>(
      table, redis, std::make_shared<Schema>(std::move(schema)), std::move(client), options.stop));
}

}  // namespace millrace::worker
