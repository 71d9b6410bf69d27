// What the leader of a large job works out: who owns what after one of 100 workers is lost, and
// per batch the plan of 10,000 partitions with its digest and the messages that carry it. Nothing
// is sent.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "worker/coordination/batch_plan.h"
#include "worker/coordination/cluster/generation.h"
#include "worker/coordination/cluster/messages.h"

namespace millrace::worker {
namespace {

constexpr int kWorkers = 100;
constexpr int kUnits = 10'000;
constexpr int kRounds = 50;

double CpuMillis() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

double Median(const char* what, const std::function<size_t()>& work) {
  std::vector<double> millis;
  size_t result = 0;
  for (int i = 0; i < kRounds; ++i) {
    const double begin = CpuMillis();
    result = work();
    millis.push_back(CpuMillis() - begin);
  }
  std::sort(millis.begin(), millis.end());
  std::printf("%-52s median %6.2f ms CPU  (%zu)\n", what, millis[kRounds / 2], result);
  return millis[kRounds / 2];
}

std::vector<Seat> Seats(int count) {
  std::vector<Seat> seats;
  for (int i = 0; i < count; ++i)
    seats.push_back({"worker-" + std::to_string(i) + "-0123abcd",
                     "worker-" + std::to_string(i) + ".job.default.svc:7400"});
  return seats;
}

BatchPlan LargePlan() {
  BatchPlan plan;
  plan.batch = 123'456;
  plan.spec_hash = std::string(64, 'a');
  plan.sources.resize(1);
  plan.sources[0].name = "events";
  for (int i = 0; i < kUnits; ++i) {
    PlannedRange range;
    range.partition = i;
    range.from = std::to_string(1'000'000'000 + i);
    range.to = std::to_string(1'000'010'000 + i);
    range.proof = "epoch 7";
    range.records = 10'000;
    plan.sources[0].ranges.push_back(std::move(range));
  }
  return plan;
}

}  // namespace
}  // namespace millrace::worker

int main() {
  using namespace millrace::worker;
  Generation before;
  before.seats = Seats(kWorkers);
  before.groups = AssignGroups(kUnits, Generation{}, before.seats);
  std::vector<Seat> left = before.seats;
  left.erase(left.begin() + 40);
  const BatchPlan plan = LargePlan();
  const std::string encoded = EncodePlan(plan);
  double total = Median("assign 10,000 key groups to 99 of 100 workers",
                        [&] { return AssignGroups(kUnits, before, left).size(); });
  total += Median("encode the plan of 10,000 partitions", [&] { return EncodePlan(plan).size(); });
  total += Median("its digest", [&] { return PlanDigest("before", encoded).size(); });
  total += Median("messages to 100 workers", [&] {
    size_t bytes = 0;
    const PlanEntry entry{plan.batch, "digest", plan.spec_hash, encoded};
    for (int i = 0; i < kWorkers; ++i)
      bytes += EncodeMessage({"leader", "address", RunBatch{"1-a", entry}}).size();
    return bytes;
  });
  std::printf("together: %.2f ms (aim: < 10 ms)\n", total);
}
