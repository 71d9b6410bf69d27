#pragma once

#include <string_view>

#include "crds/api/diagnostic.h"

// How findings of several passes over one manifest become one list. Pure.
namespace millrace::api {

// True when `path` is `outer` or lies inside it.
bool IsWithin(std::string_view path, std::string_view outer);

// Adds those of `found` that say something new: a value that is blamed already is not blamed again,
// and rules about a value that could not be read (`shape_errors`), or that contains such a value,
// stay silent.
void AddFindings(Diagnostics found, const Diagnostics& shape_errors, Diagnostics* out);

// Into the order of the manifest; findings about one value keep their order.
void SortByPlace(const SourceMap& positions, Diagnostics* diagnostics);

}  // namespace millrace::api
