#include "worker/coordination/cluster/job_store_scene.h"

namespace millrace::worker {

std::vector<StoreStep> LeaseSteps() {
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

std::vector<StoreStep> GenerationSteps() {
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
      {"a generation goes on from the commit of its generation", StoreCode::kRefused,
       [](Scene& s) {
         s.Prepare();
         s.Call(s.Commit(1, "D1"));
         CommitHead seen = s.Facts().commit;
         seen.generation = "0-z";
         return s.Call(NewGeneration{s.lease, seen, 3, Later(s.generation, 2)});
       }},
      {"a new generation begins with nobody ready", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         s.Call(NewGeneration{s.lease, {}, 3, Later(s.generation, 2)});
         return s.Call(OpenGeneration{s.lease, {}, Later(s.generation, 2)});
       }},
      {"a replaced generation does not open", StoreCode::kNotCurrent,
       [](Scene& s) {
         s.Open();
         s.Refence();
         return s.Call(OpenGeneration{s.lease, {}, s.generation});
       }},
      {"a generation opens once", StoreCode::kRefused,
       [](Scene& s) {
         s.Open();
         return s.Call(OpenGeneration{s.lease, {}, s.generation});
       }},
      {"another doubt of the same batch must have been seen", StoreCode::kRefused,
       [](Scene& s) {
         s.Fence();
         s.Call(MarkReady{"1-a", 0, {4, "D4"}});
         s.Call(MarkReady{"1-a", 1, {}});
         return s.Call(OpenGeneration{s.lease, KnownCommit{4, "DX"}, s.generation});
       }},
      {"a doubt told with a beat must have been seen", StoreCode::kRefused,
       [](Scene& s) {
         s.Fence();
         s.Call(MarkReady{"1-a", 0, {}});
         s.Call(MarkReady{"1-a", 1, {}});
         s.Doubt();
         return s.Call(OpenGeneration{s.lease, {}, s.generation});
       }},
  };
}

}  // namespace millrace::worker
