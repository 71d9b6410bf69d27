#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "crds/api/spec.h"
#include "worker/data/format.h"
#include "worker/expr/program.h"
#include "worker/sink/projection.h"
#include "worker/sink/sink.h"

namespace millrace::worker {

// The expressions of a Redis sink; null for those that are not given.
struct RedisExpressions {
  ProgramRef key;          // string or bytes
  ProgramRef value;        // one value
  ProgramRef score;        // int, uint or double
  ProgramRef delete_when;  // bool
};

// What is done to one key. The letters are those of the script.
enum class RedisOp : char {
  kDelete = 'D',        // no arguments
  kHashSet = 'H',       // field, value, ...
  kHashRemove = 'U',    // field, ...
  kSet = 'S',           // value
  kPush = 'R',          // value
  kSortedAdd = 'Z',     // score, member
  kSortedRemove = 'M',  // member
  kStreamAdd = 'X',     // field, value, ...
};

struct RedisChange {
  std::string_view key;
  RedisOp op = RedisOp::kDelete;
  uint32_t row = 0;  // of the batch it was made from
  uint32_t args_begin = 0;
  uint32_t args_end = 0;
  size_t bytes = 0;
};

// The changes that a record batch asks for, in the order of its rows. Views live as long as this.
struct RedisChanges {
  std::vector<RedisChange> changes;
  std::vector<std::string_view> args;
  std::vector<ColumnRef> columns;  // owners of views
  std::shared_ptr<Arena> arena;
  RecordBatch rows;  // what the sink writes of the batch, for messages
};

// Turns record batches into changes of keys, a column at a time. Rows that cannot be written (an
// expression or the format fails, a null key or value, a score that is no number) are reported and
// left out. Removed rows of updating streams and those of deleteWhen delete the key, or the member
// of a sorted set. A null field of a hash is removed from it. Thread-compatible.
class RedisRowBuilder {
 public:
  // `encoder`: of the values where there is no value expression; may be null.
  RedisRowBuilder(api::RedisSink::Type type, RedisExpressions expressions, Projection projection,
                  std::unique_ptr<Encoder> encoder)
      : type_(type),
        expressions_(std::move(expressions)),
        projection_(std::move(projection)),
        encoder_(std::move(encoder)) {}

  RedisChanges Build(const RecordBatch& batch, std::vector<RejectedRow>* rejected);
  api::RedisSink::Type type() const { return type_; }

 private:
  struct Refusal {
    size_t row;
    const char* reason;
    std::string message;
  };

  void Reset(const RecordBatch& batch);
  void Refuse(size_t row, const char* reason, std::string message);
  ColumnRef Evaluate(const ProgramRef& program, const RecordBatch& batch, const char* what,
                     RedisChanges* out);
  void MarkDeleted(const RecordBatch& batch, RedisChanges* out);
  // One text a row of the value expression or the format, for types that write one value.
  void FillValues(const RecordBatch& batch, RedisChanges* out);
  void FillScores(const RecordBatch& batch, RedisChanges* out);
  void FillKeys(const RecordBatch& batch, RedisChanges* out);
  void AddRow(uint32_t row, RedisChanges* out);
  void AddFields(uint32_t row, RedisChanges* out);
  void Add(uint32_t row, RedisOp op, std::initializer_list<std::string_view> args,
           RedisChanges* out);
  void Finish(uint32_t row, RedisOp op, size_t args_begin, RedisChanges* out);
  std::string_view TextOf(const Column& column, size_t row, RedisChanges* out);

  const api::RedisSink::Type type_;
  RedisExpressions expressions_;
  Projection projection_;
  std::unique_ptr<Encoder> encoder_;
  std::vector<uint8_t> deleted_;
  std::vector<uint8_t> refused_;
  std::vector<Refusal> refusals_;
  std::vector<std::string_view> keys_;
  std::vector<std::string_view> values_;
  std::vector<std::string_view> scores_;
  std::string scratch_;
};

}  // namespace millrace::worker
