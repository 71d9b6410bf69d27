#pragma once

#include <cstdint>

namespace millrace::worker {

// Counter-based randomness: value k of event n is a pure function of (n, k), so any event can be
// made alone. Source: the finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom
// Number Generators, OOPSLA 2014).
inline uint64_t RandomBits(uint64_t event, uint64_t k) {
  uint64_t x = event * 0x9e3779b97f4a7c15ull + (k + 1) * 0xd1342543de82ef95ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

// Uniform in [0, bound) from the low 32 bits. Requires: 0 < bound < 2^32.
inline uint64_t Below(uint64_t bits, uint64_t bound) {
  return ((bits & 0xffffffffu) * bound) >> 32;
}

// Uniform in [0, 1) from the high 53 bits.
inline double Unit(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1.0p-53; }

}  // namespace millrace::worker
