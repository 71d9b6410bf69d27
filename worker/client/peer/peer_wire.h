#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::worker {

inline constexpr int kPeerStreams = 4;

enum class FrameKind : uint8_t {
  kHello = 1,      // from the connecting side: its nonce, process, session and address
  kChallenge = 2,  // answer: nonce and process of the listening side, and its proof
  kProof = 3,      // the connecting side's proof
  kWelcome = 4,    // proven; payload for the lane
  kReject = 5,     // the listening side knows no such connection: connect anew
  kPing = 6,
  kAck = 7,   // answer to a ping, or unasked; payload for the lane
  kData = 8,  // payload for the receiver
};

// The first part of every message between peers; the payload, if any, is the second. Grammar in
// peer_wire.cc.
struct FrameHeader {
  FrameKind kind = FrameKind::kPing;
  uint8_t stream = 0;
  uint32_t length = 0;    // of the payload
  uint64_t target = 0;    // process the frame is meant for, 0 before it is known
  uint64_t sequence = 0;  // of data frames in their stream
  uint64_t checksum = 0;  // of the payload
};

uint64_t PayloadChecksum(std::string_view payload);
std::string EncodeHeader(const FrameHeader& header);
// Nothing for what is no header, is damaged, or does not fit `payload`.
std::optional<FrameHeader> DecodeHeader(std::string_view bytes, std::string_view payload);

struct Hello {
  std::string nonce;
  uint64_t process = 0;
  uint64_t session = 0;  // of the sender's streams to this peer
  std::string address;   // of the sender
};
std::string EncodeHello(const Hello& hello);
std::optional<Hello> DecodeHello(std::string_view bytes);

struct Challenge {
  std::string nonce;
  uint64_t process = 0;
  std::string proof;
};
std::string EncodeChallenge(const Challenge& challenge);
std::optional<Challenge> DecodeChallenge(std::string_view bytes);

// Per stream a sequence: of the frame received last plus one, and of the frame consumed last plus
// one.
struct StreamMarks {
  std::array<uint64_t, kPeerStreams> received{};
  std::array<uint64_t, kPeerStreams> consumed{};
};
std::string EncodeMarks(const StreamMarks& marks);
std::optional<StreamMarks> DecodeMarks(std::string_view bytes);

inline constexpr size_t kNonceBytes = 32;
// From the system's generator.
std::string RandomNonce();
uint64_t RandomId();  // never 0

// HMAC-SHA256 that one side knows the secret, over everything either side said before. `role` tells
// the sides and lanes apart, so that no proof can be played back to its maker.
std::string MakeProof(std::string_view secret, std::string_view role, const std::string& hello,
                      std::string_view nonce, uint64_t process);
bool SameProof(std::string_view a, std::string_view b);

}  // namespace millrace::worker
