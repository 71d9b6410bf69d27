#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace millrace::worker {

// One thread that runs what it is given, in order. Post is thread-safe. The destructor drops what
// has not begun and waits for what has.
class WorkThread {
 public:
  WorkThread() : thread_([this](const std::stop_token& stop) { Run(stop); }) {}
  ~WorkThread() {
    thread_.request_stop();
    thread_.join();
  }
  WorkThread(const WorkThread&) = delete;
  WorkThread& operator=(const WorkThread&) = delete;

  void Post(std::function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(work));
    }
    wake_.notify_one();
  }

 private:
  void Run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::function<void()> work;
      {
        std::unique_lock lock(mutex_);
        if (!wake_.wait(lock, stop, [this] { return !queue_.empty(); })) return;
        work = std::move(queue_.front());
        queue_.pop_front();
      }
      work();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<std::function<void()>> queue_;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace millrace::worker
