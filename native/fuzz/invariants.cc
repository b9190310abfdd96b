#include "invariants.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "../src/pipeline/verdict.h"
#include "sums.h"

namespace onehop::fuzz {

namespace {

constexpr uint8_t kIcmp = 1, kUdp = 17, kIcmp6 = 58, kUdpLite = 136;
constexpr uint32_t kEthernet = 14;

bool is_equal(const uint8_t* a, const uint8_t* b, uint32_t length) { return std::memcmp(a, b, length) == 0; }

uint16_t word_at(const uint8_t* bytes, uint32_t at) { return sum(bytes + at, 2); }

bool is_icmp(const Layout& layout) { return layout.protocol == (layout.is_v6 ? kIcmp6 : kIcmp); }

// Whether the packet's own transport checksum is partial, and not that of a packet it carries.
bool is_partial(const Offload& offload, const Layout& layout) {
  return offload.needs_checksum && offload.checksum_start == layout.transport;
}

bool is_header_sum_right(const uint8_t* bytes, const Layout& layout) {
  return layout.is_v6 || sum(bytes, layout.transport) == 0xffff;
}

// What the writer to the bridge says of a packet must lie in it, with the Ethernet header counted in.
void check_vnet_header(const Arrival& before, const Packet& after, uint32_t length) {
  const virtio_net_hdr header = header_from(after.offload, before.vnet, after.data, length);
  const virtio_net_hdr framed = shifted(header, kEthernet);
  expect(header.hdr_len <= length, "hdr_len lies in the packet");
  if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE)
    expect(framed.hdr_len == header.hdr_len + kEthernet, "hdr_len counts the Ethernet header");
  if ((header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0) return;
  expect(uint32_t{header.csum_start} + header.csum_offset + 2 <= length, "csum_start and csum_offset lie in the packet");
  expect(framed.csum_start == header.csum_start + kEthernet, "csum_start counts the Ethernet header");
}

// What a checksum covers of the addresses: both, or at a stop on the way the source alone, for there the destination is
// not the last one.
uint32_t covered_sum(const uint8_t* bytes, const Layout& layout) {
  if (!covers_addresses(layout)) return 0;
  return layout.is_routed ? sum(bytes + 8, 16) : addresses_sum(bytes, layout);
}

// A full sum comes to the same before and after. A partial one is the pseudo header's: it follows the addresses.
void check_transport_sum(const Arrival& before, const Layout& was, const Packet& after, const Layout& is) {
  const uint32_t at = checksum_at(was), length = was.length - was.transport;
  if (at == 0) return;
  const uint16_t checksum = word_at(before.bytes, at), changed = word_at(after.data, at);
  const uint32_t covered = covered_sum(before.bytes, was), now_covered = covered_sum(after.data, is);
  const bool may_lack_sum = was.protocol == kUdp || was.protocol == kUdpLite;
  if (is_partial(after.offload, was)) {
    expect(is_same_sum(checksum + now_covered, changed + covered), "a partial sum changes by the addresses");
  } else if (may_lack_sum && checksum == 0) {
    expect(changed == 0, "a datagram without checksum stays without");
  } else {
    expect(is_same_sum(sum(before.bytes + was.transport, length, covered),
                       sum(after.data + is.transport, length, now_covered)),
           "a transport checksum is as right or wrong as it came");
    expect(!may_lack_sum || changed != 0, "a computed zero goes out as ffff");
  }
}

// Of the headers only the time to live, addresses, checksums and ports change, and not the ports of a request at a stop on
// its way; behind them nothing does but what an ICMP error quotes.
void check_payload(const Arrival& before, const Packet& after, const Layout& layout, bool is_request) {
  const auto expect_same = [&](uint32_t from, uint32_t to) {
    if (from < to) expect(is_equal(before.bytes + from, after.data + from, to - from), "the payload stays as it was");
  };
  const uint32_t time_to_live = layout.is_v6 ? 7 : 8, behind_addresses = layout.is_v6 ? 40 : 20;
  const uint32_t checksum = checksum_at(layout), ports = has_ports(layout) && !(is_request && layout.is_routed) ? 4 : 0;
  expect_same(0, time_to_live);
  expect_same(behind_addresses, layout.transport);
  if (checksum != 0 && is_icmp(layout)) return expect_same(layout.transport, checksum);
  expect_same(layout.transport + ports, checksum == 0 ? layout.length : checksum);
  if (checksum != 0) expect_same(checksum + 2, layout.length);
}

void check_rewritten(const Arrival& before, const Packet& after, uint32_t length, bool is_request) {
  const Layout was = layout_of(before.bytes, before.length), is = layout_of(after.data, length);
  expect(was.is_ip && is.is_ip, "only IP packets are forwarded");
  expect(length == was.length && length == is.length, "a forwarded packet keeps its length");
  expect(was.transport == is.transport && was.protocol == is.protocol, "a forwarded packet keeps its headers");
  if (!was.is_v6)
    expect(is_same_sum(sum(before.bytes, was.transport), sum(after.data, is.transport)),
           "an IPv4 header's checksum is as right or wrong as it came");
  check_payload(before, after, was, is_request);
  check_transport_sum(before, was, after, is);
}

bool is_echo(const uint8_t* bytes, const Layout& layout) {
  return is_icmp(layout) && bytes[layout.transport] == (layout.is_v6 ? 129 : 0);
}

void check_answer(const Arrival& before, const Packet& after, uint32_t length) {
  const Layout was = layout_of(before.bytes, before.length), is = layout_of(after.data, length);
  const uint32_t address = is.is_v6 ? 16 : 4, source = is.is_v6 ? 8 : 12, destination = source + address;
  expect(is.is_ip && is.length == length && was.is_v6 == is.is_v6, "an answer is an IP packet of its family");
  expect(is_equal(after.data + destination, before.bytes + source, address), "an answer goes to who asked");
  expect(is_header_sum_right(after.data, is), "an answer's IPv4 header has the right checksum");
  if (is_echo(after.data, is) && !is_partial(offload_from(before.vnet), was))
    expect(is_same_sum(transport_sum(before.bytes, was), transport_sum(after.data, is)),
           "an echo reply's checksum is as right or wrong as its request's");
  else
    expect(transport_sum(after.data, is) == 0xffff, "an answer's transport checksum is right");
  expect(!after.offload.needs_checksum && after.offload.gso_type == 0, "an answer leaves without offload");
}

void check_passed(const Arrival& before, const Packet& after, uint32_t length) {
  const Layout was = layout_of(before.bytes, before.length);
  expect(was.is_ip && length == was.length, "what passes is an IP packet and keeps its length");
  expect(is_equal(before.bytes, after.data, length), "what passes stays as it was");
  const Offload offload = offload_from(before.vnet);
  expect(offload.needs_checksum == after.offload.needs_checksum && offload.gso_type == after.offload.gso_type,
         "what passes keeps its offload");
}

}  // namespace

void broken(const char* claim) {
  std::fprintf(stderr, "invariant broken: %s\n", claim);
  std::abort();
}

void check_outcome(const Arrival& before, const Packet& after, const Result& result) {
  expect(result.code < kReasonCount, "the reason is one of the list");
  const std::string_view verdict = kReasons[result.code].verdict;
  const bool is_drop = verdict == "drop";
  expect(is_drop == (result.way == Way::kNone) && is_drop == (result.length == 0), "all but drops leave");
  if (is_drop) return;
  expect(result.length <= after.capacity, "what leaves fits its buffer");
  expect((result.way == Way::kContainer) == (verdict == "forward"), "requests go to containers, the rest into the TUN");
  expect(result.has_source, "what leaves names its source");
  check_vnet_header(before, after, result.length);
  if (verdict == "answer") return check_answer(before, after, result.length);
  if (verdict == "pass") return check_passed(before, after, result.length);
  check_rewritten(before, after, result.length, verdict == "forward");
}

}  // namespace onehop::fuzz
