#include "worker/client/kafka/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <charconv>
#include <map>
#include <utility>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

const EVP_MD* Digest(ScramHash hash) {
  switch (hash) {
    case ScramHash::kSha256:
      return EVP_sha256();
    case ScramHash::kSha512:
      return EVP_sha512();
  }
  return nullptr;
}

std::string Hash(ScramHash hash, std::string_view bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), out, &size, Digest(hash), nullptr) == 1);
  return std::string(reinterpret_cast<const char*>(out), size);
}

std::string Hmac(ScramHash hash, std::string_view key, std::string_view bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  CHECK(HMAC(Digest(hash), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out,
             &size) != nullptr);
  return std::string(reinterpret_cast<const char*>(out), size);
}

std::string SaltedPassword(ScramHash hash, std::string_view password, std::string_view salt,
                           int iterations) {
  std::string out(static_cast<size_t>(EVP_MD_get_size(Digest(hash))), '\0');
  CHECK(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                          reinterpret_cast<const unsigned char*>(salt.data()),
                          static_cast<int>(salt.size()), iterations, Digest(hash),
                          static_cast<int>(out.size()),
                          reinterpret_cast<unsigned char*>(out.data())) == 1);
  return out;
}

// saslname: "=" and "," are not allowed in a user name.
std::string Escape(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '=') {
      out += "=3D";
    } else if (c == ',') {
      out += "=2C";
    } else {
      out += c;
    }
  }
  return out;
}

// "r=...,s=...,i=..." by letter.
std::map<char, std::string> Attributes(std::string_view message) {
  std::map<char, std::string> attributes;
  for (const std::string_view part : Split(message, ',')) {
    if (part.size() >= 2 && part[1] == '=') attributes.emplace(part[0], part.substr(2));
  }
  return attributes;
}

Status Malformed() { return InvalidError("SCRAM: malformed message of the server"); }

}  // namespace

ScramClient::ScramClient(ScramHash hash, std::string_view username, std::string password,
                         std::string nonce)
    : hash_(hash),
      bare_("n=" + Escape(username) + ",r=" + nonce),
      password_(std::move(password)),
      nonce_(std::move(nonce)) {}

std::string ScramClient::First() const { return "n,," + bare_; }

Result<std::string> ScramClient::Final(std::string_view server_first) {
  std::map<char, std::string> attributes = Attributes(server_first);
  const std::string& count = attributes['i'];
  int iterations = 0;
  const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), iterations);
  const Result<std::string> salt = Base64Decode(attributes['s']);
  if (error != std::errc() || end != count.data() + count.size() || !salt.ok() || salt->empty())
    return Malformed();
  if (iterations < kMinIterations || iterations > kMaxIterations) {
    return InvalidError("SCRAM: the server asks for " + count + " iterations; " +
                        std::to_string(kMinIterations) + " to " + std::to_string(kMaxIterations) +
                        " are accepted");
  }
  const std::string& nonce = attributes['r'];
  if (!nonce.starts_with(nonce_) || nonce.size() == nonce_.size()) return Malformed();
  const std::string salted = SaltedPassword(hash_, password_, *salt, iterations);
  const std::string without_proof = "c=biws,r=" + nonce;
  const std::string message = bare_ + "," + std::string(server_first) + "," + without_proof;
  std::string proof = Hmac(hash_, salted, "Client Key");
  const std::string signature = Hmac(hash_, Hash(hash_, proof), message);
  for (size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ signature[i]);
  expected_signature_ = Hmac(hash_, Hmac(hash_, salted, "Server Key"), message);
  return without_proof + ",p=" + Base64Encode(proof);
}

Status ScramClient::Verify(std::string_view server_final) const {
  std::map<char, std::string> attributes = Attributes(server_final);
  if (attributes.contains('e')) return InvalidError("SCRAM: refused: " + Excerpt(attributes['e']));
  const Result<std::string> signature = Base64Decode(attributes['v']);
  if (expected_signature_.empty() || !signature.ok() ||
      signature->size() != expected_signature_.size() ||
      CRYPTO_memcmp(signature->data(), expected_signature_.data(), signature->size()) != 0) {
    return InvalidError(
        "SCRAM: the server cannot show that it knows the user; it may not be the broker it claims "
        "to be");
  }
  return OkStatus();
}

}  // namespace millrace::worker
