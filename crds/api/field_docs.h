#pragma once

#include <span>
#include <string>
#include <vector>

namespace millrace::api {

// What the reference says about one field. `path` marks list elements with [] and entries of a map
// of objects with <name>: "spec.sources[].kafka.brokers".
struct FieldDoc {
  std::string path;
  std::string type = {};  // "list of host:port", "Fail, Skip or DeadLetter", "object", ...
  bool required = false;
  std::string default_text = {};  // empty where required
  std::string meaning = {};       // one sentence
  std::string example = {};       // YAML, may be empty
};

// Every field of a job in the order of the reference, taken from the same descriptions that read
// and write it. Thread-safe; lives as long as the process.
std::span<const FieldDoc> FieldDocs();

}  // namespace millrace::api
