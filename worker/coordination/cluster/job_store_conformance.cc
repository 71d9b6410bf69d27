#include "worker/coordination/cluster/job_store_conformance.h"

#include <utility>
#include <vector>

#include "worker/coordination/cluster/job_store_scene.h"

namespace millrace::worker {
namespace {

std::string CheckSteps(const std::vector<StoreStep>& steps,
                       const std::function<std::unique_ptr<JobStore>()>& make) {
  for (const StoreStep& step : steps) {
    Scene scene(make());
    const StoreCode code = step.run(scene);
    if (code == step.want) continue;
    return step.name + ": got " + std::string(StoreCodeName(code)) + " (" + scene.last().detail +
           "), want " + std::string(StoreCodeName(step.want));
  }
  return {};
}

// What is read back after a batch, with values that a script must not touch.
std::string CheckHistory(Scene scene) {
  scene.Open();
  scene.Call(BeatMember{"b", {"b:1", 3, "spec", 41, true}, {}, false});
  scene.Call(scene.Plan(1, "",
                        std::string("D\0\xff"
                                    "1",
                                    4)));
  scene.Call(scene.Plan(2,
                        std::string("D\0\xff"
                                    "1",
                                    4),
                        "D2"));
  scene.Call(PutPrepared{"1-a", 0, 1, "r0"});
  scene.Call(PutPrepared{"1-a", 1, 1,
                         std::string("r\0"
                                     "1",
                                     3)});
  if (scene.Call(scene.Commit(1, std::string("D\0\xff"
                                             "1",
                                             4))) != StoreCode::kOk)
    return "commit: " + scene.last().detail;
  const JobFacts facts = scene.Facts();
  if (facts.commit.batch != 1 ||
      facts.commit.digest != std::string("D\0\xff"
                                         "1",
                                         4) ||
      facts.commit.generation != "1-a" || facts.commit.record != "record1" ||
      facts.commit.reports != 2)
    return "commit does not read back";
  if (facts.plans.size() != 1 || facts.plans[0].batch != 2 || facts.plans[0].bytes != "bytes2" ||
      facts.plans[0].spec_hash != "spec" || facts.plans[0].digest != "D2")
    return "plans do not read back";
  if (!facts.generation || facts.generation->name != "1-a" || !facts.generation->open ||
      facts.generation->seats.size() != 2)
    return "generation does not read back";
  if (facts.commit.spec_hash != "spec" || facts.specs.at("spec") != "record")
    return "the spec of the commit does not read back";
  if (facts.spec_gen != 3 || facts.spec_hash != "spec" || facts.slots != 2 ||
      facts.lease.holder != "a" || facts.lease.address != "a:1" || facts.lease.released ||
      facts.lease.lease != scene.lease)
    return "job or lease does not read back";
  const auto member = facts.members.find("b");
  if (member == facts.members.end() || member->second.beat != 41 || !member->second.leaving ||
      member->second.address != "b:1")
    return "member does not read back";
  scene.Call(ReadOffsets{});
  if (scene.last().fields !=
      std::map<std::string, std::string>{{"in/0", "9007199254740993"}, {"in/1", ""}})
    return "offsets do not read back";
  scene.Call(ReadReports{"1-a", 1});
  if (scene.last().fields != std::map<std::string, std::string>{{"0", "r0"},
                                                                {"1", std::string("r\0"
                                                                                  "1",
                                                                                  3)}})
    return "reports do not read back";
  scene.Call(BeatMember{"b",
                        {},
                        {1, std::string("D\0\xff"
                                        "1",
                                        4)},
                        true});
  if (scene.Facts().members.contains("b")) return "a member that is gone stays";
  if (scene.Facts().suspect) return "a known commit was taken for a doubt";
  scene.Call(BeatMember{"b", {}, {1, "other"}, false});
  if (scene.Facts().suspect != KnownCommit{1, "other"})
    return "another history of the same batch is no doubt";
  scene.Call(HaltJob{scene.lease, "StateLost: why"});
  if (scene.Facts().halt != "StateLost: why") return "halt does not read back";
  if (scene.Call(scene.Plan(3, "D2", "D3")) != StoreCode::kHalted) return "a halted job plans";
  return {};
}

// The record of a spec is kept while it is the job's or the last commit's.
std::string CheckSpecs(Scene scene) {
  scene.Prepare();
  scene.Call(scene.Commit(1, "D1"));
  CommitHead seen;
  for (int64_t fence = 2; fence <= 3; ++fence) {
    seen = scene.Facts().commit;
    Generation next = Later(scene.generation, fence);
    next.spec_hash = "spec" + std::to_string(fence);
    if (scene.Call(NewGeneration{scene.lease, seen, fence + 2, next, "of" + next.spec_hash}) !=
        StoreCode::kOk)
      return "new spec: " + scene.last().detail;
  }
  const JobFacts facts = scene.Facts();
  if (facts.spec_hash != "spec3" || facts.spec_gen != 5 || facts.commit.spec_hash != "spec")
    return "the spec does not change";
  if (facts.specs != std::map<std::string, std::string>{{"spec", "record"}, {"spec3", "ofspec3"}})
    return "the records of specs are not those that matter";
  return {};
}

}  // namespace

std::string CheckJobStore(const std::function<std::unique_ptr<JobStore>()>& make) {
  for (const auto& steps :
       {LeaseSteps(), GenerationSteps(), BatchSteps(), CommitSteps(), HaltSteps()}) {
    if (std::string difference = CheckSteps(steps, make); !difference.empty()) return difference;
  }
  if (std::string difference = CheckSpecs(Scene(make())); !difference.empty()) return difference;
  return CheckHistory(Scene(make()));
}

}  // namespace millrace::worker
