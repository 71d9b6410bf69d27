#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "worker/data/record_batch.h"

// The form of state blobs of windowed steps (format 1, little-endian):
//   blob    = u8 version (1), section*
//   section = u8 tag, u32 size, batch of that size (RecordBatch form)
// Sections apply in order. Every operator says what its tags hold.
namespace millrace::worker {

struct StateSection {
  uint8_t tag = 0;
  RecordBatch rows;
};

// Appends the version before the first section; a section without rows is left out.
void AppendSection(uint8_t tag, const RecordBatch& rows, std::string* out);
// kInternal for an unknown version, a damaged frame or a section whose schema is not the one for
// its tag: schemas[tag], nullptr where the tag is not used.
Result<std::vector<StateSection>> ReadSections(std::string_view blob,
                                               const std::vector<SchemaRef>& schemas);

// A schema of the given fields followed by more.
SchemaRef MakeSchema(std::vector<Field> fields, const std::vector<Field>& more = {});

}  // namespace millrace::worker
