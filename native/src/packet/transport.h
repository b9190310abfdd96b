// What protocols above IP have in common, as far as a rewrite meets it.
#pragma once

#include <cstdint>

#include "icmp.h"
#include "tcp.h"
#include "udp.h"

namespace onehop {

// The other protocols whose checksum covers the IP addresses: RFC 4340 section 9.1, RFC 7401 section 5.1.1, RFC 6275
// section 6.1.1.
constexpr uint8_t kDccp = 33, kHip = 139, kMobility = 135;
constexpr uint32_t kDccpChecksum = 6, kHipChecksum = 4, kMobilityChecksum = 4;

// Whether a fragment at an offset (bytes) starts within the TCP header: src/packet/transport.ts says why.
constexpr bool starts_within_header(uint8_t protocol, uint32_t offset) {
  return protocol == tcp::kNumber && offset > 0 && offset < tcp::kMinimumLength;
}

// Authentication header (RFC 4302): signs the addresses, with a key that only the two ends have.
constexpr uint8_t kAuthentication = 51;

// Where in a protocol's header the checksum is that covers the IP addresses; 0 for protocols that have none, as
// ICMP for IPv4, GRE, ESP and SCTP, whose CRC32c covers no pseudo header (RFC 9260 section 6.8).
constexpr uint32_t checksum_offset(uint8_t protocol, bool is_v6) {
  switch (protocol) {
    case tcp::kNumber:
      return tcp::kChecksum;
    case udp::kNumber:
    case udp::kLiteNumber:
      return udp::kChecksum;
    case icmp::kNumber6:
      return is_v6 ? icmp::kChecksum : 0;
    case kDccp:
      return kDccpChecksum;
    case kHip:
      return kHipChecksum;
    case kMobility:
      return is_v6 ? kMobilityChecksum : 0;
    default:
      return 0;
  }
}

}  // namespace onehop
