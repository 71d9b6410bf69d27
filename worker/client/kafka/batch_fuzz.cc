#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "worker/client/kafka/record_walker.h"

// Any bytes give records inside the window, in order and with readable payloads, or an error. The
// first byte chooses columns and whether an aborted transaction is known; CRCs are not checked, or
// nothing behind them would ever be reached.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millrace;
  using namespace millrace::worker;
  if (size == 0) return 0;
  const uint8_t choice = data[0];
  const auto pool = BufferPool::Create();
  const KafkaBuffer buffer = pool->Take(size - 1);
  std::memcpy(buffer.data.get(), data + 1, size - 1);
  int64_t last = 0;
  size_t sum = 0;
  const KafkaVisitor visitor = [&](const KafkaRecords& records) {
    for (size_t i = 0; i < records.size(); ++i) {
      if (records.offset(i) <= last || records.offset(i) >= 1000) std::abort();
      last = records.offset(i);
      const std::string_view value = records.values[i];
      if (!value.empty()) sum += static_cast<uint8_t>(value.back());
    }
    for (const std::string_view headers : records.headers) {
      (void)ForEachKafkaHeader(headers,
                               [&](const KafkaHeader& header) { sum += header.name.size(); });
    }
    return OkStatus();
  };
  const KafkaColumns columns{(choice & 1) != 0, (choice & 2) != 0, (choice & 4) != 0};
  RecordWalker walker({{1, 1000}, columns, false}, pool, &visitor);
  std::vector<AbortedTransaction> aborted;
  if ((choice & 8) != 0) aborted.push_back({7, 0});
  const Status status = walker.Walk(buffer.view(), buffer.data, std::move(aborted));
  if (!status.ok() && status.code() != StatusCode::kInternal) std::abort();
  if (sum == SIZE_MAX) std::abort();
  return 0;
}
