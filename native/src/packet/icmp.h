// ICMP (RFC 792) and ICMPv6 (RFC 4443): the header both share, and the types onehop reads or writes.
#pragma once

#include <cstdint>

namespace onehop::icmp {

constexpr uint32_t kType = 0, kCode = 1, kChecksum = 2, kIdentifier = 4, kPointer = 4, kHeaderLength = 8;

constexpr uint8_t kNumber4 = 1, kEchoReply4 = 0, kUnreachable4 = 3, kEchoRequest4 = 8, kCodeHost4 = 1,
                  kCodeProtocol4 = 2, kCodePort4 = 3, kCodeProhibited4 = 13,
                  kTimeExceeded4 = 11, kParameterProblem4 = 12;
constexpr uint8_t kNumber6 = 58, kUnreachable6 = 1, kEchoRequest6 = 128, kEchoReply6 = 129,
                  kCodeProhibited6 = 1,
                  kCodeHost6 = 3,  // "address unreachable"
                  kCodePort6 = 4, kParameterProblem6 = 4, kCodeNextHeader6 = 1;

// Unreachable, packet too big, time exceeded, parameter problem.
constexpr uint8_t kFirstError6 = 1, kLastError6 = 4;

constexpr uint8_t number(bool is_v6) { return is_v6 ? kNumber6 : kNumber4; }

}  // namespace onehop::icmp
