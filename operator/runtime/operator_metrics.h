#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "operator/controller/controller.h"

namespace millrace::controller {

// One line of the table of metrics in docs/operator.md.
struct OperatorMetric {
  const char* name;
  const char* kind;    // counter, gauge or histogram
  const char* labels;  // comma separated
  const char* help;
};
const std::vector<OperatorMetric>& OperatorMetricCatalogue();

// The operator's metrics under the names that controller-runtime has given them, so that dashboards
// for other operators show this one too. All series are there from the start, at zero; labels have
// a bounded set of values. Thread-safe.
class OperatorMetrics final : public ControllerListener {
 public:
  // `host` is the API server's, `lease` the name of the Lease, `workers` the number of threads.
  OperatorMetrics(const std::string& host, const std::string& lease, int workers);
  ~OperatorMetrics() override;

  void OnAdd() override;
  void OnRetry() override;
  void OnTake(Duration waited) override;
  void OnPass(PassOutcome outcome, Duration took) override;
  // An answer of the API server; code 0: none came.
  void OnAnswer(const std::string& method, int code, Duration took);

  // The text exposition, with what holds now.
  std::string Text(const ControllerState& state, bool leading);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::controller
