#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "worker/data/arena.h"

// The texts of Nexmark events, and what is drawn for each event. Pure; texts are in the arena or
// live for ever.
namespace millrace::worker::nexmark {

// Which value of an event is drawn; never renumber.
enum Draw : uint64_t {
  kName,
  kEmail,
  kCard,
  kCity,
  kState,
  kPersonExtraDraw,
  kItem = 100,
  kDescription = 140,
  kInitialBid = 300,
  kReserve,
  kLength,
  kSeller,
  kCategory,
  kAuctionExtraDraw,
  kBidAuction = 500,
  kBidder,
  kPrice,
  kChannel,
  kBidExtraDraw,
};

// The top bits choose hot or not, the low ones the random id.
inline bool IsHot(uint64_t bits, uint64_t of_four) { return (bits >> 62) < of_four; }

struct Channel {
  std::string name;
  std::string url;
};

// 3 to limit-1 characters: letters and, one in 13, the separator.
std::string_view Text(uint64_t n, uint64_t draw, size_t limit, char separator, Arena* arena);
// Letters, `mean` of them more or less, that pad an event to its usual size.
std::string_view Extra(uint64_t n, uint64_t draw, double mean, Arena* arena);
std::string_view Name(uint64_t n, Arena* arena);
std::string_view Email(uint64_t n, Arena* arena);
std::string_view Card(uint64_t n, Arena* arena);
std::string_view City(uint64_t n, Arena* arena);
std::string_view State(uint64_t n, Arena* arena);
// The channel of bid n.
const Channel& ChannelOf(uint64_t n);

}  // namespace millrace::worker::nexmark
