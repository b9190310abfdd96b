// Memory for the packets of a batch, each with room for the headers that go in front of it on either way out, so that
// nothing is ever copied:
//
//   … | vnet header | Ethernet header |            onto the bridge (packet(7), PACKET_VNET_HDR)
//   …                   | vnet header | IP packet  from and into the TUN (IFF_VNET_HDR)
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "vnet_header.h"

namespace onehop {

// Where one packet lies.
class PacketPlace {
 public:
  static constexpr uint32_t kEthernetLength = 14;
  // The largest IPv6 packet with a 16-bit payload length. The TUN cuts what is longer, silently; the pipeline
  // then finds that the length field disagrees.
  static constexpr uint32_t kCapacity = 40 + 65535;

  PacketPlace() = default;
  explicit PacketPlace(uint8_t* packet) : packet_(packet) {}

  uint8_t* packet() const { return packet_; }

  // In front of the packet as read from, or written into, the TUN.
  uint8_t* vnet_header() const { return packet_ - sizeof(virtio_net_hdr); }

  // The vnet header and the Ethernet header in front of the packet as written onto a bridge.
  uint8_t* frame() const { return packet_ - kEthernetLength - sizeof(virtio_net_hdr); }
  uint8_t* ethernet_header() const { return packet_ - kEthernetLength; }

 private:
  uint8_t* packet_ = nullptr;
};

class PacketRoom {
 public:
  static constexpr uint32_t kPackets = 64;

  // Few large packets or many small ones: what has been read shall still be in the cache when it is written.
  bool has_place() const { return taken_ < kPackets && filled_ < kBytesAtOnce; }
  PacketPlace next() { return PacketPlace(bytes_ + used_ + kHeadroom); }
  // The packet at `next` has so many bytes. Returns how many the pipeline may make of it.
  uint32_t take(uint32_t length) {
    const uint32_t capacity = std::max(length, kLeastCapacity);
    used_ += (kHeadroom + capacity + kLine - 1) / kLine * kLine;
    filled_ += length;
    taken_++;
    return capacity;
  }
  void clear() { used_ = filled_ = taken_ = 0; }

 private:
  static constexpr uint32_t kLine = 64;
  static constexpr uint32_t kHeadroom = 64;         // the IP header starts a cache line
  static constexpr uint32_t kLeastCapacity = 2048;  // packet/offload.h
  static constexpr uint32_t kBytesAtOnce = 32 << 10;
  static constexpr uint32_t kBytes =
      kPackets * (kHeadroom + kLeastCapacity + kLine) + kBytesAtOnce + PacketPlace::kCapacity;

  uint32_t used_ = 0, filled_ = 0, taken_ = 0;
  alignas(64) uint8_t bytes_[kBytes];
};

}  // namespace onehop
