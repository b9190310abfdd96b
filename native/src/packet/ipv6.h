// IPv6 header (RFC 8200 section 3): byte offsets, and the extension headers behind it (section 4).
#pragma once

#include <cstdint>

#include "bytes.h"
#include "transport.h"

namespace onehop::ipv6 {

constexpr uint32_t kPayloadLength = 4, kNextHeader = 6, kHopLimit = 7, kSource = 8, kDestination = 24,
                   kLength = 40;

// Extension headers that are followed to the one behind them.
constexpr uint8_t kHopByHop = 0, kRouting = 43, kFragmentHeader = 44, kDestinationOptions = 60;
// Byte offsets from an extension header's start; lengths count units of eight bytes behind the first eight.
constexpr uint32_t kExtensionLength = 1, kSegmentsLeft = 3, kFragment = 2, kIdentification = 4, kUnit = 8;
// In the 16 bits at kFragment.
constexpr uint16_t kFragmentOffset = 0xfff8, kMoreFragments = 0x0001;

// So many are followed: each kind once, destination options twice (RFC 8200 section 4.1), with room to spare.
constexpr uint32_t kHeadersFollowed = 8;

// "No next header": nothing follows that means anything (RFC 8200 section 4.7).
constexpr uint8_t kNothing = 59;

// Whether a next header, found at the end of a chain that was followed, still is an extension header.
constexpr bool is_extension(uint8_t next_header) {
  constexpr uint64_t kSet = uint64_t{1} << kHopByHop | uint64_t{1} << kRouting | uint64_t{1} << kFragmentHeader |
                            uint64_t{1} << kDestinationOptions;
  return next_header < 64 && (kSet >> next_header & 1) != 0;
}

// Payload length 0 in front of a hop-by-hop header: the length stands in there (RFC 2675 section 2), or it is wrong.
inline bool is_jumbogram(const uint8_t* bytes) {
  return raw16(bytes + kPayloadLength) == 0 && bytes[kNextHeader] == kHopByHop;
}

// What the extension headers say, and what follows them: src/packet/ipv6.ts says when `protocol` is an extension
// header itself.
struct HeaderChain {
  uint8_t protocol;
  uint32_t protocol_at;  // where the field is that names it
  uint32_t transport;    // where it starts
  bool is_fragment = false, is_later_fragment = false;
  uint32_t identification = 0;  // network order; of the fragment header, 0 without one
  bool is_routed = false;       // a routing header has segments left
};

// Follows the headers of a packet that ends at `end`; false when one of them does not end before that, or the packet is
// a fragment that starts within one.
inline bool follow_headers(const uint8_t* bytes, uint32_t end, HeaderChain& chain) {
  chain = {.protocol = bytes[kNextHeader], .protocol_at = kNextHeader, .transport = kLength};
  bool has_fragment_header = false;
  for (uint32_t followed = 0; followed < kHeadersFollowed && is_extension(chain.protocol); followed++) {
    const uint8_t header = chain.protocol;
    const uint8_t* at = bytes + chain.transport;
    if (header == kHopByHop && followed > 0) break;
    if (header == kFragmentHeader && has_fragment_header) break;
    if (chain.transport + kUnit > end) return false;
    const uint32_t units = header == kFragmentHeader ? 0 : at[kExtensionLength];
    chain.protocol = at[0];
    chain.protocol_at = chain.transport;
    chain.transport += (units + 1) * kUnit;
    if (chain.transport > end) return false;
    if (header == kRouting && at[kSegmentsLeft] != 0) chain.is_routed = true;
    if (header != kFragmentHeader) continue;
    const uint16_t fragment = load16(at + kFragment);
    has_fragment_header = true;
    chain.is_fragment = (fragment & (kFragmentOffset | kMoreFragments)) != 0;
    chain.is_later_fragment = (fragment & kFragmentOffset) != 0;
    chain.identification = raw32(at + kIdentification);
    if (starts_within_header(chain.protocol, fragment & kFragmentOffset)) return false;
    if (chain.is_later_fragment) break;
  }
  return true;
}

}  // namespace onehop::ipv6
