#pragma once

#include <string>

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"

namespace millrace::api {

// Rules of formats, shared by sources, tables and sinks. `path` is that of the format (first two)
// or of its kind.
void CheckReadFormat(const Format& format, const std::string& path, Diagnostics* out);
void CheckWriteFormat(const Format& format, const std::string& path, Diagnostics* out);
void CheckColumns(const CsvFormat& format, const std::string& path, Diagnostics* out);
void CheckNames(const JsonFormat& format, const std::string& path, Diagnostics* out);
void CheckGroups(const RegexFormat& format, const std::string& path, Diagnostics* out);

}  // namespace millrace::api
