#include "worker/client/kafka/settings.h"

#include <charconv>
#include <limits>
#include <string_view>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int>::max();
constexpr int64_t kMaxFetchBytes = 256 << 20;
constexpr int64_t kMaxMillis = 24 * 60 * 60 * 1000;

// Reads properties into fields, and keeps the first error.
class Reader {
 public:
  explicit Reader(const KafkaClientOptions& options) : options_(options) {}

  template <typename T>
  void Number(const std::string& name, int64_t least, int64_t most, T* target) {
    const std::string* text = Find(name);
    if (text == nullptr) return;
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size() || value < least ||
        value > most) {
      Fail(name, *text, "a number from " + std::to_string(least) + " to " + std::to_string(most));
      return;
    }
    *target = static_cast<T>(value);
  }

  void Millis(const std::string& name, Duration* target) {
    int64_t value = *target / std::chrono::milliseconds(1);
    Number(name, 1, kMaxMillis, &value);
    *target = std::chrono::milliseconds(value);
  }

  void Bool(const std::string& name, bool* target) {
    const std::string* text = Find(name);
    if (text == nullptr) return;
    if (*text != "true" && *text != "false") return Fail(name, *text, "true or false");
    *target = *text == "true";
  }

  void Text(const std::string& name, std::string* target) {
    if (const std::string* text = Find(name)) *target = *text;
  }

  const Status& status() const { return status_; }

 private:
  const std::string* Find(const std::string& name) const {
    const auto found = options_.properties.find(name);
    return found == options_.properties.end() ? nullptr : &found->second;
  }
  void Fail(const std::string& name, const std::string& found, const std::string& expected) {
    if (!status_.ok()) return;
    status_ = InvalidError("the Kafka property \"" + name + "\" is \"" + Excerpt(found) +
                           "\"; expected " + expected);
  }

  const KafkaClientOptions& options_;
  Status status_;
};

}  // namespace

Result<KafkaSettings> ReadKafkaSettings(const KafkaClientOptions& options) {
  KafkaSettings settings;
  settings.client_id = options.client_id;
  Reader reader(options);
  reader.Text("client.id", &settings.client_id);
  reader.Text("client.rack", &settings.rack);
  reader.Number("fetch.max.bytes", 1024, kMaxFetchBytes, &settings.fetch_max_bytes);
  reader.Number("fetch.message.max.bytes", 1024, kMaxFetchBytes, &settings.partition_max_bytes);
  reader.Number("max.partition.fetch.bytes", 1024, kMaxFetchBytes, &settings.partition_max_bytes);
  reader.Number("fetch.min.bytes", 1, kMaxFetchBytes, &settings.fetch_min_bytes);
  reader.Number("receive.message.max.bytes", 1024, kMaxInt, &settings.max_response_bytes);
  reader.Millis("fetch.wait.max.ms", &settings.fetch_wait);
  reader.Bool("check.crcs", &settings.check_crcs);
  reader.Millis("socket.timeout.ms", &settings.request_timeout);
  reader.Millis("socket.connection.setup.timeout.ms", &settings.connect_timeout);
  reader.Millis("connections.max.idle.ms", &settings.max_idle);
  reader.Millis("metadata.max.age.ms", &settings.metadata_max_age);
  reader.Millis("fetch.error.backoff.ms", &settings.backoff);
  reader.Millis("retry.backoff.ms", &settings.backoff);
  reader.Millis("retry.backoff.max.ms", &settings.max_backoff);
  reader.Bool("socket.keepalive.enable", &settings.keep_alive);
  reader.Bool("socket.nagle.disable", &settings.no_delay);
  reader.Number("socket.receive.buffer.bytes", 0, kMaxFetchBytes, &settings.receive_buffer_bytes);
  reader.Number("socket.send.buffer.bytes", 0, kMaxFetchBytes, &settings.send_buffer_bytes);
  RETURN_IF_ERROR(reader.status());
  return settings;
}

}  // namespace millrace::worker
