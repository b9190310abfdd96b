#include "sums.h"

#include <algorithm>

namespace onehop::fuzz {

namespace {

constexpr uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kDccp = 33, kIcmp6 = 58, kMobility = 135, kUdpLite = 136, kHip = 139;
constexpr uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kAuthentication = 51, kDestination = 60;

uint32_t load16(const uint8_t* at) { return uint32_t{at[0]} << 8 | at[1]; }

void store16(uint8_t* at, uint32_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

Layout layout_of_v4(const uint8_t* bytes, uint32_t length) {
  Layout layout;
  if (length < 20) return layout;
  layout.length = std::min(length, load16(bytes + 2));
  layout.transport = (bytes[0] & 15u) * 4;
  layout.is_ip = layout.transport >= 20 && layout.transport <= layout.length;
  layout.protocol = bytes[9];
  layout.is_fragment = (load16(bytes + 6) & 0x3fff) != 0;
  layout.is_later_fragment = (load16(bytes + 6) & 0x1fff) != 0;
  return layout;
}

// Stops, with the transport at the packet's end, at a header that is cut off.
void skip_extension_headers(const uint8_t* bytes, Layout& layout) {
  while (true) {
    const uint32_t at = layout.transport, room = layout.length - at;
    const uint8_t next = layout.protocol;
    const bool is_extension = next == kHopByHop || next == kRouting || next == kFragment || next == kAuthentication ||
                              next == kDestination;
    if (!is_extension || layout.is_later_fragment) return;
    if (room < 8) break;
    uint32_t own = (bytes[at + 1] + 1u) * 8;
    if (next == kAuthentication) own = (bytes[at + 1] + 2u) * 4;
    if (next == kFragment) {
      own = 8;
      layout.is_fragment = (load16(bytes + at + 2) & 0xfff9) != 0;
      layout.is_later_fragment = (load16(bytes + at + 2) & 0xfff8) != 0;
    }
    if (own > room) break;
    if (next == kRouting && bytes[at + 3] != 0) layout.is_routed = true;
    layout.protocol = bytes[at];
    layout.transport += own;
  }
  layout.transport = layout.length;
}

Layout layout_of_v6(const uint8_t* bytes, uint32_t length) {
  Layout layout;
  if (length < 40) return layout;
  layout.is_ip = layout.is_v6 = true;
  layout.length = std::min(length, 40 + load16(bytes + 4));
  layout.transport = 40;
  layout.protocol = bytes[6];
  skip_extension_headers(bytes, layout);
  return layout;
}

}  // namespace

Layout layout_of(const uint8_t* bytes, uint32_t length) {
  if (length == 0) return {};
  if (bytes[0] >> 4 == 4) return layout_of_v4(bytes, length);
  return bytes[0] >> 4 == 6 ? layout_of_v6(bytes, length) : Layout{};
}

uint32_t checksum_at(const Layout& layout) {
  if (layout.is_later_fragment) return 0;
  uint32_t offset = 0;
  if (layout.protocol == kTcp) offset = 16;
  if (layout.protocol == kUdp || layout.protocol == kUdpLite || layout.protocol == kDccp) offset = 6;
  if (layout.protocol == kHip || (layout.protocol == kMobility && layout.is_v6)) offset = 4;
  if (layout.protocol == (layout.is_v6 ? kIcmp6 : kIcmp)) offset = 2;
  return offset == 0 || layout.transport + offset + 2 > layout.length ? 0 : layout.transport + offset;
}

bool has_ports(const Layout& layout) {
  return (layout.protocol == kTcp || layout.protocol == kUdp) && !layout.is_later_fragment &&
         layout.length - layout.transport >= 4;
}

bool covers_addresses(const Layout& layout) { return layout.is_v6 || layout.protocol != kIcmp; }

uint16_t sum(const uint8_t* bytes, uint32_t length, uint32_t start) {
  uint64_t words = start;
  for (uint32_t at = 0; at < length; at += 2) words += uint32_t{bytes[at]} << 8 | (at + 1 < length ? bytes[at + 1] : 0u);
  while (words > 0xffff) words = (words & 0xffff) + (words >> 16);
  return static_cast<uint16_t>(words);
}

uint16_t addresses_sum(const uint8_t* bytes, const Layout& layout) {
  return layout.is_v6 ? sum(bytes + 8, 32) : sum(bytes + 12, 8);
}

uint16_t transport_sum(const uint8_t* bytes, const Layout& layout) {
  const uint32_t length = layout.length - layout.transport;
  const uint32_t pseudo = covers_addresses(layout) ? addresses_sum(bytes, layout) + layout.protocol + length : 0;
  return sum(bytes + layout.transport, length, pseudo);
}

bool is_same_sum(uint32_t a, uint32_t b) { return a % 0xffff == b % 0xffff; }

void write_sums(uint8_t* bytes, uint32_t length) {
  const Layout layout = layout_of(bytes, length);
  if (!layout.is_ip) return;
  if (!layout.is_v6) {
    store16(bytes + 10, 0);
    store16(bytes + 10, 0xffffu - sum(bytes, layout.transport));
  }
  const uint32_t at = checksum_at(layout);
  if (at == 0) return;
  store16(bytes + at, 0);
  const uint32_t checksum = 0xffffu - transport_sum(bytes, layout);
  store16(bytes + at, checksum == 0 ? 0xffff : checksum);
}

void exchange_ends(uint8_t* bytes, uint32_t length) {
  const Layout layout = layout_of(bytes, length);
  if (!layout.is_ip) return;
  const uint32_t address = layout.is_v6 ? 16 : 4;
  uint8_t* addresses = bytes + (layout.is_v6 ? 8 : 12);
  std::swap_ranges(addresses, addresses + address, addresses + address);
  uint8_t* ports = bytes + layout.transport;
  if (has_ports(layout)) std::swap_ranges(ports, ports + 2, ports + 2);
}

}  // namespace onehop::fuzz
