// Frames between two peers of one process over loopback, beside memcpy of the same bytes. Figures
// are per second of processor time of the whole process: both sides, ZeroMQ's threads and the
// kernel.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "worker/client/peer/peer_network.h"

namespace millrace::worker {
namespace {

constexpr size_t kBytes = size_t{4} << 30;

struct Usage {
  double wall = 0;
  double processor = 0;
};

Usage Now() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now().time_since_epoch();
  return {wall.count(), seconds(usage.ru_utime) + seconds(usage.ru_stime)};
}

void Print(const char* what, size_t frame_bytes, size_t bytes, const Usage& begin) {
  const Usage end = Now();
  const double gigabytes = static_cast<double>(bytes) / 1e9;
  std::printf("%-18s %5zu KiB  %6.2f GB/s  %6.2f GB per core second\n", what, frame_bytes >> 10,
              gigabytes / (end.wall - begin.wall), gigabytes / (end.processor - begin.processor));
}

void MeasureMemcpy(size_t frame_bytes) {
  std::vector<char> from(size_t{64} << 20, 'x');
  std::vector<char> to(from.size(), 'y');
  const Usage begin = Now();
  for (size_t done = 0; done < kBytes; done += frame_bytes) {
    const size_t at = done % (from.size() - frame_bytes);
    std::memcpy(to.data() + at, from.data() + at, frame_bytes);
  }
  Print("memcpy", frame_bytes, kBytes, begin);
}

bool MeasurePeers(const char* what, bool encrypt, size_t frame_bytes, size_t bytes) {
  PeerOptions options;
  options.host = "127.0.0.1";
  options.secret = "benchmark";
  options.encrypt = encrypt;
  Result<std::unique_ptr<PeerNetwork>> a = PeerNetwork::Start(options);
  Result<std::unique_ptr<PeerNetwork>> b = PeerNetwork::Start(options);
  if (!a.ok() || !b.ok()) return false;
  const size_t frames = bytes / frame_bytes;
  const Usage begin = Now();
  std::jthread sender([&](const std::stop_token& stop) {
    for (size_t i = 0; i < frames; ++i) {
      if (!(*a)->SendData((*b)->address(), 0, std::string(frame_bytes, 'x'), stop).ok()) return;
    }
  });
  for (size_t i = 0; i < frames; ++i) {
    const MonotonicTime deadline = SystemClock().Monotonic() + std::chrono::seconds(10);
    if (!(*b)->ReceiveData(0, deadline, {})) return false;
  }
  Print(what, frame_bytes, frames * frame_bytes, begin);
  return true;
}

}  // namespace
}  // namespace millrace::worker

// Usage: peer_bench [KIB]: frames of that size only.
int main(int argc, char** argv) {
  using namespace millrace::worker;
  const size_t only = argc > 1 ? std::strtoull(argv[1], nullptr, 10) << 10 : 0;
  for (const size_t frame_bytes :
       {size_t{4} << 10, size_t{64} << 10, size_t{256} << 10, size_t{1} << 20}) {
    if (only != 0 && only != frame_bytes) continue;
    MeasureMemcpy(frame_bytes);
    if (!MeasurePeers("peers", false, frame_bytes, kBytes)) return 1;
    if (!MeasurePeers("peers, encrypted", true, frame_bytes, kBytes / 8)) return 1;
  }
}
