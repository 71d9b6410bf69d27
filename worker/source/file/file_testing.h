#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "worker/source/file/file_source.h"
#include "worker/source/source_testing.h"

namespace millrace::worker::testing {

inline api::FileSource Spec(const std::string& path) {
  api::FileSource spec;
  spec.path = path;
  return spec;
}

inline std::unique_ptr<FileSource> Started(const api::FileSource& spec,
                                           FileReaderOptions options = {},
                                           const SourcePosition& position = {}) {
  auto source = std::make_unique<FileSource>(spec, options);
  const Status status = source->Start(position);
  EXPECT_TRUE(status.ok()) << status;
  return source;
}

}  // namespace millrace::worker::testing
