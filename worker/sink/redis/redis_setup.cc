#include "worker/sink/redis/redis_setup.h"

#include <algorithm>

#include "crds/base/text.h"
#include "worker/data/format.h"
#include "worker/sink/redis/redis_sink.h"

namespace millrace::worker {
namespace {

constexpr size_t kMaxFields = 3000;  // of one HSET or XADD inside a script

using KeyType = api::RedisSink::Type;

bool WritesOneValue(KeyType type) {
  return type == KeyType::kString || type == KeyType::kList || type == KeyType::kSortedSet;
}

// Type-checks the expressions one by one. A null `diagnostics` drops the problems.
class ExpressionReader {
 public:
  ExpressionReader(const Schema& schema, api::Diagnostics* diagnostics, const std::string& path)
      : env_{schema, {}}, diagnostics_(diagnostics), path_(path) {}

  RedisExpressions Read(const api::RedisSink& redis) {
    RedisExpressions result;
    result.key = Read(redis.key_expr, ".keyExpr", {Kind::kString, Kind::kBytes});
    result.value = Read(redis.value_expr, ".valueExpr", {});
    result.score = Read(redis.score_expr, ".scoreExpr", {Kind::kDouble, Kind::kInt, Kind::kUint});
    result.delete_when = Read(redis.delete_when, ".deleteWhen", {Kind::kBool});
    return result;
  }

 private:
  // `kinds` empty: any value that has a text.
  ProgramRef Read(const std::optional<api::Expression>& text, const std::string& field,
                  const std::vector<Kind>& kinds) {
    if (!text) return nullptr;
    std::vector<ExprError> errors;
    const auto program = Program::Compile(*text, env_, &errors);
    for (const ExprError& error : errors) Error(field, error.message, error.offset);
    if (!program.ok()) {
      if (errors.empty()) Error(field, program.status().message());
      return nullptr;
    }
    const Kind kind = (*program)->type().kind();
    if (kinds.empty() ? kind != Kind::kNull
                      : std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) {
      return *program;
    }
    std::vector<std::string> names;
    for (const Kind wanted : kinds) names.push_back(Type(wanted).ToString());
    if (names.empty()) names.emplace_back("a value");
    Error(field,
          "must be " + Join(names, " or ") + ", but this is " + (*program)->type().ToString());
    return nullptr;
  }
  void Error(const std::string& field, std::string message, int offset = -1) {
    if (diagnostics_ != nullptr) {
      api::AddError(diagnostics_, path_ + field, std::move(message), offset);
    }
  }

  const ExprEnv env_;
  api::Diagnostics* diagnostics_;
  const std::string path_;
};

RedisSinkOptions OptionsOf(const api::RedisSink& redis, const api::Sink& spec,
                           const SinkOptions& options) {
  RedisSinkOptions sink;
  sink.job_id = options.job_id;
  sink.name = spec.name;
  sink.exactly_once = spec.delivery != api::Delivery::kAtLeastOnce;
  sink.durable = options.durable;
  sink.hash_tag = HashTagOf(redis.key_expr);
  sink.ttl = redis.ttl;
  sink.clock = options.clock;
  sink.stop = options.stop;
  return sink;
}

}  // namespace

std::optional<std::string> HashTagOf(std::string_view key_expr) {
  const std::string_view text = Trim(key_expr);
  if (text.empty() || (text[0] != '\'' && text[0] != '"')) return std::nullopt;
  const size_t end = text.find(text[0], 1);
  if (end == std::string_view::npos || end == 1) return std::nullopt;
  const std::string_view literal = text.substr(1, end - 1);
  if (literal.find('\\') != std::string_view::npos) return std::nullopt;
  const size_t open = literal.find('{');
  if (open == std::string_view::npos) return std::nullopt;
  const size_t close = literal.find('}', open);
  if (close == std::string_view::npos || close == open + 1) return std::nullopt;
  return std::string(literal.substr(open + 1, close - open - 1));
}

void CheckRedisSink(const api::RedisSink& redis, const api::Sink& spec, const Schema& schema, bool,
                    api::Diagnostics* diagnostics, const std::string& path) {
  ExpressionReader(schema, diagnostics, path + ".redis").Read(redis);
  if (spec.format && !WritesOneValue(redis.type)) {
    api::AddError(diagnostics, path + ".format",
                  "the types Hash and Stream write fields, not bytes; remove the format");
  }
  if (spec.format && redis.value_expr) {
    api::AddError(diagnostics, path + ".format", "the valueExpr says what is written; remove one");
  }
  const size_t fields = spec.fields ? spec.fields->size() : schema.VisibleNames().size();
  if (!WritesOneValue(redis.type) && fields > kMaxFields) {
    api::AddError(diagnostics, path + ".fields",
                  "one key takes at most " + std::to_string(kMaxFields) + " fields");
  }
}

std::vector<std::string> RedisSinkUses(const api::RedisSink& redis, const Schema& schema) {
  const RedisExpressions expressions = ExpressionReader(schema, nullptr, "").Read(redis);
  std::vector<std::string> names;
  for (const ProgramRef& program :
       {expressions.key, expressions.value, expressions.score, expressions.delete_when}) {
    if (program == nullptr) continue;
    for (const FieldUse& use : program->uses()) {
      if (!use.path.empty()) names.push_back(use.path.front());
    }
  }
  return names;
}

Result<std::unique_ptr<Sink>> MakeRedisSink(const api::RedisSink& redis, const api::Sink& spec,
                                            const SinkOptions& options) {
  const Projection projection(*options.schema, spec.fields);
  std::unique_ptr<Encoder> encoder;
  if (WritesOneValue(redis.type) && !redis.value_expr) {
    if (!spec.format) return InvalidError("give the sink a valueExpr or a format");
    ASSIGN_OR_RETURN(encoder, MakeEncoder(*spec.format, projection.schema()));
  }
  ASSIGN_OR_RETURN(auto client,
                   RedisClient::Create(RedisSettingsOf(redis.address, redis.auth, redis.tls,
                                                       options.secrets_directory),
                                       options.clock));
  RedisRowBuilder builder(redis.type, ExpressionReader(*options.schema, nullptr, "").Read(redis),
                          projection, std::move(encoder));
  return std::unique_ptr<Sink>(std::make_unique<RedisSink>(OptionsOf(redis, spec, options),
                                                           std::move(builder), std::move(client)));
}

}  // namespace millrace::worker
