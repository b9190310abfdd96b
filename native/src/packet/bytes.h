// Loads and stores at any alignment. Byte order is explicit here and nowhere else: load16/32 read network
// order, raw16/32/64 keep the bytes as they lie (good enough to compare, to mask, and for ones' complement
// sums, RFC 1071 section 2 (B)).
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace onehop {

static_assert(std::endian::native == std::endian::little, "hashes and snapshots are little-endian words");

template <typename Word>
inline Word raw(const uint8_t* at) {
  Word value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
inline uint16_t raw16(const uint8_t* at) { return raw<uint16_t>(at); }
inline uint32_t raw32(const uint8_t* at) { return raw<uint32_t>(at); }
inline uint64_t raw64(const uint8_t* at) { return raw<uint64_t>(at); }
inline void put_raw16(uint8_t* at, uint16_t value) { std::memcpy(at, &value, sizeof value); }

constexpr uint16_t swap16(uint16_t value) { return static_cast<uint16_t>(value << 8 | value >> 8); }

inline uint16_t load16(const uint8_t* at) { return __builtin_bswap16(raw16(at)); }
inline uint32_t load32(const uint8_t* at) { return __builtin_bswap32(raw32(at)); }
inline void store16(uint8_t* at, uint16_t value) { put_raw16(at, swap16(value)); }
inline void store32(uint8_t* at, uint32_t value) {
  const uint32_t swapped = __builtin_bswap32(value);
  std::memcpy(at, &swapped, sizeof swapped);
}

}  // namespace onehop
