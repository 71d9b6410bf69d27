#include "worker/source/generator/nexmark_text.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <vector>

#include "worker/source/generator/counter_random.h"

namespace millrace::worker::nexmark {
namespace {

constexpr size_t kChannels = 10'000;
constexpr double kExtraSpread = 0.2;
constexpr uint64_t kCharsDraw = 10'000;  // draws for letters begin here, apart for each text

// Letters a-z, one in 13 the separator; '\0' for letters only.
void FillChars(uint64_t n, uint64_t draw, char separator, char* out, size_t size) {
  for (size_t i = 0; i < size; i += 8) {
    uint64_t bits = RandomBits(n, kCharsDraw * (draw + 1) + i / 8);
    for (size_t j = i; j < std::min(size, i + 8); ++j, bits >>= 8) {
      const auto byte = static_cast<unsigned>(bits & 0xff);
      const bool separates = separator != '\0' && byte < 20;
      out[j] = separates ? separator : static_cast<char>('a' + byte * 26 / 256);
    }
  }
}

uint32_t ReverseBits(uint32_t x) {
  uint32_t result = 0;
  for (int i = 0; i < 32; ++i, x >>= 1) result = (result << 1) | (x & 1);
  return result;
}

}  // namespace

std::string_view Text(uint64_t n, uint64_t draw, size_t limit, char separator, Arena* arena) {
  const size_t size = 3 + Below(RandomBits(n, draw), limit - 3);
  char* out = arena->Allocate(size);
  FillChars(n, draw, separator, out, size);
  return {out, size};
}

std::string_view Extra(uint64_t n, uint64_t draw, double mean, Arena* arena) {
  const double factor = 1 - kExtraSpread + 2 * kExtraSpread * Unit(RandomBits(n, draw));
  const auto size = static_cast<size_t>(mean * factor);
  char* out = arena->Allocate(size);
  FillChars(n, draw, '\0', out, size);
  return {out, size};
}

std::string_view Name(uint64_t n, Arena*) {
  static const auto* const names = [] {
    auto* made = new std::vector<std::string>;
    for (const char* first : {"Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie",
                              "Sarah", "Deiter", "Walter"}) {
      for (const char* last : {"Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith",
                               "Jones", "Noris"}) {
        made->push_back(std::string(first) + " " + last);
      }
    }
    return made;
  }();
  return (*names)[Below(RandomBits(n, kName), names->size())];
}

std::string_view Email(uint64_t n, Arena* arena) {
  const uint64_t bits = RandomBits(n, kEmail);
  const size_t user = 3 + Below(bits, 4), host = 3 + Below(bits >> 32, 2);
  char* out = arena->Allocate(user + host + 5);
  FillChars(n, kEmail, '_', out, user + host);
  std::copy_backward(out + user, out + user + host, out + user + 1 + host);
  out[user] = '@';
  std::copy_n(".com", 4, out + user + 1 + host);
  return {out, user + host + 5};
}

std::string_view Card(uint64_t n, Arena* arena) {
  uint64_t bits = RandomBits(n, kCard);
  char* out = arena->Allocate(19);
  for (int i = 0; i < 19; ++i) {
    out[i] = i % 5 == 4 ? ' ' : static_cast<char>('0' + bits % 10);
    if (i % 5 != 4) bits = bits / 10 + (i == 9 ? RandomBits(n, kCard + kCharsDraw) >> 8 : 0);
  }
  return {out, 19};
}

std::string_view City(uint64_t n, Arena*) {
  static constexpr std::string_view kCities[] = {
      "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland",
      "Bend",    "Redmond",     "Seattle",       "Kent",  "Cheyenne"};
  return kCities[Below(RandomBits(n, kCity), std::size(kCities))];
}

std::string_view State(uint64_t n, Arena*) {
  static constexpr std::string_view kStates[] = {"AZ", "CA", "ID", "OR", "WA", "WY"};
  return kStates[Below(RandomBits(n, kState), std::size(kStates))];
}

namespace {

// The hot channels come first. A channel's address depends on its number only.
const std::vector<Channel>& Channels() {
  static const auto* const channels = [] {
    auto* made = new std::vector<Channel>;
    for (const char* name : {"Google", "Facebook", "Baidu", "Apple"}) made->push_back({name, ""});
    for (size_t i = 0; i < kChannels; ++i) made->push_back({"channel-" + std::to_string(i), ""});
    Arena arena;
    for (size_t i = 0; i < made->size(); ++i) {
      std::string& url = (*made)[i].url;
      url = "https://www.nexmark.com/";
      for (uint64_t part = 0; part < 3; ++part)
        url += std::string(Text(i, part, 5, '_', &arena)) + "/";
      url += "item.htm?query=1";
      if (i < 4 || Below(RandomBits(i, 3), 10) == 0) continue;
      const auto id = static_cast<int32_t>(ReverseBits(static_cast<uint32_t>(i - 4)));
      url += "&channel_id=" + std::to_string(std::abs(static_cast<int64_t>(id)));
    }
    return made;
  }();
  return *channels;
}

}  // namespace

const Channel& ChannelOf(uint64_t n) {
  const uint64_t bits = RandomBits(n, kChannel);
  return Channels()[IsHot(bits, 2) ? Below(bits, 4) : 4 + Below(bits, kChannels)];
}

}  // namespace millrace::worker::nexmark
