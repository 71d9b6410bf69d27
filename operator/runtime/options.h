#pragma once

#include <string>
#include <vector>

#include "crds/base/clock.h"
#include "crds/base/log.h"

namespace millrace::controller {

// The command line of millrace-operator.
struct OperatorOptions {
  std::vector<std::string> watch_namespaces;  // empty: all
  std::string image;
  std::string kubeconfig;  // empty: in-cluster
  std::string context;
  bool dry_run = false;
  bool leader_elect = true;
  std::string lease_name = "millrace-operator";
  std::string lease_namespace;  // empty: of the pod or context
  std::string metrics_address = "0.0.0.0:8080";
  int workers = 4;
  Duration progress_interval = std::chrono::seconds(10);
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kJson;
};

// Reads the command line. Returns the code to exit with, or -1 to go on; prints help, version and
// mistakes itself. Never throws.
int ParseOptions(int argc, char** argv, OperatorOptions* options);

}  // namespace millrace::controller
