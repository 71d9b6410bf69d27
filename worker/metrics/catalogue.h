#pragma once

#include <span>
#include <string>
#include <string_view>

namespace millrace::worker {

enum class MetricType { kCounter, kGauge, kHistogram };

// One metric of the catalogue: the only place where names, labels and meanings stand.
// docs/metrics.md is generated from it.
struct Metric {
  const char* name;
  MetricType type;
  const char* labels;  // besides namespace and job; comma-separated, "" for none
  const char* help;
};

// Every metric that a worker exports, in the order of the documentation.
std::span<const Metric> MetricCatalogue();
// Requires: the name is in the catalogue.
const Metric& FindMetric(const std::string& name);
// Text from outside (a job's name, a topic) as the value of a label: one short line of UTF-8.
std::string LabelValue(std::string_view text);
// The catalogue as a Markdown table.
std::string MetricsMarkdown();

}  // namespace millrace::worker
