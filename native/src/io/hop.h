// The time to live, and the hop limit as IPv6 calls it.
#pragma once

#include <cstdint>

#include "../packet/checksum.h"
#include "../packet/ipv4.h"
#include "../packet/ipv6.h"

namespace onehop {

constexpr uint8_t kMostHops = 255;

// One hop more for an IP packet that goes back into the TUN: the kernel takes one when it routes a packet in and another
// when it routes it out again, and a router takes but one (RFC 1812 section 5.3.1). Only for what was rewritten. A packet
// that leaves as it came may be routed here once more, and nothing but its hops would end that.
inline void give_back_hop(uint8_t* packet) {
  const bool is_v6 = packet[0] >> 4 == 6;
  uint8_t* hops = packet + (is_v6 ? ipv6::kHopLimit : ipv4::kTimeToLive);
  if (*hops == kMostHops) return;
  if (is_v6) {
    ++*hops;
    return;
  }
  const uint16_t before = raw16(hops);  // with the protocol, a word of the checksum's
  ++*hops;
  uint8_t* checksum = packet + ipv4::kChecksum;
  put_raw16(checksum, update_checksum(raw16(checksum), word_delta(before, raw16(hops))));
}

}  // namespace onehop
