// IPv6 header (RFC 8200 section 3): byte offsets.
#pragma once

#include <cstdint>

namespace onehop::ipv6 {

constexpr uint32_t kPayloadLength = 4, kNextHeader = 6, kHopLimit = 7, kSource = 8, kDestination = 24,
                   kLength = 40;

// Fragment header (RFC 8200 section 4.5): byte offsets from its start.
constexpr uint8_t kFragmentHeader = 44;
constexpr uint32_t kFragmentNextHeader = 0, kFragment = 2, kFragmentLength = 8;
// In the 16 bits at kFragment.
constexpr uint16_t kFragmentOffset = 0xfff8, kMoreFragments = 0x0001;

// Whether no transport header can be read behind this next header: the other extension headers (IANA registry), and
// 59, behind which nothing follows (RFC 8200 section 4.7).
constexpr bool hides_transport(uint8_t next) {
  return next == 0 || next == 43 || next == 51 || next == 59 || next == 60 || next == 135 || next == 139 ||
         next == 140;
}

}  // namespace onehop::ipv6
