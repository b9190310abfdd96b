// ICMP (RFC 792) and ICMPv6 (RFC 4443): the header both share, and the types onehop reads or writes.
#pragma once

#include <cstdint>

namespace onehop::icmp {

constexpr uint32_t kType = 0, kCode = 1, kChecksum = 2, kHeaderLength = 8;

constexpr uint8_t kNumber4 = 1, kEchoReply4 = 0, kUnreachable4 = 3, kEchoRequest4 = 8, kCodeProtocol4 = 2,
                  kCodePort4 = 3;
constexpr uint8_t kNumber6 = 58, kUnreachable6 = 1, kEchoRequest6 = 128, kEchoReply6 = 129, kCodePort6 = 4;

constexpr uint8_t number(bool is_v6) { return is_v6 ? kNumber6 : kNumber4; }

}  // namespace onehop::icmp
