// UDP header (RFC 768): byte offsets; the ports lie where TCP's do. UDP-Lite (RFC 3828) keeps ports and
// checksum in the same places.
#pragma once

#include <cstdint>

namespace onehop::udp {

constexpr uint8_t kNumber = 17, kLiteNumber = 136;
constexpr uint32_t kLength = 4, kChecksum = 6, kHeaderLength = 8;

}  // namespace onehop::udp
