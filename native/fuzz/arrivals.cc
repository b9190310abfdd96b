#include "arrivals.h"

#include <algorithm>
#include <cstring>

#include "../src/packet/bytes.h"
#include "../src/packet/tcp.h"
#include "sums.h"

namespace onehop::fuzz {

namespace {

constexpr uint8_t kIcmp = 1, kIcmp6 = 58;
constexpr uint8_t kStretching = 0x78;

// A response's offload, in bits of its third argument.
constexpr uint8_t kPartial = 1, kSegments = 2, kWrongSum = 4;

uint8_t flags_of(uint8_t argument, uint8_t usual) {
  constexpr uint8_t kUsual[] = {tcp::kAck, tcp::kSyn, tcp::kRst, tcp::kRst | tcp::kAck, tcp::kFin | tcp::kAck};
  if (argument == 0) return usual;
  return argument <= sizeof kUsual ? kUsual[argument - 1] : argument;
}

// The answer to a segment acknowledges it, whatever `ahead` adds to that.
void answer_segment(uint8_t* segment, uint8_t flags, uint8_t ahead) {
  const uint32_t sequence = load32(segment + tcp::kSequence), acknowledgment = load32(segment + tcp::kAcknowledgment);
  const uint32_t length = (segment[tcp::kFlags] & tcp::kSyn) != 0 ? 1 : 0;
  store32(segment + tcp::kSequence, acknowledgment);
  store32(segment + tcp::kAcknowledgment, sequence + length + (ahead < 128 ? ahead : (ahead - 256u) * 512));
  segment[tcp::kFlags] = flags;
}

void set_offload(const Layout& layout, uint8_t bits, virtio_net_hdr& vnet) {
  const uint32_t checksum = checksum_at(layout);
  if ((bits & kPartial) == 0 || checksum == 0) return;
  vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
  vnet.csum_start = static_cast<uint16_t>(layout.transport);
  vnet.csum_offset = static_cast<uint16_t>(checksum - layout.transport);
  if ((bits & kSegments) == 0) return;
  const uint8_t tcp_type = layout.is_v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
  vnet.gso_type = layout.protocol == tcp::kNumber ? tcp_type : kGsoUdpSegments;
  vnet.gso_size = 100;
}

struct IcmpKind {
  uint8_t type, code;
};
constexpr IcmpKind kErrors4[] = {{3, 1}, {3, 3}, {3, 4}, {11, 0}, {11, 1}, {12, 0}, {4, 0}, {5, 1}};
constexpr IcmpKind kErrors6[] = {{1, 0}, {1, 4}, {2, 0}, {3, 0}, {3, 1}, {4, 0}, {4, 1}, {137, 0}};

constexpr uint8_t kRouter4[] = {198, 18, 0, 1};
constexpr uint8_t kRouter6[] = {0x20, 0x01, 0x0d, 0xb8, 0, 0x18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

void write_error_header(const uint8_t* quoted, bool is_v6, bool is_from_router, uint32_t payload, uint8_t* bytes) {
  const uint32_t address = is_v6 ? 16 : 4, source = is_v6 ? 8 : 12, destination = source + address;
  std::memset(bytes, 0, source);
  if (is_v6) {
    bytes[0] = 0x60;
    store16(bytes + 4, static_cast<uint16_t>(payload));
    bytes[6] = kIcmp6;
    bytes[7] = 64;
  } else {
    bytes[0] = 0x45;
    store16(bytes + 2, static_cast<uint16_t>(20 + payload));
    bytes[8] = 64;
    bytes[9] = kIcmp;
  }
  const uint8_t* router = is_v6 ? kRouter6 : kRouter4;
  std::memcpy(bytes + source, is_from_router ? router : quoted + destination, address);
  std::memcpy(bytes + destination, quoted + source, address);
}

}  // namespace

uint32_t write_packet(const Step& step, uint8_t* bytes, virtio_net_hdr& vnet) {
  std::span<const uint8_t> given = step.bytes;
  const auto& [unused, stretch, offload] = step.arguments;
  if ((offload & 1) != 0 && given.size() >= kVnetHeader) {
    std::memcpy(&vnet, given.data(), kVnetHeader);
    given = given.subspan(kVnetHeader);
  }
  const auto length = static_cast<uint32_t>(given.size());
  const uint32_t whole = stretched(length, stretch);
  if (length > 0) std::memcpy(bytes, given.data(), length);
  std::memset(bytes + length, kStretching, whole - length);
  return whole;
}

uint32_t write_response(const Departure& to, const Step& step, uint8_t* bytes, virtio_net_hdr& vnet) {
  const auto& [kind, ahead, bits] = step.arguments;
  std::memcpy(bytes, to.bytes, to.length);
  exchange_ends(bytes, to.length);
  const Layout layout = layout_of(bytes, to.length);
  uint8_t* transport = bytes + layout.transport;
  const uint32_t room = layout.length - layout.transport;
  const bool is_answer = step.kind == StepKind::kAnswer;
  if (layout.is_later_fragment) return to.length;
  if (layout.protocol == tcp::kNumber && room >= tcp::kMinimumLength)
    answer_segment(transport, flags_of(kind, is_answer ? tcp::kSyn | tcp::kAck : tcp::kAck), ahead);
  if (layout.protocol == (layout.is_v6 ? kIcmp6 : kIcmp) && room > 0) {
    const uint8_t reply = layout.is_v6 ? 129 : 0, request = layout.is_v6 ? 128 : 8;
    transport[0] = kind != 0 ? kind : is_answer ? reply : request;
  }
  if ((bits & kWrongSum) == 0) write_sums(bytes, to.length);
  set_offload(layout, bits, vnet);
  return to.length;
}

uint32_t write_error(const Departure& about, const Step& step, uint8_t* bytes) {
  const auto& [kind, quoting, bits] = step.arguments;
  if (about.length == 0) return 0;
  const bool is_v6 = about.bytes[0] >> 4 == 6, is_from_router = (bits & 2) != 0;
  const uint32_t header = is_v6 ? 40 : 20, whole = quoting < 200 ? header + quoting : Departure::kMost;
  const uint32_t quoted = std::min(about.length, whole);
  uint8_t* error = bytes + header;
  const auto& [type, code] = (is_v6 ? kErrors6 : kErrors4)[kind % 8];
  write_error_header(about.bytes, is_v6, is_from_router, 8 + quoted, bytes);
  std::memset(error, 0, 8);
  error[0] = type;
  error[1] = code;
  store32(error + 4, kind * 16u);
  std::memcpy(error + 8, about.bytes, quoted);
  if ((bits & kWrongSum) == 0) write_sums(bytes, header + 8 + quoted);
  return header + 8 + quoted;
}

}  // namespace onehop::fuzz
