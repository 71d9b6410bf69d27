#include "worker/coordination/cluster/job_store_conformance.h"

#include <utility>
#include <vector>

namespace millrace::worker {
namespace {

// One job, led by one leader with one open generation of two slots, at commit 0 with nothing
// planned.
class Scene {
 public:
  explicit Scene(std::unique_ptr<JobStore> store) : store_(std::move(store)) {}

  StoreCode Call(const StoreRequest& request) {
    last_ = store_->Call(request);
    return last_.code;
  }
  const StoreReply& last() const { return last_; }
  JobFacts Facts() {
    Call(ReadJob{});
    return last_.facts ? *last_.facts : JobFacts{};
  }

  void Lead() {
    Call(InitJob{3, "spec", "record"});
    Call(AcquireLease{"", 0, "token", "a", "a:1", 3});
    lease = last_.lease;
  }
  void Fence() {
    Lead();
    Call(NewGeneration{lease, {}, 3, generation});
  }
  void Open() {
    Fence();
    Call(MarkReady{"1-a", 0, {}});
    Call(MarkReady{"1-a", 1, {}});
    Call(OpenGeneration{lease, {}, generation});
  }
  // Batch 1 is planned and both slots have reported it: only the commit is left.
  void Prepare() {
    Open();
    Call(Plan(1, "", "D1"));
    Call(PutPrepared{"1-a", 0, 1, "r0"});
    Call(PutPrepared{"1-a", 1, 1, "r1"});
  }

  Lease lease;
  Generation generation{"1-a",     1, 1, "spec", 1, false, 2, {{"a", "a:1"}, {"b", "b:1"}},
                        {0, 1, 0}, {}};
  AppendPlan Plan(int64_t batch, const std::string& before, const std::string& digest) const {
    return {lease, "1-a", before, {batch, digest, "spec", "bytes" + std::to_string(batch)}};
  }
  CommitBatch Commit(int64_t batch, const std::string& digest) const {
    return {lease,
            "1-a",
            batch,
            digest,
            "record" + std::to_string(batch),
            {{"in/0", "9007199254740993"}, {"in/1", ""}}};
  }

 private:
  std::unique_ptr<JobStore> store_;
  StoreReply last_;
};

struct Step {
  const char* name;
  StoreCode want;
  std::function<StoreCode(Scene&)> run;
};

Lease Other(const Lease& lease) { return {lease.token + "x", lease.epoch}; }
Generation Later(Generation generation, int64_t fence) {
  generation.fence = fence;
  generation.name = std::to_string(fence) + "-b";
  return generation;
}

std::vector<Step> LeaseSteps() {
  return {
      {"nothing is known of a job before Init", StoreCode::kLost,
       [](Scene& s) { return s.Call(ReadJob{}); }},
      {"no lease of an unknown job", StoreCode::kLost,
       [](Scene& s) {
         return s.Call(AcquireLease{"", 0, "t", "a", "a", 0});
       }},
      {"a job is made once", StoreCode::kRefused,
       [](Scene& s) {
         s.Lead();
         return s.Call(InitJob{3, "spec", "record"});
       }},
      {"a held lease is not given away", StoreCode::kRefused,
       [](Scene& s) {
         s.Lead();
         return s.Call(AcquireLease{"other", 0, "t2", "b", "b", 3});
       }},
      {"a lease that was renewed is not given away", StoreCode::kRefused,
       [](Scene& s) {
         s.Lead();
         s.Call(RenewLease{s.lease});
         return s.Call(AcquireLease{"token", 0, "t2", "b", "b", 3});
       }},
      {"a lease that stood still is given away", StoreCode::kOk,
       [](Scene& s) {
         s.Lead();
         return s.Call(AcquireLease{"token", 0, "t2", "b", "b", 3});
       }},
      {"a released lease is given away", StoreCode::kOk,
       [](Scene& s) {
         s.Lead();
         s.Call(ReleaseLease{s.lease});
         return s.Call(AcquireLease{"?", 9, "t2", "b", "b", 3});
       }},
      {"an older spec does not lead", StoreCode::kRefused,
       [](Scene& s) {
         s.Lead();
         s.Call(ReleaseLease{s.lease});
         return s.Call(AcquireLease{"", 0, "t2", "b", "b", 2});
       }},
      {"another's lease is not renewed", StoreCode::kStale,
       [](Scene& s) {
         s.Lead();
         return s.Call(RenewLease{Other(s.lease)});
       }},
      {"an older epoch is not renewed", StoreCode::kStale,
       [](Scene& s) {
         s.Lead();
         return s.Call(RenewLease{{s.lease.token, 0}});
       }},
      {"another's lease is not released", StoreCode::kStale,
       [](Scene& s) {
         s.Lead();
         return s.Call(ReleaseLease{Other(s.lease)});
       }},
      {"only the leader halts", StoreCode::kStale,
       [](Scene& s) {
         s.Lead();
         return s.Call(HaltJob{Other(s.lease), "x"});
       }},
      {"nobody leads a halted job", StoreCode::kHalted,
       [](Scene& s) {
         s.Lead();
         s.Call(HaltJob{s.lease, "x"});
         return s.Call(AcquireLease{"token", 0, "t", "b", "b", 3});
       }},
  };
}

std::vector<Step> GenerationSteps() {
  return {
      {"only the leader makes generations", StoreCode::kStale,
       [](Scene& s) {
         s.Lead();
         return s.Call(NewGeneration{Other(s.lease), {}, 3, s.generation});
       }},
      {"a generation goes on from the commit", StoreCode::kRefused,
       [](Scene& s) {
         s.Lead();
         CommitHead seen;
         seen.batch = 1;
         return s.Call(NewGeneration{s.lease, seen, 3, s.generation});
       }},
      {"fences grow", StoreCode::kRefused,
       [](Scene& s) {
         s.Fence();
         return s.Call(NewGeneration{s.lease, {}, 3, Later(s.generation, 1)});
       }},
      {"a newer generation replaces", StoreCode::kOk,
       [](Scene& s) {
         s.Open();
         return s.Call(NewGeneration{s.lease, {}, 3, Later(s.generation, 2)});
       }},
      {"an older spec makes no generation", StoreCode::kRefused,
       [](Scene& s) {
         s.Lead();
         s.generation.spec_hash = "old";
         return s.Call(NewGeneration{s.lease, {}, 2, s.generation});
       }},
      {"a newer spec waits for planned batches", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         s.Call(s.Plan(1, "", "D1"));
         Generation g = Later(s.generation, 2);
         g.spec_hash = "new";
         return s.Call(NewGeneration{s.lease, {}, 4, g});
       }},
      {"slots of another generation are not ready", StoreCode::kNotCurrent,
       [](Scene& s) {
         s.Fence();
         return s.Call(MarkReady{"9-z", 0, {}});
       }},
      {"slots that do not exist are not ready", StoreCode::kRefused,
       [](Scene& s) {
         s.Fence();
         return s.Call(MarkReady{"1-a", 2, {}});
       }},
      {"nobody gets ready after Open", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         return s.Call(MarkReady{"1-a", 0, {}});
       }},
      {"all slots must be ready", StoreCode::kRefused,
       [](Scene& s) {
         s.Fence();
         s.Call(MarkReady{"1-a", 0, {}});
         return s.Call(OpenGeneration{s.lease, {}, s.generation});
       }},
      {"only the leader opens", StoreCode::kStale,
       [](Scene& s) {
         s.Fence();
         s.Call(MarkReady{"1-a", 0, {}});
         s.Call(MarkReady{"1-a", 1, {}});
         return s.Call(OpenGeneration{Other(s.lease), {}, s.generation});
       }},
      {"a doubt told with Ready must have been seen", StoreCode::kRefused,
       [](Scene& s) {
         s.Fence();
         s.Call(MarkReady{"1-a", 0, {4, "D4"}});
         s.Call(MarkReady{"1-a", 1, {}});
         return s.Call(OpenGeneration{s.lease, {}, s.generation});
       }},
      {"a doubt that was seen is settled", StoreCode::kOk,
       [](Scene& s) {
         s.Fence();
         s.Call(MarkReady{"1-a", 0, {4, "D4"}});
         s.Call(MarkReady{"1-a", 1, {}});
         return s.Call(OpenGeneration{s.lease, KnownCommit{4, "D4"}, s.generation});
       }},
  };
}

std::vector<Step> BatchSteps() {
  return {
      {"only the leader plans", StoreCode::kStale,
       [](Scene& s) {
         s.Open();
         AppendPlan p = s.Plan(1, "", "D1");
         p.lease = Other(s.lease);
         return s.Call(p);
       }},
      {"only the current generation plans", StoreCode::kNotCurrent,
       [](Scene& s) {
         s.Open();
         AppendPlan p = s.Plan(1, "", "D1");
         p.generation = "0-z";
         return s.Call(p);
       }},
      {"nothing is planned before Open", StoreCode::kRefused,
       [](Scene& s) {
         s.Fence();
         return s.Call(s.Plan(1, "", "D1"));
       }},
      {"plans follow each other", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         return s.Call(s.Plan(2, "", "D2"));
       }},
      {"plans chain digests", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         s.Call(s.Plan(1, "", "D1"));
         return s.Call(s.Plan(2, "other", "D2"));
       }},
      {"two plans go beyond the commit", StoreCode::kOk,
       [](Scene& s) {
         s.Open();
         s.Call(s.Plan(1, "", "D1"));
         return s.Call(s.Plan(2, "D1", "D2"));
       }},
      {"three do not", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         s.Call(s.Plan(1, "", "D1"));
         s.Call(s.Plan(2, "D1", "D2"));
         return s.Call(s.Plan(3, "D2", "D3"));
       }},
      {"nothing is planned under doubt", StoreCode::kSuspect,
       [](Scene& s) {
         s.Open();
         s.Call(BeatMember{"b", {}, {7, "D7"}, false});
         return s.Call(s.Plan(1, "", "D1"));
       }},
      {"delivery waits for the commit before", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         return s.Call(BeginDelivery{s.lease, "1-a", 2});
       }},
      {"delivery of the next batch begins", StoreCode::kOk,
       [](Scene& s) {
         s.Open();
         return s.Call(BeginDelivery{s.lease, "1-a", 1});
       }},
      {"a report is of the current generation", StoreCode::kNotCurrent,
       [](Scene& s) {
         s.Open();
         return s.Call(PutPrepared{"0-z", 0, 1, "r"});
       }},
      {"a report is of the next batch", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         return s.Call(PutPrepared{"1-a", 0, 2, "r"});
       }},
      {"a report is of a slot", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         return s.Call(PutPrepared{"1-a", 2, 1, "r"});
       }},
      {"a commit needs every report", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         s.Call(s.Plan(1, "", "D1"));
         s.Call(PutPrepared{"1-a", 0, 1, "r"});
         return s.Call(s.Commit(1, "D1"));
       }},
      {"a commit needs its plan", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         s.Call(PutPrepared{"1-a", 0, 1, "r"});
         s.Call(PutPrepared{"1-a", 1, 1, "r"});
         return s.Call(s.Commit(1, "D1"));
       }},
      {"a commit names the plan's digest", StoreCode::kRefused,
       [](Scene& s) {
         s.Prepare();
         return s.Call(s.Commit(1, "DX"));
       }},
      {"only the leader commits", StoreCode::kStale,
       [](Scene& s) {
         s.Prepare();
         CommitBatch c = s.Commit(1, "D1");
         c.lease = Other(s.lease);
         return s.Call(c);
       }},
      {"a batch commits once", StoreCode::kRefused,
       [](Scene& s) {
         s.Prepare();
         s.Call(s.Commit(1, "D1"));
         return s.Call(s.Commit(1, "D1"));
       }},
      {"a plan is amended while fencing only", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         s.Call(s.Plan(1, "", "D1"));
         return s.Call(AmendPlan{s.lease, "1-a", {1, "DA", "spec", "amended"}});
       }},
      {"a batch whose delivery began is not amended", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         s.Call(s.Plan(1, "", "D1"));
         s.Call(BeginDelivery{s.lease, "1-a", 1});
         s.Call(NewGeneration{s.lease, {}, 3, Later(s.generation, 2)});
         s.Call(MarkReady{"2-b", 0, {}});
         s.Call(MarkReady{"2-b", 1, {}});
         return s.Call(AmendPlan{s.lease, "2-b", {1, "DA", "spec", "amended"}});
       }},
      {"reports of an older commit are gone", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         return s.Call(ReadReports{"1-a", 1});
       }},
  };
}

std::string CheckSteps(const std::vector<Step>& steps,
                       const std::function<std::unique_ptr<JobStore>()>& make) {
  for (const Step& step : steps) {
    Scene scene(make());
    const StoreCode code = step.run(scene);
    if (code == step.want) continue;
    return std::string(step.name) + ": got " + std::string(StoreCodeName(code)) + " (" +
           scene.last().detail + "), want " + std::string(StoreCodeName(step.want));
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
  for (const auto& steps : {LeaseSteps(), GenerationSteps(), BatchSteps()}) {
    if (std::string difference = CheckSteps(steps, make); !difference.empty()) return difference;
  }
  if (std::string difference = CheckSpecs(Scene(make())); !difference.empty()) return difference;
  return CheckHistory(Scene(make()));
}

}  // namespace millrace::worker
