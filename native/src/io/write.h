// One write of a packet thread's: a packet, or a train of them (train.h).
#pragma once

#include <sys/uio.h>

#include <span>

#include "neighbour_map.h"
#include "packet_room.h"

namespace onehop {

struct Write {
  PacketPlace place;           // of the packet, the train's first
  virtio_net_hdr header;       // offsets count from the IP header
  const Neighbour* neighbour;  // null: into the TUN
  std::span<iovec> parts;      // what leaves, the packet at `place` first; whoever writes puts its headers in front
};

}  // namespace onehop
