#include "worker/client/peer/peer_wire.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <xxhash.h>

#include "crds/base/status.h"
#include "crds/base/wire.h"

// A message between peers, version 1, little-endian; ZeroMQ keeps the parts and their lengths:
//   part 1  version:u8 kind:u8 stream:u8 0:u8 length:u32 target:u64 sequence:u64 checksum:u64
//   check:u64 part 2  payload, `length` bytes; missing when there are none
// checksum = XXH3-64 of the payload; check = XXH3-64 of all before it.
//   hello     nonce:bytes process:u64 session:u64 address:bytes
//   challenge nonce:bytes process:u64 proof:bytes
//   proof     32 bytes
//   marks     kPeerStreams x { received:u64 consumed:u64 }   welcome and ack of the data lane
// Proofs: HMAC-SHA256(secret, role | hello:bytes | nonce:bytes | process:u64), role "<lane>
// <side>".
namespace millrace::worker {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kHeaderBytes = 40;

}  // namespace

uint64_t PayloadChecksum(std::string_view payload) {
  return payload.empty() ? 0 : XXH3_64bits(payload.data(), payload.size());
}

std::string EncodeHeader(const FrameHeader& header) {
  std::string bytes;
  bytes.reserve(kHeaderBytes);
  WireWriter out(&bytes);
  out.U8(kVersion);
  out.U8(static_cast<uint8_t>(header.kind));
  out.U8(header.stream);
  out.U8(0);
  out.U32(header.length);
  out.U64(header.target);
  out.U64(header.sequence);
  out.U64(header.checksum);
  out.U64(XXH3_64bits(bytes.data(), bytes.size()));
  return bytes;
}

std::optional<FrameHeader> DecodeHeader(std::string_view bytes, std::string_view payload) {
  if (bytes.size() != kHeaderBytes) return std::nullopt;
  WireReader in(bytes);
  FrameHeader header;
  const uint8_t version = in.U8();
  const uint8_t kind = in.U8();
  header.kind = static_cast<FrameKind>(kind);
  header.stream = in.U8();
  in.U8();
  header.length = in.U32();
  header.target = in.U64();
  header.sequence = in.U64();
  header.checksum = in.U64();
  const bool good = in.U64() == XXH3_64bits(bytes.data(), kHeaderBytes - sizeof(uint64_t)) &&
                    version == kVersion && kind >= static_cast<uint8_t>(FrameKind::kHello) &&
                    kind <= static_cast<uint8_t>(FrameKind::kData) &&
                    header.stream < kPeerStreams && header.length == payload.size() &&
                    header.checksum == PayloadChecksum(payload);
  if (!good) return std::nullopt;
  return header;
}

std::string EncodeHello(const Hello& hello) {
  std::string bytes;
  WireWriter out(&bytes);
  out.Bytes(hello.nonce);
  out.U64(hello.process);
  out.U64(hello.session);
  out.Bytes(hello.address);
  return bytes;
}

std::optional<Hello> DecodeHello(std::string_view bytes) {
  WireReader in(bytes);
  Hello hello;
  hello.nonce = in.Bytes();
  hello.process = in.U64();
  hello.session = in.U64();
  hello.address = in.Bytes();
  if (!in.ok() || !in.done() || hello.nonce.size() != kNonceBytes) return std::nullopt;
  return hello;
}

std::string EncodeChallenge(const Challenge& challenge) {
  std::string bytes;
  WireWriter out(&bytes);
  out.Bytes(challenge.nonce);
  out.U64(challenge.process);
  out.Bytes(challenge.proof);
  return bytes;
}

std::optional<Challenge> DecodeChallenge(std::string_view bytes) {
  WireReader in(bytes);
  Challenge challenge;
  challenge.nonce = in.Bytes();
  challenge.process = in.U64();
  challenge.proof = in.Bytes();
  if (!in.ok() || !in.done() || challenge.nonce.size() != kNonceBytes) return std::nullopt;
  return challenge;
}

std::string EncodeMarks(const StreamMarks& marks) {
  std::string bytes;
  WireWriter out(&bytes);
  for (int stream = 0; stream < kPeerStreams; ++stream) {
    out.U64(marks.received[stream]);
    out.U64(marks.consumed[stream]);
  }
  return bytes;
}

std::optional<StreamMarks> DecodeMarks(std::string_view bytes) {
  WireReader in(bytes);
  StreamMarks marks;
  for (int stream = 0; stream < kPeerStreams; ++stream) {
    marks.received[stream] = in.U64();
    marks.consumed[stream] = in.U64();
  }
  if (!in.ok() || !in.done()) return std::nullopt;
  return marks;
}

std::string RandomNonce() {
  std::string nonce(kNonceBytes, '\0');
  // Without randomness there is no way to tell peers from others.
  CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(nonce.data()),
                   static_cast<int>(nonce.size())) == 1);
  return nonce;
}

uint64_t RandomId() {
  const std::string nonce = RandomNonce();
  const uint64_t id = WireReader(nonce).U64();
  return id == 0 ? 1 : id;
}

std::string MakeProof(std::string_view secret, std::string_view role, const std::string& hello,
                      std::string_view nonce, uint64_t process) {
  std::string said(role);
  WireWriter out(&said);
  out.Bytes(hello);
  out.Bytes(nonce);
  out.U64(process);
  std::string proof(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  const unsigned char* made = HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                                   reinterpret_cast<const unsigned char*>(said.data()), said.size(),
                                   reinterpret_cast<unsigned char*>(proof.data()), &size);
  CHECK(made != nullptr);
  proof.resize(size);
  return proof;
}

bool SameProof(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace millrace::worker
