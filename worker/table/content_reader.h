#pragma once

#include <string>

#include "crds/api/spec.h"
#include "crds/base/status.h"
#include "worker/table/table.h"

namespace millrace::worker {

// Turns the bytes of a file or an answer into a table version. Keeps the last one: equal bytes give
// the same object. Thread-compatible. Errors (kInvalid): a record that does not decode, with its
// line; more than `maxRows` records; a duplicate key.
class ContentReader {
 public:
  // Requires: the table passed TableSchema.
  static Result<ContentReader> Create(const api::Table& table);

  // `where` names the content in messages: a path or an address.
  Result<TableVersionRef> Read(std::string bytes, const std::string& where);

 private:
  ContentReader(api::Table table, SchemaRef schema, std::vector<int> key)
      : table_(std::move(table)), schema_(std::move(schema)), key_(std::move(key)) {}
  Result<RecordBatch> Decode(std::string bytes, const std::string& where) const;

  api::Table table_;
  SchemaRef schema_;
  std::vector<int> key_;
  TableVersionRef last_;
};

}  // namespace millrace::worker
