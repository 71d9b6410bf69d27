#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace millrace::worker {

// A fixed set of threads that run the tasks of one stage at a time. The caller works too, so a pool
// of one thread starts none. Thread-compatible: one ParallelFor at a time. Tasks must not throw.
class ThreadPool {
 public:
  // `threads` >= 1, the caller included.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }
  // Runs task(0) ... task(count - 1), each once, on any thread; returns when all are done.
  void ParallelFor(size_t count, const std::function<void(size_t)>& task);

 private:
  void Work(std::stop_token stop);
  void Drain();

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::condition_variable done_;
  const std::function<void(size_t)>* task_ =
      nullptr;  // guarded by mutex_, read while a round is open
  size_t count_ = 0;
  std::atomic<size_t> next_{0};
  uint64_t round_ = 0;
  int busy_ = 0;
  std::vector<std::jthread> workers_;
};

}  // namespace millrace::worker
