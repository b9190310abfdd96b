// Writes whole Ethernet frames onto bridges (packet(7)), segmentation and checksums left to the kernel.
#pragma once

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <span>

#include "descriptor.h"
#include "write.h"

namespace onehop {

class PacketSocket {
 public:
  // Throws IoFailure.
  static PacketSocket open();

  // At most PacketRoom::kPackets, each to its neighbour, in order. `errors` has a place for each: 0 or errno: EMSGSIZE larger
  // than the bridge's MTU, ENXIO the bridge is gone, ENETDOWN it is down, EAGAIN or ENOBUFS no memory.
  void write(std::span<const Write> writes, int* errors);

 private:
  explicit PacketSocket(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

  void prepare(const Write& write, size_t at);

  Descriptor descriptor_;
  std::array<mmsghdr, PacketRoom::kPackets> messages_{};
  std::array<sockaddr_ll, PacketRoom::kPackets> addresses_{};
};

}  // namespace onehop
