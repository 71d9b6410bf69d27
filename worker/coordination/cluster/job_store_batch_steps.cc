#include "worker/coordination/cluster/job_store_scene.h"

namespace millrace::worker {

std::vector<StoreStep> BatchSteps() {
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
      {"a plan is of the generation's spec", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         AppendPlan p = s.Plan(1, "", "D1");
         p.plan.spec_hash = "other";
         return s.Call(p);
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
         s.Doubt();
         return s.Call(s.Plan(1, "", "D1"));
       }},
      {"delivery waits for the commit before", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         return s.Call(BeginDelivery{s.lease, "1-a", 2});
       }},
      {"only the leader begins delivery", StoreCode::kStale,
       [](Scene& s) {
         s.Open();
         return s.Call(BeginDelivery{Other(s.lease), "1-a", 1});
       }},
      {"only the current generation delivers", StoreCode::kNotCurrent,
       [](Scene& s) {
         s.Open();
         s.Call(NewGeneration{s.lease, {}, 3, Later(s.generation, 2)});
         return s.Call(BeginDelivery{s.lease, "1-a", 1});
       }},
      {"nothing is delivered before Open", StoreCode::kRefused,
       [](Scene& s) {
         s.Fence();
         return s.Call(BeginDelivery{s.lease, "1-a", 1});
       }},
      {"nothing is delivered under doubt", StoreCode::kSuspect,
       [](Scene& s) {
         s.Open();
         s.Doubt();
         return s.Call(BeginDelivery{s.lease, "1-a", 1});
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
      {"nothing is reported before Open", StoreCode::kRefused,
       [](Scene& s) {
         s.Fence();
         return s.Call(PutPrepared{"1-a", 0, 1, "r"});
       }},
      {"nothing is reported under doubt", StoreCode::kSuspect,
       [](Scene& s) {
         s.Open();
         s.Doubt();
         return s.Call(PutPrepared{"1-a", 0, 1, "r"});
       }},
      {"a report of a replaced generation comes too late", StoreCode::kNotCurrent,
       [](Scene& s) {
         s.Open();
         s.Call(NewGeneration{s.lease, {}, 3, Later(s.generation, 2)});
         return s.Call(PutPrepared{"1-a", 0, 1, "r"});
       }},
      {"no slot has a number below none", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         return s.Call(PutPrepared{"1-a", -1, 1, "r"});
       }},
  };
}

}  // namespace millrace::worker
