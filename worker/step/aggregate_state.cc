#include "worker/step/aggregate_state.h"

#include <cstring>

namespace millrace::worker {
namespace {

constexpr char kVersion = 1;
constexpr size_t kFrameBytes = 1 + sizeof(uint32_t);

}  // namespace

void AppendSection(uint8_t tag, const RecordBatch& rows, std::string* out) {
  if (rows.num_rows() == 0) return;
  if (out->empty()) out->push_back(kVersion);
  const size_t frame = out->size();
  out->append(kFrameBytes, '\0');
  EncodeBatch(rows, out);
  const auto size = static_cast<uint32_t>(out->size() - frame - kFrameBytes);
  (*out)[frame] = static_cast<char>(tag);
  std::memcpy(out->data() + frame + 1, &size, sizeof(size));
}

Result<std::vector<StateSection>> ReadSections(std::string_view blob,
                                               const std::vector<SchemaRef>& schemas) {
  std::vector<StateSection> sections;
  if (blob.empty()) return sections;
  if (blob[0] != kVersion) {
    return InternalError("window state has format " + std::to_string(static_cast<int>(blob[0])) +
                         "; this version reads format 1");
  }
  blob.remove_prefix(1);
  while (!blob.empty()) {
    uint32_t size = 0;
    if (blob.size() < kFrameBytes) return InternalError("window state ends inside a section");
    const auto tag = static_cast<uint8_t>(blob[0]);
    std::memcpy(&size, blob.data() + 1, sizeof(size));
    blob.remove_prefix(kFrameBytes);
    if (blob.size() < size) return InternalError("window state ends inside a section");
    if (tag >= schemas.size() || schemas[tag] == nullptr) {
      return InternalError("window state has an unknown section " + std::to_string(tag));
    }
    ASSIGN_OR_RETURN(RecordBatch rows, DecodeBatch(blob.substr(0, size)));
    if (!(rows.schema() == *schemas[tag])) {
      return InternalError("window state holds " + rows.schema().ToString() + ", expected " +
                           schemas[tag]->ToString() + ": it belongs to another step");
    }
    blob.remove_prefix(size);
    sections.push_back({tag, std::move(rows)});
  }
  return sections;
}

SchemaRef MakeSchema(std::vector<Field> fields, const std::vector<Field>& more) {
  fields.insert(fields.end(), more.begin(), more.end());
  return std::make_shared<Schema>(std::move(fields));
}

}  // namespace millrace::worker
