// One queue of a TUN device (Documentation/networking/tuntap.rst), with virtio-net headers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../pipeline/engine.h"
#include "descriptor.h"
#include "packet_room.h"
#include "write.h"

namespace onehop {

class TunQueue {
 public:
  // Attaches to `name`, or makes it, to vanish with its last queue. Throws IoFailure.
  static TunQueue open(const std::string& name);

  // All packets of the TUN to the queue that was opened first, and when that is closed to the one that took its number (the last); else
  // the kernel spreads flows over all queues. False where it may not: they are spread then.
  bool steer_to_first();
  void steer_evenly();

  int number() const { return descriptor_.number(); }

  // What the kernel may leave undone in packets it hands over: checksums, TCP and UDP segmentation. A
  // setting of the device, not of the queue.
  const std::vector<std::string>& offloads() const { return offloads_; }

  // One packet into `place`, to which `packet` then points. 0 or errno: EAGAIN nothing there, EBADFD the device
  // was deleted.
  int read(const PacketPlace& place, Packet& packet);

  // 0 or errno: EIO the device is down, EBADFD it was deleted.
  int write(const Write& write);

 private:
  explicit TunQueue(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

  Descriptor descriptor_;
  std::vector<std::string> offloads_;
};

}  // namespace onehop
