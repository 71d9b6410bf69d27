#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "worker/coordination/cluster/member_core.h"

namespace millrace::worker {

// The member "b"; "a" leads and says what the test says. What the member does is kept. For tests.
class MemberCoreFixture : public testing::Test {
 protected:
  static constexpr Duration kRetry = std::chrono::milliseconds(200);

  void Say(decltype(Message::body) body) {
    member_.OnMessage({"a", "a", std::move(body)}, now_);
    Pump();
  }
  void Pump() {
    for (std::vector<Action> actions = member_.TakeActions(); !actions.empty();
         actions = member_.TakeActions()) {
      for (Action& action : actions) {
        if (auto* call = std::get_if<CallStore>(&action))
          call->done(Reply(call->request), now_);
        else
          done_.push_back(std::move(action));
      }
    }
  }
  // What the store says to the member's requests.
  virtual StoreReply Reply(const StoreRequest&) { return {}; }
  template <typename T>
  int Did() const {
    return static_cast<int>(std::count_if(done_.begin(), done_.end(), [](const Action& action) {
      return std::holds_alternative<T>(action);
    }));
  }
  template <typename T>
  int Told() const {
    return static_cast<int>(std::count_if(done_.begin(), done_.end(), [](const Action& action) {
      const auto* send = std::get_if<SendMessage>(&action);
      return send != nullptr && std::holds_alternative<T>(send->message.body);
    }));
  }

  MonotonicTime now_{std::chrono::seconds(100)};
  MemberCore member_{{"b", "b"}, kRetry};
  std::vector<Action> done_;
};

}  // namespace millrace::worker
