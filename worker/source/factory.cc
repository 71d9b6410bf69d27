#include "worker/source/factory.h"

#include <unistd.h>

#include "crds/base/overloaded.h"
#include "worker/source/file/file_source.h"
#include "worker/source/generator/generator_source.h"
#include "worker/source/http/http_source.h"
#include "worker/source/kafka/kafka_source.h"
#include "worker/source/socket/socket_source.h"
#include "worker/source/stdin/stdin_source.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kPathField = "__path";
constexpr std::string_view kLineField = "__line";

bool HasHeader(const api::Source& source) {
  const auto* csv = source.format ? std::get_if<api::CsvFormat>(&*source.format) : nullptr;
  return csv != nullptr && csv->header;
}

// Rules of a source kind that its own fields cannot show. Returns false when one is broken.
bool CheckKind(const api::Source& source, api::Diagnostics* diagnostics, const std::string& path) {
  const size_t before = diagnostics->size();
  const bool is_file = std::holds_alternative<api::FileSource>(source.kind);
  const bool is_stdin = std::holds_alternative<api::StdinSource>(source.kind);
  if (HasHeader(source) && !is_file && !is_stdin) {
    api::AddError(diagnostics, path + ".format.csv.header",
                  "records that arrive one by one have no header line; give columns instead");
  }
  if (const auto* file = std::get_if<api::FileSource>(&source.kind)) {
    if (const Status status = CheckSourcePath(file->path); !status.ok()) {
      api::AddError(diagnostics, path + ".file.path", status.message());
    }
    if (file->follow && !file->watch) {
      api::AddError(diagnostics, path + ".file.follow", "needs watch: true");
    }
    const bool packed = file->compression == api::Compression::kGzip ||
                        file->compression == api::Compression::kZstd;
    if (file->follow && packed) {
      api::AddError(diagnostics, path + ".file.follow", "compressed files cannot be followed");
    }
  }
  return diagnostics->size() == before;
}

FileReaderOptions ReadingOf(const api::Source& source, const SourceOptions& options,
                            Framing framing) {
  const auto wants = [&](std::string_view field) {
    return options.wanted == nullptr || options.wanted->Find(field) >= 0;
  };
  return {framing, HasHeader(source), wants(kPathField), wants(kLineField)};
}

}  // namespace

Result<Schema> SourceSchema(const api::Source& source, api::Diagnostics* diagnostics,
                            const std::string& path) {
  const bool sound = CheckKind(source, diagnostics, path);
  Result<Schema> schema = InvalidError("source " + source.name + " has no format");
  if (const auto* generator = std::get_if<api::GeneratorSource>(&source.kind)) {
    schema = GeneratorSchema(*generator, diagnostics, path + ".generator");
  } else if (source.format) {
    schema = DeclaredSchema(*source.format, diagnostics, path + ".format");
  }
  if (!schema.ok()) return schema;
  if (!sound) return InvalidError("source " + source.name + " breaks a rule of its kind");
  if (std::holds_alternative<api::FileSource>(source.kind)) {
    schema->Set({std::string(kPathField), Type(Kind::kString)});
    schema->Set({std::string(kLineField), Type(Kind::kInt)});
  }
  if (std::holds_alternative<api::KafkaSource>(source.kind)) KafkaHiddenFields::AddTo(&*schema);
  return schema;
}

Result<std::unique_ptr<Source>> MakeSource(const api::Source& spec, const SourceOptions& options) {
  using Made = Result<std::unique_ptr<Source>>;
  const Framing framing = spec.format ? FramingOf(*spec.format) : Framing::kLines;
  return std::visit(Overloaded{[&](const api::FileSource& file) -> Made {
                                 return std::unique_ptr<Source>(std::make_unique<FileSource>(
                                     file, ReadingOf(spec, options, framing)));
                               },
                               [&](const api::SocketSource& socket) -> Made {
                                 return std::unique_ptr<Source>(std::make_unique<SocketSource>(
                                     spec.name, socket, framing, options));
                               },
                               [&](const api::HttpSource& http) -> Made {
                                 return std::unique_ptr<Source>(std::make_unique<HttpSource>(
                                     spec.name, http, framing, options));
                               },
                               [&](const api::GeneratorSource& generator) -> Made {
                                 return GeneratorSource::Create(spec.name, generator, options);
                               },
                               [&](const api::StdinSource&) -> Made {
                                 return std::unique_ptr<Source>(std::make_unique<StdinSource>(
                                     spec.name, STDIN_FILENO, framing, HasHeader(spec), options));
                               },
                               [&](const api::KafkaSource& kafka) -> Made {
                                 return KafkaSource::Create(spec.name, kafka, options);
                               }},
                    spec.kind);
}

}  // namespace millrace::worker
