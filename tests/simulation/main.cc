// Runs the coordination of many workers under simulated faults, one seed after another.
//   simulate [--first N] [--seeds N] [--leave-out CHECK] [--trace|--trace-messages]
// Prints the first seed that breaks an invariant and what it broke; that seed alone repeats it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "tests/simulation/world.h"

namespace {

using millrace::simulation::Fence;
using millrace::simulation::World;
using millrace::simulation::WorldOptions;
using Check = millrace::worker::ModelJobStore::Check;

const std::map<std::string, Check> kChecks = {{"lease", Check::kLease},
                                              {"current", Check::kCurrent},
                                              {"open", Check::kOpen},
                                              {"plan-digest", Check::kPlanDigest},
                                              {"reports", Check::kReports},
                                              {"suspect", Check::kSuspect},
                                              {"fence", Check::kFence},
                                              {"observed-beat", Check::kObservedBeat},
                                              {"plan-limit", Check::kPlanLimit},
                                              {"known-commit", Check::kKnownCommit}};
const std::map<std::string, Fence> kFences = {{"sink-init", Fence::kSinkInit},
                                              {"skip", Fence::kSkip}};

}  // namespace

int main(int argc, char** argv) {
  uint64_t first = 1;
  uint64_t seeds = 100;
  WorldOptions base;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const std::string value = i + 1 < argc ? argv[i + 1] : "";
    if (flag == "--first")
      first = std::strtoull(value.c_str(), nullptr, 10), ++i;
    else if (flag == "--seeds")
      seeds = std::strtoull(value.c_str(), nullptr, 10), ++i;
    else if (flag == "--trace")
      base.trace = true;
    else if (flag == "--trace-messages")
      base.trace = base.trace_messages = true;
    else if (flag == "--leave-out" && kChecks.contains(value))
      base.left_out = kChecks.at(value), ++i;
    else if (flag == "--leave-out" && kFences.contains(value))
      base.fence_left_out = kFences.at(value), ++i;
    else
      return std::fprintf(stderr, "simulate: unknown option %s %s\n", flag.c_str(), value.c_str()),
             2;
  }
  const auto begin = std::chrono::steady_clock::now();
  int64_t committed = 0;
  int64_t halted = 0;
  int64_t changes = 0;
  int64_t left_out = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    WorldOptions options = base;
    options.seed = seed;
    options.nodes = 1 + static_cast<int>(seed % 4);
    options.rollback = seed % 10 == 3;
    options.wipe = seed % 50 == 7;
    options.edits = seed % 3 == 0;
    options.counted = seed % 2 == 0;
    options.poison = seed % 4 == 1;
    World world(options);
    const std::string violation = world.Run();
    committed += world.committed();
    changes += world.changes();
    left_out += world.left_out();
    halted += world.halted().empty() ? 0 : 1;
    if (base.trace)
      std::printf("seed %llu: %lld batches, halted: %s\n", static_cast<unsigned long long>(seed),
                  static_cast<long long>(world.committed()), world.halted().c_str());
    if (violation.empty()) continue;
    std::printf("seed %llu broke %s\nrepeat with: simulate --first %llu --seeds 1 --trace\n",
                static_cast<unsigned long long>(seed), violation.c_str(),
                static_cast<unsigned long long>(seed));
    return 1;
  }
  const double took =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf(
      "%llu seeds, %lld batches committed, %lld runs halted as they should, %lld edits took over, "
      "%lld poison records left out, %.1f s\n",
      static_cast<unsigned long long>(seeds), static_cast<long long>(committed),
      static_cast<long long>(halted), static_cast<long long>(changes),
      static_cast<long long>(left_out), took);
  return 0;
}
