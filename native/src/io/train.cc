#include "train.h"

#include <cstring>

#include "../packet/bytes.h"
#include "../packet/checksum.h"
#include "../packet/ipv4.h"
#include "../packet/ipv6.h"
#include "../packet/udp.h"

namespace onehop {

namespace {

constexpr uint8_t kPlain4 = 0x45;  // version 4, no options
constexpr uint32_t kLargest = 65535;

bool is_v6(const uint8_t* packet) { return packet[0] >> 4 == 6; }

uint32_t udp_at(const uint8_t* packet) { return is_v6(packet) ? ipv6::kLength : ipv4::kMinimumLength; }

// UDP right behind the IP header, whole and not to be fragmented.
bool is_plain_udp(const uint8_t* packet, uint32_t length) {
  if (length < ipv4::kMinimumLength + udp::kHeaderLength) return false;
  if (packet[0] == kPlain4)
    return packet[ipv4::kProtocol] == udp::kNumber && load16(packet + ipv4::kFragment) == ipv4::kDontFragment;
  return is_v6(packet) && length >= ipv6::kLength + udp::kHeaderLength && packet[ipv6::kNextHeader] == udp::kNumber;
}

// By the kernel or the device that received it, or because it was made on this host.
bool is_checksum_right(const PacketPlace& place, const Packet& packet) {
  virtio_net_hdr received;
  std::memcpy(&received, place.vnet_header(), sizeof received);
  const uint8_t* checksum = packet.data + udp_at(packet.data) + udp::kChecksum;
  if (packet.offload.needs_checksum) return packet.offload.checksum_start == udp_at(packet.data);
  return (received.flags & VIRTIO_NET_HDR_F_DATA_VALID) != 0 && raw16(checksum) != 0;
}

void put_length(uint8_t* packet, uint32_t udp_length) {
  store16(packet + udp_at(packet) + udp::kLength, static_cast<uint16_t>(udp_length));
  if (is_v6(packet)) return store16(packet + ipv6::kPayloadLength, static_cast<uint16_t>(udp_length));
  const uint16_t before = raw16(packet + ipv4::kTotalLength);
  store16(packet + ipv4::kTotalLength, static_cast<uint16_t>(ipv4::kMinimumLength + udp_length));
  uint8_t* checksum = packet + ipv4::kChecksum;
  put_raw16(checksum, update_checksum(raw16(checksum), word_delta(before, raw16(packet + ipv4::kTotalLength))));
}

}  // namespace

uint32_t payload_in_train(const PacketPlace& place, const Packet& packet, uint32_t length) {
  if (packet.offload.gso_type != VIRTIO_NET_HDR_GSO_NONE || !is_plain_udp(packet.data, length)) return 0;
  const uint32_t at = udp_at(packet.data), udp_length = load16(packet.data + at + udp::kLength);
  if (udp_length != length - at || !is_checksum_right(place, packet)) return 0;
  return udp_length - udp::kHeaderLength;
}

bool is_same_flow(const uint8_t* a, const uint8_t* b) {
  if (a[0] != b[0]) return false;
  if (is_v6(a))  // but for the length: traffic class, flow label, hop limit, addresses, ports
    return raw32(a) == raw32(b) && std::memcmp(a + ipv6::kNextHeader, b + ipv6::kNextHeader, 2 + 32 + 4) == 0;
  return a[1] == b[1] && raw16(a + ipv4::kTimeToLive) == raw16(b + ipv4::kTimeToLive) &&
         std::memcmp(a + ipv4::kSource, b + ipv4::kSource, 8 + 4) == 0;
}

bool fits_in_train(const uint8_t* first, uint32_t payload) {
  return udp_at(first) + udp::kHeaderLength + payload <= kLargest;
}

Offload make_train(uint8_t* first, uint32_t payload, uint32_t size) {
  const uint32_t at = udp_at(first), udp_length = udp::kHeaderLength + payload;
  put_length(first, udp_length);
  const uint32_t addresses = is_v6(first) ? ipv6::kSource : ipv4::kSource;
  put_raw16(first + at + udp::kChecksum,
            fold(pseudo_header_sum(first + addresses, at - addresses, udp::kNumber, udp_length)));
  return {
      .needs_checksum = true,
      .gso_type = kGsoUdpSegments,
      .gso_size = static_cast<uint16_t>(size),
      .checksum_start = static_cast<uint16_t>(at),
      .checksum_offset = udp::kChecksum,
  };
}

}  // namespace onehop
