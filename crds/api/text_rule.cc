#include "crds/api/text_rule.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "crds/api/metadata_host.h"
#include "crds/base/text.h"

namespace millrace::api {
namespace {

constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kAlphanumeric =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

std::string Quoted(std::string_view text) { return "\"" + Excerpt(text) + "\""; }

bool OnlyOf(std::string_view text, std::string_view extra) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return kAlphanumeric.find(c) != std::string_view::npos ||
           extra.find(c) != std::string_view::npos;
  });
}

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

Status Any(std::string_view) { return OkStatus(); }

Status NonEmpty(std::string_view text) {
  return text.empty() ? InvalidError("must not be empty") : OkStatus();
}

// Reserved by CEL's grammar; none can name a field or a stream that expressions read.
constexpr std::array<std::string_view, 20> kReservedWords{
    "as", "break", "const", "continue",  "else", "false",   "for",    "function", "if",  "import",
    "in", "let",   "loop",  "namespace", "null", "package", "return", "true",     "var", "while"};

Status CheckName(std::string_view text) {
  constexpr size_t kMaxName = 63;
  if (text.empty() || !IsLetter(text.front()) || !OnlyOf(text, "_") || text.size() > kMaxName) {
    return InvalidError(
        Quoted(text) +
        " is not a name; use a letter and then letters, digits or _, at most 63 characters");
  }
  if (std::find(kReservedWords.begin(), kReservedWords.end(), text) != kReservedWords.end() ||
      text == "void") {
    return InvalidError(Quoted(text) +
                        " is a reserved word of the expression language; choose another name");
  }
  return OkStatus();
}

Status CheckFieldReference(std::string_view text) {
  return CheckName(text.starts_with("__") ? text.substr(2) : text);
}

Status CheckReference(std::string_view text) {
  return text.empty() ? InvalidError("a name is missing") : OkStatus();
}

bool IsDnsLabel(std::string_view text) {
  return !text.empty() && text.size() <= 63 && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return kLower.find(c) != std::string_view::npos || (c >= '0' && c <= '9') || c == '-';
         });
}

Status CheckObjectName(std::string_view text) {
  if (IsDnsLabel(text)) return OkStatus();
  return InvalidError(
      Quoted(text) +
      " is not a DNS-1123 label; use lower-case letters, digits and - between them, at most "
      "63 characters");
}

Status CheckKubernetesName(std::string_view text) {
  const std::vector<std::string_view> labels = Split(text, '.');
  if (text.size() <= 253 && std::all_of(labels.begin(), labels.end(), IsDnsLabel))
    return OkStatus();
  return InvalidError(
      Quoted(text) +
      " is not a DNS-1123 name; use lower-case letters, digits, - and . between them, at "
      "most 253 characters");
}

Status CheckSecretKey(std::string_view text) {
  if (!text.empty() && text.size() <= 253 && text != "." && text != ".." && OnlyOf(text, "-_."))
    return OkStatus();
  return InvalidError(Quoted(text) + " is not a key; use letters, digits, -, _ and .");
}

Status CheckExpression(std::string_view text) {
  return Trim(text).empty() ? InvalidError("the expression is empty") : OkStatus();
}

Status CheckType(std::string_view text) {
  return Trim(text).empty()
             ? InvalidError("a type is missing; use for example string, int or list<string>")
             : OkStatus();
}

Status CheckRegex(std::string_view text) {
  RE2::Options options;
  options.set_log_errors(false);
  const RE2 regex(re2::StringPiece(text.data(), text.size()), options);
  if (!text.empty() && regex.ok()) return OkStatus();
  return InvalidError("not a regular expression (RE2): " +
                      (text.empty() ? std::string("it is empty") : regex.error()));
}

Status RefuseCredentials(std::string_view address) {
  if (address.find('@') == std::string_view::npos) return OkStatus();
  return InvalidError("the address holds credentials; put them into a Secret");
}

Status CheckHost(std::string_view text) {
  RETURN_IF_ERROR(RefuseCredentials(text));
  const bool ip6 = text.size() > 4 && text.front() == '[' && text.back() == ']' &&
                   text.find_first_not_of("0123456789abcdefABCDEF:.", 1) == text.size() - 1;
  if (ip6 || (!text.empty() && text.size() <= 253 && text.front() != '.' && OnlyOf(text, "-._")))
    return OkStatus();
  return InvalidError(Quoted(text) + " is not a host name; IPv6 addresses stand in brackets");
}

Status CheckHostPort(std::string_view text) {
  RETURN_IF_ERROR(RefuseCredentials(text));
  const std::string want = "; use host:port, for example kafka:9092 or [::1]:9092";
  if (text.find("://") != std::string_view::npos) {
    return InvalidError(Quoted(text) + " is a URL, not an address" + want);
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return InvalidError(Quoted(text) + " has no port" + want);
  const std::string_view port = text.substr(colon + 1);
  const std::string_view host = text.substr(0, colon);
  if (!CheckHost(host).ok()) return InvalidError(Quoted(text) + " has no valid host" + want);
  const bool digits = !port.empty() && port.size() <= 5 &&
                      port.find_first_not_of("0123456789") == std::string_view::npos;
  const int number = digits ? std::stoi(std::string(port)) : 0;
  if (number >= 1 && number <= 65535) return OkStatus();
  return InvalidError(Quoted(text) + " has a port outside 1 to 65535" + want);
}

Status CheckTopic(std::string_view text) {
  if (!text.empty() && text.size() <= 249 && text != "." && text != ".." && OnlyOf(text, "._-"))
    return OkStatus();
  return InvalidError(
      Quoted(text) +
      " is not a Kafka topic; use letters, digits, ., _ and -, at most 249 characters");
}

Status CheckTopicPartition(std::string_view text) {
  const size_t slash = text.rfind('/');
  if (slash != std::string_view::npos && CheckTopic(text.substr(0, slash)).ok()) {
    const std::string_view partition = text.substr(slash + 1);
    if (!partition.empty() && partition.size() < 10 &&
        partition.find_first_not_of("0123456789") == std::string_view::npos) {
      return OkStatus();
    }
  }
  return InvalidError(Quoted(text) + " is not topic/partition, for example lines/0");
}

Status CheckOffset(std::string_view text) {
  if (!text.empty() && text.size() <= 18 &&
      text.find_first_not_of("0123456789") == std::string_view::npos) {
    return OkStatus();
  }
  return InvalidError("expected an offset, an integer of at least 0, found " + Excerpt(text));
}

Status CheckPath(std::string_view text) {
  if (text.empty()) return InvalidError("a path is missing");
  for (const std::string_view part : Split(text, '/')) {
    if (part == "..")
      return InvalidError(Quoted(text) +
                          " leaves its folder with \"..\"; write the path without it");
  }
  for (const std::string_view special : {"/dev/", "/proc/", "/sys/"}) {
    if (text.starts_with(special) && !text.starts_with("/dev/shm/")) {
      return InvalidError(Quoted(text) +
                          " is no place for data; use a regular folder or a mounted volume");
    }
  }
  return OkStatus();
}

Status CheckSubpath(std::string_view text) {
  if (text.starts_with('/') && text.find_first_of(" ?#") == std::string_view::npos)
    return OkStatus();
  return InvalidError(Quoted(text) + " is not a path of a URL; it begins with / and has no query");
}

Status CheckHeaderName(std::string_view text) {
  if (!text.empty() && OnlyOf(text, "!#$%&'*+-.^_`|~")) return OkStatus();
  return InvalidError(Quoted(text) + " is not a header name");
}

Status CheckImage(std::string_view text) {
  if (text.empty() || !OnlyOf(text, "-._/:@")) {
    return InvalidError(Quoted(text) + " is not an image name; use registry/name:tag");
  }
  const size_t slash = text.rfind('/');
  const std::string_view last = text.substr(slash == std::string_view::npos ? 0 : slash + 1);
  if (last.ends_with(":latest"))
    return InvalidError("the tag latest changes under a running job; name a version or digest");
  return OkStatus();
}

Status CheckQuantity(std::string_view text) { return ParseQuantityMilli(text).status(); }

Status CheckResourceName(std::string_view text) {
  if (text == "cpu" || text == "memory" || text == "ephemeral-storage") return OkStatus();
  return InvalidError("unknown resource " + Quoted(text) +
                      "; known are cpu, memory and ephemeral-storage");
}

Status CheckSqlName(std::string_view text) {
  const std::vector<std::string_view> parts = Split(text, '.');
  const bool good =
      parts.size() <= 3 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
        return !part.empty() && part.size() <= 63 && OnlyOf(part, "_");
      });
  return good ? OkStatus()
              : InvalidError(Quoted(text) +
                             " is not a table name; use letters, digits and _, with . between "
                             "schema and table");
}

Status CheckIndexName(std::string_view text) {
  const bool good = !text.empty() && text.size() <= 255 && text != "." && text != ".." &&
                    std::string_view("-_+").find(text.front()) == std::string_view::npos &&
                    OnlyOf(text, "-_+.") && ToLowerAscii(text) == text;
  return good ? OkStatus()
              : InvalidError(Quoted(text) +
                             " is not an index name; use lower-case letters, digits, -, _ and .");
}

// The host in `url` behind `scheme`://, or an error that does not repeat a password.
Status CheckUrl(std::string_view url, std::span<const std::string_view> schemes,
                std::string_view example) {
  const size_t mark = url.find("://");
  const std::string_view scheme = url.substr(0, mark == std::string_view::npos ? 0 : mark);
  const std::string_view rest = mark == std::string_view::npos ? url : url.substr(mark + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos) {
    return InvalidError(
        "the URL holds credentials; put them into a Secret and name it with auth: {secretName: "
        "...}");
  }
  if (std::find(schemes.begin(), schemes.end(), scheme) == schemes.end()) {
    return InvalidError(Quoted(url) + " is not a URL for this field; use for example " +
                        std::string(example));
  }
  if (rest.find(' ') != std::string_view::npos) return InvalidError(Quoted(url) + " has a space");
  const size_t colon = authority.ends_with(']') ? std::string_view::npos : authority.rfind(':');
  const std::string_view host = authority.substr(0, colon);
  if (IsMetadataHost(host)) {
    return InvalidError(
        Quoted(host) +
        " is where clouds serve metadata and credentials; a job must not talk to it");
  }
  if (colon != std::string_view::npos) return CheckHostPort(authority);
  return CheckHost(host);
}

Status CheckHttpUrl(std::string_view text) {
  constexpr std::array<std::string_view, 2> kSchemes{"http", "https"};
  return CheckUrl(text, kSchemes, "https://host:8080/path");
}

Status CheckSqlUrl(std::string_view text) {
  constexpr std::array<std::string_view, 2> kSchemes{"postgresql", "mysql"};
  return CheckUrl(text, kSchemes, "postgresql://host:5432/database or mysql://host:3306/database");
}

}  // namespace

Status CheckKafkaProperty(std::string_view text);

Status CheckLength(std::string_view text, size_t max_length) {
  if (max_length == 0 || text.size() <= max_length) return OkStatus();
  return InvalidError("must have at most " + std::to_string(max_length) + " characters, found " +
                      std::to_string(text.size()));
}

namespace {
constexpr auto kString = TextRule::Plain::kStringOnly;
constexpr size_t kMaxText = 65536;            // names of types, queries, patterns
constexpr size_t kMaxExpression = 100 << 10;  // what the parser takes
}  // namespace

const TextRule kAnyText{"string", Any};
const TextRule kNonEmptyText{
    "string", NonEmpty, kString, {.min_length = 1, .max_length = kMaxText}};
const TextRule kName{"name",
                     CheckName,
                     kString,
                     {.pattern = "^[a-zA-Z][a-zA-Z0-9_]*$", .min_length = 1, .max_length = 63}};
const TextRule kReference{
    "name", CheckReference, kString, {.min_length = 1, .max_length = 63}};  // as a name
const TextRule kFieldReference{
    "field",
    CheckFieldReference,
    kString,
    {.pattern = "^(__)?[a-zA-Z][a-zA-Z0-9_]*$", .min_length = 1, .max_length = 65}};
const TextRule kObjectName{
    "DNS-1123 label",
    CheckObjectName,
    kString,
    {.pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", .min_length = 1, .max_length = 63}};
const TextRule kKubernetesName{"DNS-1123 name",
                               CheckKubernetesName,
                               kString,
                               {.pattern = "^[-.a-z0-9]+$", .min_length = 1, .max_length = 253}};
const TextRule kSecretKey{"key",
                          CheckSecretKey,
                          kString,
                          {.pattern = "^[-._a-zA-Z0-9]+$", .min_length = 1, .max_length = 253}};
const TextRule kExpressionText{
    "expression", CheckExpression, kString, {.min_length = 1, .max_length = kMaxExpression}};
const TextRule kTypeText{"type", CheckType, kString, {.min_length = 1, .max_length = kMaxText}};
const TextRule kRegexText{
    "regular expression", CheckRegex, kString, {.min_length = 1, .max_length = kMaxText}};
const TextRule kHostPort{"host:port",
                         CheckHostPort,
                         kString,
                         {.pattern = "^[^ /]+:[0-9]{1,5}$", .min_length = 3, .max_length = 259}};
const TextRule kHost{
    "host",
    CheckHost,
    kString,
    {.pattern = "^([-._a-zA-Z0-9]+|\\[[0-9a-fA-F:.]+\\])$", .min_length = 1, .max_length = 253}};
const TextRule kTopic{"topic",
                      CheckTopic,
                      kString,
                      {.pattern = "^[-._a-zA-Z0-9]+$", .min_length = 1, .max_length = 249}};
const TextRule kKafkaProperty{"property", CheckKafkaProperty};
const TextRule kTopicPartition{"topic/partition", CheckTopicPartition};
const TextRule kOffset{"integer", CheckOffset, TextRule::Plain::kIntegerOnly};
const TextRule kPath{"path", CheckPath, kString, {.min_length = 1, .max_length = 4096}};
const TextRule kSubpath{
    "path", CheckSubpath, kString, {.pattern = "^/[^ ?#]*$", .min_length = 1, .max_length = 4096}};
const TextRule kHttpUrl{
    "URL",
    CheckHttpUrl,
    kString,
    {.pattern = "^https?://[^ @/?#]+([/?#][^ ]*)?$", .min_length = 1, .max_length = 4096}};
const TextRule kSqlUrl{"URL",
                       CheckSqlUrl,
                       kString,
                       {.pattern = "^(postgresql|mysql)://[^ @/?#]+([/?#][^ ]*)?$",
                        .min_length = 1,
                        .max_length = 4096}};
const TextRule kHeaderName{"header", CheckHeaderName};
const TextRule kImage{"image",
                      CheckImage,
                      kString,
                      {.pattern = "^[-._/:@a-zA-Z0-9]+$", .min_length = 1, .max_length = 1024}};
const TextRule kQuantity{"quantity",
                         CheckQuantity,
                         TextRule::Plain::kNumberToo,
                         {.pattern = kQuantityPattern, .min_length = 1, .max_length = 64}};
const TextRule kResourceName{"resource", CheckResourceName};
const TextRule kSqlName{
    "SQL name",
    CheckSqlName,
    kString,
    {.pattern = "^[a-zA-Z0-9_]+(\\.[a-zA-Z0-9_]+){0,2}$", .min_length = 1, .max_length = 191}};
const TextRule kIndexName{
    "index",
    CheckIndexName,
    kString,
    {.pattern = "^[.a-z0-9][-_+.a-z0-9]*$", .min_length = 1, .max_length = 255}};

Status TextRule::Check(std::string_view text) const {
  RETURN_IF_ERROR(check(text));
  return CheckLength(text, shape.max_length);
}

}  // namespace millrace::api
