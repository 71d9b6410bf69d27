#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::worker {

// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes`. Three streams of the SSE4.2 instruction
// where the processor has it (about 20 GB/s), else eight tables (about 2 GB/s). Pure.
uint32_t Crc32c(std::string_view bytes);
// The portable form, for comparison.
uint32_t Crc32cPortable(std::string_view bytes);

}  // namespace millrace::worker
