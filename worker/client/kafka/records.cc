#include "worker/client/kafka/records.h"

#include "worker/client/kafka/wire.h"

namespace millrace::worker {

Status ForEachKafkaHeader(std::string_view section,
                          const std::function<void(const KafkaHeader&)>& visit) {
  KafkaReader reader(section);
  const int64_t count = reader.Varint();
  for (int64_t i = 0; i < count && reader.ok(); ++i) {
    KafkaHeader header;
    header.name =
        reader.Raw(static_cast<uint64_t>(reader.Varint()));  // a negative size is beyond any input
    const int64_t size = reader.Varint();
    header.null = size == -1;
    if (!header.null) header.value = reader.Raw(static_cast<uint64_t>(size));
    if (reader.ok()) visit(header);
  }
  return reader.Finish("headers of a record");
}

}  // namespace millrace::worker
