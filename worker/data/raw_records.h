#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/data/column.h"
#include "worker/data/record_batch.h"

namespace millrace::worker {

// A run of undecoded records of one partition, as a source hands them to a decoder.
// Every payload is followed by at least Arena::kPadding readable bytes of the same allocation.
struct RawRecords {
  std::vector<std::string_view> payloads;
  std::vector<uint8_t> null_payload;  // empty: none is null (Kafka tombstones are null)
  std::vector<Owner> owners;          // keep the payloads alive
  // The first record of the file, when the format has a header line: names the columns of all
  // payloads, which never contain it. Empty otherwise. Kept alive by `owners`; the same for all
  // records of one call.
  std::string_view header;
  int64_t first_index = 0;  // index of the first record in the unit's planned range
  // Position of record i for messages and dead letters: path:line of files, topic/partition and
  // offset of Kafka.
  std::string path;
  std::string topic;
  int partition = -1;
  int64_t first_line = 0;  // 0: no lines
  // Lines in front of those numbers, where they are counted only when somebody asks; empty: none.
  // Valid during the call.
  std::function<int64_t()> lines_before;
  int64_t first_offset = -1;
  std::vector<int64_t> offsets;  // only where they are not first_offset + i
  std::vector<int64_t> lines;    // only where they are not first_line + i
  // Hidden columns that the source provides, one value per payload, e.g. "__path" (string),
  // "__line" (int), "__key" (bytes?).
  std::vector<std::pair<std::string, ColumnRef>> hidden;
};

// Records rows[i] of `raw`, with their positions and hidden columns. The header and what they share
// stay.
RawRecords SelectRecords(const RawRecords& raw, std::span<const uint32_t> rows);
// Name of record i's position: "dir/file:7", "lines/3 offset 42", "record 5".
std::string PlaceOfRecord(const RawRecords& raw, size_t i);

// A record that cannot be decoded or processed.
struct BadRecord {
  size_t row = 0;  // in the input of the call that reported it
  std::string message;
};

// Cuts a byte stream into lines (LF or CRLF, line break not included). Uses memchr; no copy.
// Appends complete lines of `block` to `lines` and returns the bytes consumed; a last line without
// break is left unless `at_end`.
size_t SplitLines(std::string_view block, bool at_end, std::vector<std::string_view>* lines);
// The same for RFC 4180: a line break inside quotes does not end a record.
size_t SplitCsvRecords(std::string_view block, bool at_end, std::vector<std::string_view>* records);

}  // namespace millrace::worker
