// The Internet checksum (RFC 1071) and its incremental update (RFC 1624). Words are taken as they lie in
// memory: the sum of swapped words is the swapped sum (RFC 1071 section 2 (B)), so nothing needs swapping. A
// `sum` is words added up, not complemented; `fold` brings it back to 16 bits with end-around carry. Since
// 2^32 - 1 is a multiple of 2^16 - 1, words of 32 bits add up to the same folded sum.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bytes.h"

namespace onehop {

// 0 only for a sum of nothing but zeros, and never more than 0xffff.
inline uint16_t fold(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>((sum & 0xffff) + (sum >> 16));
}

// Sum of `length` bytes; an odd last byte counts as a word whose second byte is zero (RFC 1071 section 4.1).
inline uint64_t sum_of(const uint8_t* bytes, size_t length) {
  uint64_t sum = 0;
  size_t at = 0;
  for (; at + 1 < length; at += 2) sum += raw16(bytes + at);
  return at < length ? sum + bytes[at] : sum;
}

// What the checksum field holds for bytes that sum to `sum`.
inline uint16_t checksum_of(uint64_t sum) { return static_cast<uint16_t>(~fold(sum)); }

// What replacing `before` by `after` (4 or 16 bytes) adds to a sum: ~m + m' of RFC 1624 equation 3.
inline uint64_t sum_delta(const uint8_t* before, const uint8_t* after, uint32_t length) {
  uint64_t delta = 0;
  for (uint32_t at = 0; at < length; at += 4) delta += uint64_t{~raw32(before + at)} + raw32(after + at);
  return delta;
}

inline uint64_t word_delta(uint16_t before, uint16_t after) {
  return uint64_t{static_cast<uint16_t>(~before)} + after;
}

// RFC 1624 equation 3: HC' = ~(~HC + ~m + m'). A wrong checksum stays wrong by the same difference.
inline uint16_t update_checksum(uint16_t checksum, uint64_t delta) {
  return checksum_of(static_cast<uint16_t>(~checksum) + delta);
}

// The same for a partial sum: a pseudo header's, not complemented, for a device to finish.
inline uint16_t update_partial_sum(uint16_t sum, uint64_t delta) { return fold(sum + delta); }

// Sum of the pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1): both addresses as they lie.
inline uint64_t pseudo_header_sum(const uint8_t* addresses, size_t addresses_length, uint8_t protocol,
                                  uint32_t transport_length) {
  uint8_t rest[8] = {};
  store32(rest, transport_length);
  rest[7] = protocol;
  return sum_of(addresses, addresses_length) + sum_of(rest, sizeof rest);
}

}  // namespace onehop
