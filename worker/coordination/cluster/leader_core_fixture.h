#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "worker/coordination/cluster/leader_core.h"
#include "worker/coordination/cluster/model_job_store.h"

namespace millrace::worker {

using std::chrono::milliseconds;

constexpr Duration kTimeout = milliseconds(3000);
constexpr Duration kGather = milliseconds(500);

// Plans "bytes1", "bytes2" and so on, as many as `left` says.
class CountedPlans final : public PlanMaker {
 public:
  Status Resume(const CommitHead&, const std::map<std::string, std::string>&) override {
    return OkStatus();
  }
  Status Adopt(const PlanEntry&) override { return OkStatus(); }
  Result<std::optional<std::string>> Next(int64_t batch) override {
    if (left <= 0) return std::optional<std::string>();
    --left;
    return std::optional<std::string>("bytes" + std::to_string(batch));
  }
  MonotonicTime next_due() const override {
    return left > 0 ? MonotonicTime::min() : MonotonicTime::max();
  }
  CommitParts Finish(int64_t, const std::vector<std::string>&) override { return {}; }
  bool completed() const override { return false; }

  int left = 0;
};

// A leader "a" before a store, and members whose words the test says. For tests.
class LeaderCoreFixture : public testing::Test {
 protected:
  LeaderCoreFixture() {
    spec_.hash = "spec";
    spec_.groups = 6;
    spec_.record = {{{"sinks", "1"}, {"streams", "1"}}, "sums.aggregate\tk\n"};
    (void)store_.Call(InitJob{0, "spec", EncodeSpec(spec_.record)});
    for (const char* member : {"a", "b", "c"}) Beat(member);
  }

  void Beat(const std::string& member, bool leaving = false) { BeatWith(spec_, member, leaving); }
  void BeatWith(const OwnSpec& spec, const std::string& member, bool leaving = false) {
    (void)store_.Call(
        BeatMember{member, {member, spec.generation, spec.hash, ++beat_, leaving}, {}, false});
  }

  // A new leader; the one before is gone.
  void Lead() {
    const LeaseRecord before = store_.facts().lease;
    const StoreReply won =
        store_.Call(AcquireLease{before.lease.token, before.beat, "token" + std::to_string(++beat_),
                                 "a", "a", spec_.generation});
    ASSERT_TRUE(won.ok());
    LeaderConfig config;
    config.spec = spec_;
    config.heartbeat = milliseconds(1000);
    config.member_timeout = kTimeout;
    config.gather = kGather;
    config.ready_timeout = milliseconds(15000);
    config.resend = milliseconds(500);
    config.announce_delivery = announce_;
    leader_ = std::make_unique<LeaderCore>(config, Seat{"a", "a"}, won.lease, &maker_,
                                           [this] { return static_cast<uint64_t>(++beat_); });
    leader_->Start(now_);
    Pump();
  }

  // Store requests are carried out at once; messages are kept.
  void Pump() {
    for (std::vector<Action> actions = leader_->TakeActions(); !actions.empty();
         actions = leader_->TakeActions()) {
      for (Action& action : actions) {
        if (auto* call = std::get_if<CallStore>(&action))
          Carry(*call);
        else if (auto* send = std::get_if<SendMessage>(&action))
          sent_.push_back(std::move(*send));
        else if (auto* read = std::get_if<ReadLedgers>(&action))
          ++ledger_reads_, leader_->OnLedgers(read->generation, ledgers_, now_);
        else if (auto* end = std::get_if<EndLeadership>(&action))
          ended_ = true, end_ = end->status;
      }
    }
  }

  // The reply to a commit may be lost: before or after it was carried out, or after somebody else
  // did the same.
  void Carry(const CallStore& call) {
    const auto* commit = std::get_if<CommitBatch>(&call.request);
    if (commit != nullptr) ++commits_;
    if (commit == nullptr || !lose_commit_) return call.done(store_.Call(call.request), now_);
    std::exchange(lose_commit_, nullptr)(*commit);
    call.done({StoreCode::kUnknown, "connection lost", nullptr, {}, {}}, now_);
  }

  void Pass(Duration time) {
    const MonotonicTime until = now_ + time;
    while (leader_->next_timer() <= until) {
      now_ = std::max(now_ + milliseconds(1), leader_->next_timer());
      leader_->OnTimer(now_);
      Pump();
    }
    now_ = until;
  }

  void Say(const std::string& member, decltype(Message::body) body) {
    leader_->OnMessage({member, member, std::move(body)}, now_);
    Pump();
  }

  // `member` answers the last roll call that reached it.
  void Answer(const std::string& member) {
    for (auto send = sent_.rbegin(); send != sent_.rend(); ++send) {
      const auto* call = std::get_if<RollCall>(&send->message.body);
      if (call == nullptr || send->address != member) continue;
      return Say(member, Present{call->epoch, call->number});
    }
    FAIL() << member << " was not called";
  }

  void MakeReady() {
    const Generation generation = leader_->generation();
    for (int slot = 0; slot < generation.slots(); ++slot) {
      (void)store_.Call(MarkReady{generation.name, slot, {}});
      Say(generation.seats[slot].member, ReadyToRun{generation.name, slot});
    }
  }

  // Whether somebody was told the like of it.
  template <typename T>
  bool Told() const {
    return std::any_of(sent_.begin(), sent_.end(), [](const SendMessage& send) {
      return std::holds_alternative<T>(send.message.body);
    });
  }

  void RunThree() {
    Lead();
    Answer("b");
    Answer("c");
    Pass(kGather);
    MakeReady();
    ASSERT_EQ(leader_->state(), LeaderCore::State::kRunning);
    ASSERT_EQ(leader_->generation().slots(), 3);
    sent_.clear();
  }

  // The job runs "spec" and has committed batch 1; then everybody has `next` and this leads.
  void LeadEdited(const OwnSpec& next, bool with_plan) {
    RunThree();
    const Lease lease = store_.facts().lease.lease;
    const std::string name = leader_->generation().name;
    for (int64_t batch = 1; batch <= (with_plan ? 2 : 1); ++batch)
      (void)store_.Call(AppendPlan{lease,
                                   name,
                                   store_.facts().plans.empty() ? "" : "D1",
                                   {batch, "D" + std::to_string(batch), "spec", "bytes"}});
    for (int slot = 0; slot < 3; ++slot) (void)store_.Call(PutPrepared{name, slot, 1, ""});
    ASSERT_TRUE(store_.Call(CommitBatch{lease, name, 1, "D1", "", {}}).ok());
    spec_ = next;
    for (const char* member : {"a", "b", "c"}) Beat(member);
    Lead();
    Answer("b");
    if (leader_->state() == LeaderCore::State::kGathering) Answer("c");
  }

  OwnSpec Edited(const std::string& shape, int64_t generation = 0) {
    OwnSpec spec = spec_;
    spec.hash = "edited";
    spec.generation = generation;
    spec.record = {{{"sinks", "1"}, {"streams", "2"}}, shape};
    return spec;
  }

  OwnSpec spec_;
  ModelJobStore store_;
  CountedPlans maker_;
  LedgerFacts ledgers_;
  Status end_;
  int64_t beat_ = 0;
  MonotonicTime now_{std::chrono::seconds(100)};
  std::vector<SendMessage> sent_;
  bool ended_ = false;
  bool announce_ = false;
  int ledger_reads_ = 0;
  int commits_ = 0;
  std::function<void(const CommitBatch&)> lose_commit_;
  std::unique_ptr<LeaderCore> leader_;
};

}  // namespace millrace::worker
