// IPv6 header (RFC 8200 section 3): byte offsets.
#pragma once

#include <cstdint>

namespace onehop::ipv6 {

constexpr uint32_t kPayloadLength = 4, kNextHeader = 6, kHopLimit = 7, kSource = 8, kDestination = 24,
                   kLength = 40;

constexpr uint8_t kFragmentHeader = 44;

// Next-header values that are extension headers (IANA registry), the fragment header apart.
constexpr bool is_extension_header(uint8_t next) {
  return next == 0 || next == 43 || next == 51 || next == 60 || next == 135 || next == 139 || next == 140;
}

}  // namespace onehop::ipv6
