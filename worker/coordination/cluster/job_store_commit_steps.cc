#include "worker/coordination/cluster/job_store_scene.h"

namespace millrace::worker {
namespace {

// Every request but Init and those that must be answered always.
std::vector<std::pair<std::string, StoreRequest>> Requests(const Scene& s) {
  const Generation next = Later(s.generation, 2);
  return {{"acquire", AcquireLease{"token", 0, "t", "b", "b", 3}},
          {"renew", RenewLease{s.lease}},
          {"release", ReleaseLease{s.lease}},
          {"halt", HaltJob{s.lease, "again"}},
          {"new generation", NewGeneration{s.lease, {}, 3, next}},
          {"ready", MarkReady{"1-a", 0, {}}},
          {"open", OpenGeneration{s.lease, {}, s.generation}},
          {"plan", s.Plan(2, "D1", "D2")},
          {"deliver", BeginDelivery{s.lease, "1-a", 1}},
          {"amend", AmendPlan{s.lease, "1-a", {1, "DA", "spec", "amended"}}},
          {"prepared", PutPrepared{"1-a", 0, 1, "r"}},
          {"commit", s.Commit(1, "D1")}};
}

}  // namespace

std::vector<StoreStep> CommitSteps() {
  return {
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
      {"only the current generation commits", StoreCode::kNotCurrent,
       [](Scene& s) {
         s.Prepare();
         s.Call(NewGeneration{s.lease, {}, 3, Later(s.generation, 2)});
         return s.Call(s.Commit(1, "D1"));
       }},
      {"nothing is committed before Open", StoreCode::kRefused,
       [](Scene& s) {
         s.Prepare();
         s.Refence();
         CommitBatch c = s.Commit(1, "D1");
         c.generation = "2-b";
         return s.Call(c);
       }},
      {"reports of another generation do not count", StoreCode::kRefused,
       [](Scene& s) {
         s.Prepare();
         s.Reopen();
         CommitBatch c = s.Commit(1, "D1");
         c.generation = "2-b";
         return s.Call(c);
       }},
      {"nothing is committed under doubt", StoreCode::kSuspect,
       [](Scene& s) {
         s.Prepare();
         s.Doubt();
         return s.Call(s.Commit(1, "D1"));
       }},
      {"a batch that commits again hears why it is refused", StoreCode::kOk,
       [](Scene& s) {
         s.Prepare();
         s.Call(s.Commit(1, "D1"));
         s.Call(s.Commit(1, "D1"));
         return s.last().detail == "commit does not precede" ? StoreCode::kOk : s.last().code;
       }},
      {"a batch without a plan hears why it is refused", StoreCode::kOk,
       [](Scene& s) {
         s.Open();
         s.Call(s.Commit(1, "D1"));
         return s.last().detail == "no plan" ? StoreCode::kOk : s.last().code;
       }},
      {"batches commit in order", StoreCode::kRefused,
       [](Scene& s) {
         s.Prepare();
         s.Call(s.Plan(2, "D1", "D2"));
         return s.Call(s.Commit(2, "D2"));
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
         s.Refence();
         return s.Call(AmendPlan{s.lease, "2-b", {1, "DA", "spec", "amended"}});
       }},
      {"a plan is amended once all are ready", StoreCode::kOk,
       [](Scene& s) {
         s.Open();
         s.Call(s.Plan(1, "", "D1"));
         s.Call(s.Plan(2, "D1", "D2"));
         s.Refence();
         const StoreCode code = s.Call(AmendPlan{s.lease, "2-b", {1, "DA", "spec", "amended"}});
         const JobFacts facts = s.Facts();
         const bool right = facts.plans.size() == 1 && facts.plans[0].bytes == "amended";
         return right ? code : StoreCode::kLost;
       }},
      {"a plan is taken back once all are ready", StoreCode::kOk,
       [](Scene& s) {
         s.Open();
         s.Call(s.Plan(1, "", "D1"));
         s.Refence();
         const StoreCode code = s.Call(AmendPlan{s.lease, "2-b", {1, "", "", ""}});
         return s.Facts().plans.empty() ? code : StoreCode::kLost;
       }},
      {"a plan is not amended before all are ready", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         s.Call(s.Plan(1, "", "D1"));
         s.Call(NewGeneration{s.lease, {}, 3, Later(s.generation, 2)});
         s.Call(MarkReady{"2-b", 0, {}});
         return s.Call(AmendPlan{s.lease, "2-b", {1, "DA", "spec", "amended"}});
       }},
      {"only the leader amends", StoreCode::kStale,
       [](Scene& s) {
         s.Open();
         s.Call(s.Plan(1, "", "D1"));
         s.Refence();
         return s.Call(AmendPlan{Other(s.lease), "2-b", {1, "DA", "spec", "amended"}});
       }},
      {"only the current generation amends", StoreCode::kNotCurrent,
       [](Scene& s) {
         s.Open();
         s.Call(s.Plan(1, "", "D1"));
         s.Refence();
         return s.Call(AmendPlan{s.lease, "1-a", {1, "DA", "spec", "amended"}});
       }},
      {"only the next batch is amended", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         s.Call(s.Plan(1, "", "D1"));
         s.Call(s.Plan(2, "D1", "D2"));
         s.Refence();
         return s.Call(AmendPlan{s.lease, "2-b", {2, "DA", "spec", "amended"}});
       }},
      {"reports of an older commit are gone", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         return s.Call(ReadReports{"1-a", 1});
       }},
      {"reports of another batch are not read", StoreCode::kRefused,
       [](Scene& s) {
         s.Prepare();
         s.Call(s.Commit(1, "D1"));
         return s.Call(ReadReports{"1-a", 2});
       }},
      {"reports of another generation are not read", StoreCode::kRefused,
       [](Scene& s) {
         s.Prepare();
         s.Call(s.Commit(1, "D1"));
         return s.Call(ReadReports{"2-b", 1});
       }},
  };
}

std::vector<StoreStep> HaltSteps() {
  std::vector<StoreStep> steps;
  const auto requests = Requests(Scene(nullptr));
  for (size_t i = 0; i < requests.size(); ++i) {
    const std::string& name = requests[i].first;
    steps.push_back({name + " of a halted job", StoreCode::kHalted, [i](Scene& s) {
                       s.Prepare();
                       s.Call(HaltJob{s.lease, "StateLost: why"});
                       return s.Call(Requests(s)[i].second);
                     }});
    steps.push_back({name + " of a job that is not there", StoreCode::kLost,
                     [i](Scene& s) { return s.Call(Requests(s)[i].second); }});
  }
  steps.push_back({"a beat of a job that is not there", StoreCode::kLost, [](Scene& s) {
                     return s.Call(BeatMember{"b", {}, {}, false});
                   }});
  steps.push_back({"a member's doubt makes no job", StoreCode::kLost, [](Scene& s) {
                     s.Call(MarkReady{"1-a", 0, {4, "D4"}});
                     s.Call(BeatMember{"b", {}, {4, "D4"}, false});
                     return s.Call(ReadJob{});
                   }});
  steps.push_back({"offsets of a job that is not there", StoreCode::kLost,
                   [](Scene& s) { return s.Call(ReadOffsets{}); }});
  steps.push_back({"reports of a job that is not there", StoreCode::kLost, [](Scene& s) {
                     return s.Call(ReadReports{"1-a", 1});
                   }});
  return steps;
}

}  // namespace millrace::worker
