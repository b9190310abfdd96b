// TCP header (RFC 9293 section 3.1): byte offsets.
#pragma once

#include <cstdint>

namespace onehop::tcp {

constexpr uint8_t kNumber = 6;
constexpr uint32_t kSourcePort = 0, kDestinationPort = 2, kSequence = 4, kAcknowledgment = 8, kDataOffset = 12,
                   kFlags = 13, kChecksum = 16, kMinimumLength = 20;
constexpr uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;

}  // namespace onehop::tcp
