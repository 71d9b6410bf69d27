#include "operator/runtime/leader_election.h"

#include "crds/base/log.h"
#include "crds/base/text.h"

namespace millrace::controller {
namespace {

const Resource kLeases{"coordination.k8s.io/v1", "leases"};
constexpr double kJitter = 0.2;
constexpr int64_t kReleasedSeconds = 1;

// The API takes microseconds with exactly six digits.
std::string MicroTime(TimePoint time) {
  std::string text = FormatRfc3339(time);
  text.pop_back();
  const size_t dot = text.find('.');
  if (dot == std::string::npos) return text + ".000000Z";
  return text + std::string(6 - (text.size() - dot - 1), '0') + "Z";
}

}  // namespace

LeaderElection::LeaderElection(Client* client, Clock* clock, LeaderElectionOptions options)
    : client_(client),
      clock_(clock),
      options_(std::move(options)),
      random_(std::hash<std::string>()(options_.identity)),
      seen_at_(clock->Monotonic()) {}

bool LeaderElection::leading() const {
  return clock_->Monotonic().time_since_epoch().count() < leads_until_;
}

std::string LeaderElection::Path() const { return ObjectPath(kLeases, options_.ns, options_.name); }

Status LeaderElection::Read(const std::stop_token& stop) {
  const Result<RawObject> object = client_->Get(Path(), stop);
  LeaseRecord lease;
  if (object.ok()) {
    ASSIGN_OR_RETURN(lease, ReadLease(*object));
  } else if (object.status().code() != StatusCode::kNotFound) {
    return object.status();
  }
  if (lease != seen_) seen_at_ = clock_->Monotonic();
  seen_ = lease;
  return OkStatus();
}

Status LeaderElection::Write(LeaseRecord next, const std::stop_token& stop) {
  const std::string body = WriteLease(options_.ns, options_.name, next);
  const Result<RawObject> written =
      next.resource_version.empty()
          ? client_->Create(CollectionPath(kLeases, options_.ns), body, stop)
          : client_->Replace(Path(), body, stop);
  RETURN_IF_ERROR(written.status());
  next.resource_version = written->resource_version;
  seen_ = std::move(next);
  seen_at_ = clock_->Monotonic();
  return OkStatus();
}

Status LeaderElection::Try(const std::stop_token& stop) {
  const MonotonicTime begun = clock_->Monotonic();
  RETURN_IF_ERROR(Read(stop));
  LeaseRecord next = seen_;
  next.duration_seconds = std::chrono::duration_cast<std::chrono::seconds>(options_.lease).count();
  next.renewed = MicroTime(clock_->Now());
  switch (Decide(seen_, options_.identity, begun - seen_at_)) {
    case LeaseMove::kWait:
      leads_until_ = 0;
      return UnavailableError("the lease is held by " + seen_.holder);
    case LeaseMove::kTake:
      next.acquired = next.renewed;
      next.transitions += seen_.resource_version.empty() ? 0 : 1;
      next.holder = options_.identity;
      break;
    case LeaseMove::kRenew:
      break;
  }
  RETURN_IF_ERROR(Write(std::move(next), stop));
  // From before the write: others count from after it.
  leads_until_ = (begun + options_.renew_deadline).time_since_epoch().count();
  return OkStatus();
}

void LeaderElection::Sleep(const std::stop_token& stop) {
  std::uniform_real_distribution<double> jitter(1, 1 + kJitter);
  clock_->SleepFor(std::chrono::duration_cast<Duration>(
                       std::chrono::duration<double, std::micro>(options_.retry) * jitter(random_)),
                   stop);
}

bool LeaderElection::Acquire(std::stop_token stop) {
  std::string waits_for;
  while (!stop.stop_requested()) {
    const Status status = Try(stop);
    if (status.ok()) return true;
    if (status.message() != waits_for)
      Log(LogLevel::kInfo, "not leading", {{"reason", status.message()}});
    waits_for = status.message();
    Sleep(stop);
  }
  return false;
}

bool LeaderElection::Hold(std::stop_token stop) {
  while (!stop.stop_requested()) {
    Sleep(stop);
    if (stop.stop_requested()) return true;
    if (!leading()) return false;
    const Status status = Try(stop);
    if (status.ok()) continue;
    if (stop.stop_requested()) return true;
    Log(LogLevel::kWarn, "lease not renewed", {{"error", status.ToString()}});
    if (!leading()) return false;
  }
  return true;
}

void LeaderElection::Release() {
  leads_until_ = 0;
  if (seen_.holder != options_.identity) return;
  LeaseRecord next = seen_;
  next.holder.clear();
  next.duration_seconds = kReleasedSeconds;
  next.renewed = MicroTime(clock_->Now());
  const Status status = Write(std::move(next), {});
  if (!status.ok()) Log(LogLevel::kWarn, "lease not released", {{"error", status.ToString()}});
}

}  // namespace millrace::controller
