// IPv4 header (RFC 791 section 3.1): byte offsets.
#pragma once

#include <cstdint>

namespace onehop::ipv4 {

constexpr uint32_t kTypeOfService = 1, kTotalLength = 2, kIdentification = 4, kFragment = 6, kTimeToLive = 8, kProtocol = 9,
                   kChecksum = 10, kSource = 12, kDestination = 16, kMinimumLength = 20;

// In the 16 bits at kFragment.
constexpr uint16_t kDontFragment = 0x4000, kMoreFragments = 0x2000, kFragmentOffset = 0x1fff;

}  // namespace onehop::ipv4
