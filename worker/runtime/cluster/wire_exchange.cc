#include "worker/runtime/cluster/wire_exchange.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "crds/base/wire.h"

// Frame, version 1, little-endian; what describes the payload stands behind it, so that a chunk is
// sent where it was encoded:
//   payload  version:u8 kind:u8 batch:u64 stage:u32 count:u32
//            edge:u32 unit:u32 source_stage:u32 source_unit:u32 generation:bytes  trailer_size:u8
// kind 1: a chunk for (stage, unit), count = its sequence. kind 2: the sender's last word to
// `stage`, count = chunks it sent there to this receiver. Length and checksum are the network's.
namespace millrace::worker {
namespace {

constexpr uint8_t kVersion = 1;
constexpr Duration kLookUp = std::chrono::milliseconds(100);  // for peers that are gone

enum class Kind : uint8_t { kChunk = 1, kEnd = 2 };

struct Trailer {
  Kind kind = Kind::kChunk;
  uint64_t batch = 0;
  uint32_t stage = 0;
  uint32_t count = 0;
  uint32_t edge = 0;
  uint32_t unit = 0;
  uint32_t source_stage = 0;
  uint32_t source_unit = 0;
  std::string_view generation;
};

void AppendTrailer(const Trailer& trailer, std::string* frame) {
  const size_t payload = frame->size();
  WireWriter out(frame);
  out.U8(kVersion);
  out.U8(static_cast<uint8_t>(trailer.kind));
  out.U64(trailer.batch);
  for (const uint32_t field : {trailer.stage, trailer.count, trailer.edge, trailer.unit,
                               trailer.source_stage, trailer.source_unit}) {
    out.U32(field);
  }
  out.Bytes(trailer.generation);
  out.U8(static_cast<uint8_t>(frame->size() - payload));
}

// Cuts the trailer off `frame`; nothing for one that this build did not write.
std::optional<Trailer> TakeTrailer(std::string_view* frame) {
  if (frame->empty()) return std::nullopt;
  const auto size = static_cast<uint8_t>(frame->back());
  if (frame->size() < size + size_t{1}) return std::nullopt;
  WireReader in(frame->substr(frame->size() - 1 - size, size));
  Trailer trailer;
  const uint8_t version = in.U8();
  const uint8_t kind = in.U8();
  trailer.kind = static_cast<Kind>(kind);
  trailer.batch = in.U64();
  for (uint32_t* field : {&trailer.stage, &trailer.count, &trailer.edge, &trailer.unit,
                          &trailer.source_stage, &trailer.source_unit}) {
    *field = in.U32();
  }
  trailer.generation = in.Bytes();
  const bool good =
      in.ok() && in.done() && version == kVersion &&
      (kind == static_cast<uint8_t>(Kind::kChunk) || kind == static_cast<uint8_t>(Kind::kEnd));
  if (!good) return std::nullopt;
  frame->remove_suffix(size + size_t{1});
  return trailer;
}

}  // namespace

class WireExchange::Port final : public ExchangePort {
 public:
  Port(WireExchange* exchange, int64_t batch, std::stop_token stop)
      : exchange_(exchange),
        batch_(batch),
        on_stop_(std::move(stop), [this] { stop_.request_stop(); }),
        sent_(exchange->generation_.slots()) {
    if (exchange_->generation_.slots() > 1) reader_ = std::jthread([this] { Read(); });
  }
  ~Port() override {
    stop_.request_stop();
    if (reader_.joinable()) reader_.join();
  }

  int slot() const override { return exchange_->slot_; }
  bool Owns(int stage, int unit) const override {
    return exchange_->OwnerOf(stage, unit) == exchange_->slot_;
  }
  Status Send(RemoteChunk chunk) override;
  Status Finish(int stage) override;
  Result<std::vector<RemoteChunk>> Receive(int stage) override;

 private:
  struct Inbox {
    std::vector<RemoteChunk> chunks;
    std::map<int, uint32_t> arrived;  // by sender's slot
    int ended = 0;                    // senders
  };

  int stream() const { return static_cast<int>(batch_ % PeerNetwork::kStreams); }
  std::string Name() const { return "exchange of batch " + std::to_string(batch_); }
  Status SendTo(int slot, Trailer trailer, std::string payload);
  Status PeersStatus() const;
  void Read();
  void Take(const PeerFrame& frame);
  void TakeEnd(int slot, const Trailer& trailer);
  void Fail(std::string text);
  int SlotAt(const std::string& address) const;

  WireExchange* exchange_;
  int64_t batch_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> on_stop_;
  std::mutex mutex_;
  std::condition_variable_any arrived_;
  std::vector<std::map<int, uint32_t>> sent_;  // [slot], by stage; guarded by mutex_, as all below
  std::map<int, Inbox> inboxes_;               // by stage
  Status failure_;
  std::jthread reader_;
};

WireExchange::WireExchange(Generation generation, int slot, std::vector<int> sources,
                           PeerNetwork* network)
    : generation_(std::move(generation)),
      slot_(slot),
      sources_(std::move(sources)),
      network_(network) {
  network_->ResetData();
}

std::unique_ptr<ExchangePort> WireExchange::Open(int64_t batch, std::stop_token stop) {
  return std::make_unique<Port>(this, batch, std::move(stop));
}

int WireExchange::OwnerOf(int stage, int unit) const {
  const int source = sources_[stage];
  return source >= 0 ? OwnerOfInput(generation_, source, unit) : OwnerOfUnit(generation_, unit);
}

Status WireExchange::Port::SendTo(int slot, Trailer trailer, std::string payload) {
  trailer.batch = static_cast<uint64_t>(batch_);
  trailer.generation = exchange_->generation_.name;
  AppendTrailer(trailer, &payload);
  const Status status = exchange_->network_->SendData(
      exchange_->generation_.seats[slot].address, stream(), std::move(payload), stop_.get_token());
  return status.ok() ? status : status.WithContext(Name());
}

Status WireExchange::Port::Send(RemoteChunk chunk) {
  const int slot = exchange_->OwnerOf(chunk.target_stage, chunk.target_unit);
  {
    std::lock_guard lock(mutex_);
    ++sent_[slot][chunk.target_stage];
  }
  const Trailer trailer{.kind = Kind::kChunk,
                        .stage = static_cast<uint32_t>(chunk.target_stage),
                        .count = static_cast<uint32_t>(chunk.sequence),
                        .edge = static_cast<uint32_t>(chunk.edge),
                        .unit = static_cast<uint32_t>(chunk.target_unit),
                        .source_stage = static_cast<uint32_t>(chunk.source_stage),
                        .source_unit = static_cast<uint32_t>(chunk.source_unit)};
  return SendTo(slot, trailer, std::move(chunk.bytes));
}

Status WireExchange::Port::Finish(int stage) {
  for (int slot = 0; slot < exchange_->generation_.slots(); ++slot) {
    if (slot == exchange_->slot_) continue;
    Trailer end{.kind = Kind::kEnd, .stage = static_cast<uint32_t>(stage)};
    {
      std::lock_guard lock(mutex_);
      end.count = sent_[slot][stage];
    }
    RETURN_IF_ERROR(SendTo(slot, end, {}));
  }
  return OkStatus();
}

Result<std::vector<RemoteChunk>> WireExchange::Port::Receive(int stage) {
  const int others = exchange_->generation_.slots() - 1;
  std::unique_lock lock(mutex_);
  Inbox& inbox = inboxes_[stage];
  const auto done = [&] { return inbox.ended == others || !failure_.ok(); };
  while (!arrived_.wait_for(lock, stop_.get_token(), kLookUp, done)) {
    if (stop_.stop_requested()) {
      return AbortedError(Name() + ": stopped while other workers had not finished");
    }
    RETURN_IF_ERROR(PeersStatus());
  }
  RETURN_IF_ERROR(failure_);
  return std::move(inbox.chunks);
}

// An error once what was sent to another worker is lost.
Status WireExchange::Port::PeersStatus() const {
  for (const Seat& seat : exchange_->generation_.seats) {
    const Status status = exchange_->network_->StreamStatus(seat.address);
    if (!status.ok()) return status.WithContext(Name());
  }
  return OkStatus();
}

void WireExchange::Port::Read() {
  while (!stop_.stop_requested()) {
    const MonotonicTime deadline = SystemClock().Monotonic() + kLookUp;
    const std::optional<PeerFrame> frame =
        exchange_->network_->ReceiveData(stream(), deadline, stop_.get_token());
    if (frame) Take(*frame);
  }
}

int WireExchange::Port::SlotAt(const std::string& address) const {
  const std::vector<Seat>& seats = exchange_->generation_.seats;
  for (size_t slot = 0; slot < seats.size(); ++slot) {
    if (seats[slot].address == address) return static_cast<int>(slot);
  }
  return -1;
}

void WireExchange::Port::Take(const PeerFrame& frame) {
  std::string_view payload = frame.bytes.view();
  const std::optional<Trailer> trailer = TakeTrailer(&payload);
  const int slot = SlotAt(frame.from);
  if (!trailer || slot < 0 || trailer->generation != exchange_->generation_.name ||
      trailer->batch != static_cast<uint64_t>(batch_)) {
    exchange_->dropped_frames_.fetch_add(1);
    return;
  }
  if (trailer->kind == Kind::kEnd) return TakeEnd(slot, *trailer);
  const int stage = static_cast<int>(trailer->stage);
  const int unit = static_cast<int>(trailer->unit);
  if (trailer->stage >= exchange_->sources_.size() || unit < 0 || !Owns(stage, unit)) {
    return Fail("worker " + frame.from + " sent a chunk for stage " + std::to_string(stage) +
                ", unit " + std::to_string(unit) + ", which this worker does not run");
  }
  RemoteChunk chunk{static_cast<int>(trailer->edge),
                    stage,
                    unit,
                    static_cast<int>(trailer->source_stage),
                    static_cast<int>(trailer->source_unit),
                    static_cast<int>(trailer->count),
                    std::string(payload)};
  std::lock_guard lock(mutex_);
  Inbox& inbox = inboxes_[stage];
  inbox.chunks.push_back(std::move(chunk));
  ++inbox.arrived[slot];
}

void WireExchange::Port::TakeEnd(int slot, const Trailer& trailer) {
  uint32_t arrived = 0;
  {
    std::lock_guard lock(mutex_);
    Inbox& inbox = inboxes_[static_cast<int>(trailer.stage)];
    arrived = inbox.arrived[slot];
    if (arrived == trailer.count && ++inbox.ended == exchange_->generation_.slots() - 1) {
      arrived_.notify_all();
    }
  }
  if (arrived != trailer.count) {
    Fail(std::to_string(arrived) + " of " + std::to_string(trailer.count) + " chunks of worker " +
         exchange_->generation_.seats[slot].address + " for stage " +
         std::to_string(trailer.stage) + " arrived");
  }
}

void WireExchange::Port::Fail(std::string text) {
  std::lock_guard lock(mutex_);
  if (failure_.ok()) failure_ = UnavailableError(Name() + ": " + std::move(text));
  arrived_.notify_all();
}

}  // namespace millrace::worker
