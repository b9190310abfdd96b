// Which packets an operator wants to see.
#pragma once

#include <cstdint>

#include "../packet/packet.h"
#include "../pipeline/engine.h"

namespace onehop {

// At a time: FAST_WATCHES of bpf/maps.h.
constexpr size_t kWatchesAtMost = 4;

struct WatchFilter {
  uint32_t service = 0, container = 0;  // ids; 0: any
  uint64_t codes = ~uint64_t{0};        // a bit for each that is wanted, by position in REASONS
  Address source{}, mask{};             // a prefix of clients; a mask of zeros is all
};

inline bool covers(const WatchFilter& filter, const Address& address) {
  return masked(address, filter.mask) == filter.source;
}

// An address of the IP packet at `bytes`, of which `length` are there; none in what is no packet.
enum class End : uint8_t { kSource, kDestination };
inline bool is_end_covered(const WatchFilter& filter, const uint8_t* bytes, uint32_t length, End end) {
  const bool is_v6 = length > 0 && bytes[0] >> 4 == 6;
  if (length < (is_v6 ? ipv6::kLength : ipv4::kMinimumLength)) return false;
  const bool is_source = end == End::kSource;
  const uint32_t at = is_v6 ? (is_source ? ipv6::kSource : ipv6::kDestination)
                            : (is_source ? ipv4::kSource : ipv4::kDestination);
  return covers(filter, address_from(bytes + at, is_v6));
}

// By all but the client's address.
inline bool wants(const WatchFilter& filter, const Result& result) {
  return (filter.codes >> result.code & 1) != 0 && (filter.service == 0 || filter.service == result.service) &&
         (filter.container == 0 || filter.container == result.container);
}

}  // namespace onehop
