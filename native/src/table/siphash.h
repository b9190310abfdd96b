// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash, so that nobody without the key can choose
// sources that land in one place.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../packet/bytes.h"

namespace onehop {

struct HashKey {
  uint64_t k0 = 0, k1 = 0;
  bool operator==(const HashKey&) const = default;
};

namespace siphash_detail {
struct State {
  uint64_t v0, v1, v2, v3;
  void round() {
    v0 += v1; v1 = std::rotl(v1, 13); v1 ^= v0; v0 = std::rotl(v0, 32);
    v2 += v3; v3 = std::rotl(v3, 16); v3 ^= v2;
    v0 += v3; v3 = std::rotl(v3, 21); v3 ^= v0;
    v2 += v1; v1 = std::rotl(v1, 17); v1 ^= v2; v2 = std::rotl(v2, 32);
  }
  void absorb(uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};
}  // namespace siphash_detail

inline uint64_t siphash(const HashKey& key, const void* input, size_t length) {
  siphash_detail::State state{key.k0 ^ 0x736f6d6570736575u, key.k1 ^ 0x646f72616e646f6du,
                              key.k0 ^ 0x6c7967656e657261u, key.k1 ^ 0x7465646279746573u};
  const auto* bytes = static_cast<const uint8_t*>(input);
  const size_t whole = length & ~size_t{7};
  for (size_t at = 0; at < whole; at += 8) state.absorb(raw64(bytes + at));
  uint64_t word = uint64_t{length & 0xff} << 56;
  for (size_t at = whole; at < length; at++) word |= uint64_t{bytes[at]} << (8 * (at - whole));
  state.absorb(word);
  state.v2 ^= 0xff;
  for (int i = 0; i < 4; i++) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace onehop
