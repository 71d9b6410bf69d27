#pragma once

#include <stop_token>
#include <string>

#include "operator/controller/observer.h"
#include "operator/controller/pending_writes.h"
#include "operator/kube/client.h"
#include "operator/reconcile/plan.h"

namespace millrace::controller {

// Carries out what a pass decided: the actions in their order, then the status. Stops at the first
// error, so that the next pass sees and decides anew. An object that exists is written only under
// the uid and version that were observed, so that who decided on old facts writes nothing; one that
// does not exist only where nobody else has made it meanwhile.
// Thread-safe.
class Executor {
 public:
  Executor(Client* client, PendingWrites* pending, const Clock* clock)
      : client_(client), pending_(pending), clock_(clock) {}

  // kConflict: somebody else wrote; observe again. Blocks on the API server.
  Status CarryOut(const Observed& observed, const Plan& plan, std::stop_token stop);

 private:
  struct Pass;  // one call of CarryOut
  Status CarryOut(const Action& action, Pass* pass);
  Status Apply(const Object& object, Pass* pass);
  Status Delete(const Action& action, Pass* pass);
  Status SetFinalizer(bool wanted, Pass* pass);
  Status WriteStatus(const Plan& plan, Pass* pass);

  Client* client_;
  PendingWrites* pending_;
  const Clock* clock_;
};

// `json` with uid and resourceVersion in its metadata. Pure. Requires: made by MakeObject.
std::string Bound(const std::string& json, const std::string& uid, const std::string& version);
// The body of a server-side apply of the status, bound to one version of the job. Pure.
std::string StatusBody(const api::ObjectMeta& job, const std::string& resource_version,
                       const Plan& plan);

}  // namespace millrace::controller
