// An IP address as 16 bytes in network order, IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2).
#pragma once

#include <cstdint>
#include <cstring>

#include "bytes.h"

namespace onehop {

struct Address {
  uint64_t high = 0, low = 0;  // the bytes as they lie in memory
  bool operator==(const Address&) const = default;
};

// Two words instead of sixteen bytes: every packet comes through here twice.
inline Address address_from(const uint8_t* bytes, bool is_v6) {
  if (!is_v6) return {0, uint64_t{raw32(bytes)} << 32 | 0xffff0000u};
  return {raw64(bytes), raw64(bytes + 8)};
}

// The bytes of the address's own family: 16, or the last 4.
inline const uint8_t* bytes_of(const Address& address, bool is_v6) {
  return reinterpret_cast<const uint8_t*>(&address) + (is_v6 ? 0 : 12);
}
constexpr uint32_t address_length(bool is_v6) { return is_v6 ? 16 : 4; }
constexpr uint32_t address_bits(bool is_v6) { return is_v6 ? 128 : 32; }

// The first `length` bits (counted within the family) set, and with them whatever maps IPv4 into IPv6.
inline Address mask_of(uint32_t length, bool is_v6) {
  uint8_t bytes[16] = {};
  const uint32_t bits = is_v6 ? length : length + 96;
  for (uint32_t bit = 0; bit < bits; bit++) bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] | 0x80 >> bit % 8);
  return {raw64(bytes), raw64(bytes + 8)};
}

inline Address masked(const Address& address, const Address& mask) {
  return {address.high & mask.high, address.low & mask.low};
}

// The bits of `leading` that the mask has, and of `rest` those that it has not.
inline Address joined(const Address& leading, const Address& rest, const Address& mask) {
  return {(leading.high & mask.high) | (rest.high & ~mask.high), (leading.low & mask.low) | (rest.low & ~mask.low)};
}

}  // namespace onehop
