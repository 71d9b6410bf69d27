#include "operator/runtime/options.h"

#include <CLI/CLI.hpp>
#include <map>

#include "crds/base/text.h"

namespace millrace::controller {
namespace {

constexpr int kExitUsage = 2;

std::string CheckDuration(const std::string& text) {
  const Result<Duration> duration = ParseDuration(text);
  if (!duration.ok()) return duration.status().message();
  return *duration >= std::chrono::milliseconds(100) ? "" : "must be at least 100ms";
}

}  // namespace

int ParseOptions(int argc, char** argv, OperatorOptions* options) {
  CLI::App app("Runs StreamingJobs of a Kubernetes cluster.", "millrace-operator");
  std::string interval = FormatDuration(options->progress_interval);
  app.set_version_flag("--version", MILLRACE_VERSION);
  app.add_option("--watch-namespaces", options->watch_namespaces,
                 "Namespaces of jobs, comma separated; all when left out")
      ->delimiter(',');
  app.add_option("--image", options->image, "Image of workers whose job names none")->required();
  app.add_option("--kubeconfig", options->kubeconfig,
                 "Reach the cluster by this file; the pod's own account when left out");
  app.add_option("--context", options->context, "Context of the kubeconfig");
  app.add_flag("--dry-run", options->dry_run, "Plan and log, change nothing");
  app.add_flag("--leader-elect,!--no-leader-elect", options->leader_elect,
               "Act only while holding the Lease (default: on)");
  app.add_option("--lease-name", options->lease_name, "Name of the Lease")->capture_default_str();
  app.add_option("--lease-namespace", options->lease_namespace,
                 "Namespace of the Lease; that of the pod or context when left out");
  app.add_option("--metrics-address", options->metrics_address,
                 "HOST:PORT of /metrics, /healthz and /readyz; empty: none")
      ->capture_default_str();
  app.add_option("--workers", options->workers, "Jobs looked after at the same time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--progress-interval", interval, "How often workers are asked how far they are")
      ->check(CheckDuration)
      ->capture_default_str();
  const std::map<std::string, LogLevel> levels = {{"debug", LogLevel::kDebug},
                                                  {"info", LogLevel::kInfo},
                                                  {"warn", LogLevel::kWarn},
                                                  {"error", LogLevel::kError}};
  app.add_option("--log-level", options->log_level, "debug, info, warn or error")
      ->transform(CLI::CheckedTransformer(levels, CLI::ignore_case));
  const std::map<std::string, LogFormat> formats = {{"json", LogFormat::kJson},
                                                    {"text", LogFormat::kText}};
  app.add_option("--log-format", options->log_format, "json or text")
      ->transform(CLI::CheckedTransformer(formats, CLI::ignore_case));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "millrace-operator: %s\n", error.what());
    return kExitUsage;
  }
  options->progress_interval = ParseDuration(interval).value();
  return -1;
}

}  // namespace millrace::controller
