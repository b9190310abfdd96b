// Writes whole Ethernet frames onto bridges (packet(7)), segmentation and checksums left to the kernel.
#pragma once

#include <cstdint>

#include "../pipeline/engine.h"
#include "descriptor.h"
#include "neighbour_map.h"
#include "packet_buffer.h"

namespace onehop {

class PacketSocket {
 public:
  // Throws IoFailure.
  static PacketSocket open();

  // The first `length` bytes of `packet`, which was read into `buffer`, to `neighbour`. 0 or errno: EMSGSIZE
  // larger than the bridge's MTU, ENXIO the bridge is gone, ENETDOWN it is down, EAGAIN or ENOBUFS no memory.
  int write(PacketBuffer& buffer, const Packet& packet, uint32_t length, const Neighbour& neighbour);

 private:
  explicit PacketSocket(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

  Descriptor descriptor_;
};

}  // namespace onehop
