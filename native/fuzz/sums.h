// Where a packet's sums are and what they come to, found out in the plainest way and by no code of the engine's.
#pragma once

#include <cstdint>

namespace onehop::fuzz {

// Valid as far as `is_ip`.
struct Layout {
  bool is_ip = false, is_v6 = false;
  uint32_t length = 0;     // by the IP header, at most what there is
  uint32_t transport = 0;  // behind all extension headers
  uint8_t protocol = 0;
  bool is_fragment = false, is_later_fragment = false;
  bool is_routed = false;  // a routing header has segments left
};

Layout layout_of(const uint8_t* bytes, uint32_t length);

// The offset of the checksum that lies in the transport header and in the packet; 0: none.
uint32_t checksum_at(const Layout& layout);
bool covers_addresses(const Layout& layout);
bool has_ports(const Layout& layout);

// One's complement sums, from 0 to 0xffff.
uint16_t sum(const uint8_t* bytes, uint32_t length, uint32_t start = 0);
uint16_t addresses_sum(const uint8_t* bytes, const Layout& layout);
// Over the pseudo header and all that follows the transport header's start; 0xffff when the checksum is right.
uint16_t transport_sum(const uint8_t* bytes, const Layout& layout);

// In one's complement 0xffff is a zero too.
bool is_same_sum(uint32_t a, uint32_t b);

// Writes both checksums, the IPv4 header's and the transport's, so that they are right.
void write_sums(uint8_t* bytes, uint32_t length);

// Source and destination exchanged, addresses and ports: sums stay what they are.
void exchange_ends(uint8_t* bytes, uint32_t length);

}  // namespace onehop::fuzz
